"""The recordings of an evaluation: which they are and how they are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from speechbrain_apcodec.utils.audio import (
    read_audio,
    read_audio_info,
    read_recording,
)
from speechbrain_apcodec.utils.audio_paths import AUDIO_SUFFIXES
from speechbrain_apcodec.utils.band import measure_band
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.levels import mix_to_mono
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import AnyPath, Wav
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    identity_of,
    read_utterances,
)

Recordings: TypeAlias = dict[str, dict[str, Any]]
"""Id to ``wav`` (absolute path), ``sample_rate``, ``channels``, ``band_hz``
(measured where the manifest does not tell it), and the manifest's other
columns."""

# A recording whose band reaches this share of Nyquist counts as full-band.
_FULL_BAND_SHARE = 0.9


def find_recordings(
    reference: AnyPath, without: Sequence[Path] = ()
) -> list[dict[str, Any]]:
    """Find recordings without reading them: ``id``, ``source`` and columns.

    ``reference`` is a folder, searched with its subfolders except some, a
    JSON or CSV manifest, or one audio file. To find none, or two of one id,
    is an error.
    """
    reference = Path(reference).expanduser()
    if reference.is_dir():
        utterances = find_utterances(reference, without)
    elif reference.suffix.lower() in AUDIO_SUFFIXES:
        utterances = [
            {"id": identity_of(reference.name), "source": str(reference)}
        ]
    else:
        utterances = read_utterances(reference)
    sources: dict[str, str] = {}
    for utterance in utterances:
        name, source = utterance["id"], utterance["source"]
        if name in sources:
            raise ConfigurationError(
                f"{reference}: {sources[name]} and {source} share the id "
                f"{name!r}: rename one"
            )
        sources[name] = source
    return utterances


def describe_recordings(utterances: Iterable[dict[str, Any]]) -> Recordings:
    """Read the found recordings, as far as needed."""
    progress = tqdm(
        utterances, "recordings", unit="file", leave=False, disable=None
    )
    return {utterance["id"]: _describe(utterance) for utterance in progress}


def read_mono(entry: dict[str, Any], sample_rate: int) -> Wav:
    """Read a recording, mixed to mono and resampled where needed."""
    wav, rate = read_audio(entry["wav"])
    return resample(mix_to_mono(wav, entry["wav"]), rate, sample_rate)


def english_text(entry: dict[str, Any]) -> str:
    """Return the text of a recording if it is English, else nothing.

    A text without a language counts as English.
    """
    language = entry.get("language") or "en"
    is_english = re.split(r"[-_]", language.lower())[0] in ("en", "english")
    return entry.get("text", "") if is_english else ""


def describe_conversions(recordings: Recordings, sample_rate: int) -> str:
    """Say which recordings were not mono at the rate of the models, if any.

    Example
    -------
    >>> stereo = {"sample_rate": 44100, "channels": 2}
    >>> describe_conversions({"a": stereo, "b": stereo}, 48000)
    'Before coding, 2 of 2 files were resampled to 48000 Hz (from 44100 Hz) \
and 2 of 2 files were mixed to mono; the results are compared with that.'
    """
    total = f"of {len(recordings)} files were"
    others = [
        entry["sample_rate"]
        for entry in recordings.values()
        if entry["sample_rate"] != sample_rate
    ]
    mixed = sum(entry["channels"] > 1 for entry in recordings.values())
    done = []
    if others:
        rates = ", ".join(map(str, sorted(set(others))))
        done.append(
            f"{len(others)} {total} resampled to {sample_rate} Hz "
            f"(from {rates} Hz)"
        )
    if mixed:
        done.append(f"{mixed} {total} mixed to mono")
    if not done:
        return ""
    return (
        f"Before coding, {' and '.join(done)}; the results are compared with "
        "that."
    )


def groups_by_speaker(
    files: Recordings, train_files: Sequence[dict[str, Any]]
) -> dict[str, str]:
    """Group files by whether the training has heard their speaker.

    Returns a name such as ``"known speaker (kathleen)"`` for each id.

    Example
    -------
    >>> files = {"a": {"speaker": "x"}, "b": {"speaker": "y"}}
    >>> groups_by_speaker(files, [{"speaker": "x"}])
    {'a': 'known speaker (x)', 'b': 'unseen speaker (y)'}
    """
    for entry in (*files.values(), *train_files):
        if not entry.get("speaker"):
            raise ConfigurationError(
                f"{entry.get('wav') or entry.get('source')} has no speaker: "
                "add a column `speaker` to both manifests"
            )
    heard = {entry["speaker"] for entry in train_files}
    parts: dict[str, set[str]] = {"known": set(), "unseen": set()}
    kinds = {}
    for name, entry in files.items():
        kinds[name] = "known" if entry["speaker"] in heard else "unseen"
        parts[kinds[name]].add(entry["speaker"])
    titles = {}
    for kind, speakers in parts.items():
        few = len(speakers) <= 3
        who = ", ".join(sorted(speakers)) if few else str(len(speakers))
        titles[kind] = f"{kind} speaker{'s'[: len(speakers) > 1]} ({who})"
    return {name: titles[kind] for name, kind in kinds.items()}


def scored_bands(
    files: Recordings, sample_rate: int, groups: dict[str, str]
) -> dict[str, float | None]:
    """Choose up to which frequency in Hz each file is scored.

    Up to Nyquist (None) in a group whose files are all full-band, else up to
    each file's own band.

    Example
    -------
    >>> files = {"a": {"band_hz": 16000}, "b": {"band_hz": 23000}}
    >>> scored_bands(files, 48000, {"a": "one", "b": "one"})
    {'a': 16000, 'b': 23000}
    >>> scored_bands(files, 48000, {"a": "one", "b": "other"})
    {'a': 16000, 'b': None}
    """
    nyquist = sample_rate / 2
    bands = {
        name: min(entry.get("band_hz", nyquist), nyquist)
        for name, entry in files.items()
    }
    narrow = {
        groups[name]
        for name, band in bands.items()
        if band < _FULL_BAND_SHARE * nyquist
    }
    return {
        name: band if groups[name] in narrow else None
        for name, band in bands.items()
    }


def choose_examples(groups: dict[str, str], limit: int) -> list[str]:
    """Choose ids of files to look at and listen to, spread over each group.

    The first of each group is its first file; each group has at least one.

    Example
    -------
    >>> choose_examples(dict.fromkeys("abcdef", "all"), 3)
    ['a', 'c', 'e']
    """
    members: dict[str, list[str]] = {}
    for name, group in groups.items():
        members.setdefault(group, []).append(name)
    chosen: list[str] = []
    groups_left = len(members)
    for names in members.values():
        room = max(1, (limit - len(chosen)) // groups_left)
        count = min(room, len(names))
        chosen += [names[i * len(names) // count] for i in range(count)]
        groups_left -= 1
    return chosen


def _describe(utterance: dict[str, Any]) -> dict[str, Any]:
    """Turn an utterance into a recording, read as far as needed."""
    path = Path(utterance["source"]).resolve()
    band = utterance.get("band_hz")
    if band:
        info = read_audio_info(path)
    else:
        # Reading it whole finds damage now rather than after hours of work.
        wav, info = read_recording(path)
        mono = mix_to_mono(wav, path).numpy()
        # Silence has no band; its whole spectrum is as good as any.
        band = measure_band(mono, info.sample_rate) or info.sample_rate / 2
    return {
        **utterance,
        "wav": str(path),
        "sample_rate": info.sample_rate,
        "channels": info.channels,
        "band_hz": int(float(band)),
    }
