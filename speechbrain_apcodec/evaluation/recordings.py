"""The recordings of an evaluation: which they are and how they are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from pathlib import Path

from tqdm import tqdm

from speechbrain_apcodec.utils.audio import (
    AUDIO_SUFFIXES,
    mix_to_mono,
    read_audio,
    read_audio_info,
    read_recording,
    resample,
)
from speechbrain_apcodec.utils.band import measure_band
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    identity_of,
    read_utterances,
)

# A recording whose band reaches this share of Nyquist counts as full-band.
FULL_BAND_SHARE = 0.9


def list_recordings(reference, without=()):
    """List the recordings of a folder or manifest, and check each of them.

    Arguments
    ---------
    reference : str or pathlib.Path
        A folder, searched with its subfolders, a JSON or CSV manifest, or
        one audio file.
    without : list of str or pathlib.Path
        Folders to leave out of a folder, such as the one written to.

    Returns
    -------
    dict
        Id to ``wav`` (absolute path), ``sample_rate``, ``channels``,
        ``band_hz`` (measured where the manifest does not tell it), and the
        manifest's other columns.

    Raises
    ------
    APCodecError
        If there is no recording, one cannot be read, or two share an id.

    Example
    -------
    >>> import tempfile
    >>> import torch
    >>> from speechbrain_apcodec.utils.audio import write_audio
    >>> path = Path(tempfile.mkdtemp()) / "speech.wav"
    >>> noise = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    >>> write_audio(path, 0.1 * noise, 16000)
    >>> entry = list_recordings(path.parent)["speech"]
    >>> entry["sample_rate"], entry["channels"], entry["band_hz"]
    (16000, 2, 8000)
    """
    return describe_recordings(find_recordings(reference, without))


def find_recordings(reference, without=()):
    """Find the recordings of a folder or manifest, without reading them.

    Arguments
    ---------
    reference : str or pathlib.Path
        See `list_recordings`.
    without : list of str or pathlib.Path
        See `list_recordings`.

    Returns
    -------
    list of dict
        Utterances with ``id``, ``source`` and the manifest's other columns.

    Raises
    ------
    APCodecError
        If there is none, or two share an id.
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
    sources = {}
    for utterance in utterances:
        name, source = utterance["id"], utterance["source"]
        if name in sources:
            raise ConfigurationError(
                f"{reference}: {sources[name]} and {source} share the id "
                f"{name!r}: rename one"
            )
        sources[name] = source
    return utterances


def describe_recordings(utterances):
    """Look into each recording, as far as needed.

    Arguments
    ---------
    utterances : list of dict
        From `find_recordings`.

    Returns
    -------
    dict
        See `list_recordings`.

    Raises
    ------
    AudioFileError
        If one cannot be read.
    """
    progress = tqdm(
        utterances, "recordings", unit="file", leave=False, disable=None
    )
    return {utterance["id"]: _describe(utterance) for utterance in progress}


def read_mono(entry, sample_rate):
    """Read a recording, mixed to mono and resampled where needed.

    Arguments
    ---------
    entry : dict
        With ``wav``, the path of an audio file.
    sample_rate : int
        Rate wanted, Hz.

    Returns
    -------
    torch.Tensor
        Waveform ``[T]``.

    Raises
    ------
    AudioFileError
        If the file cannot be read.
    """
    wav, rate = read_audio(entry["wav"])
    return resample(mix_to_mono(wav, entry["wav"]), rate, sample_rate)


def english_text(entry):
    """Return what is said in a recording, if that is known and English.

    Arguments
    ---------
    entry : dict
        A recording, maybe with ``text`` and ``language``. Without a language
        the text counts as English.

    Returns
    -------
    str
        Empty if there is no such text.

    Example
    -------
    >>> english_text({"text": "Good morning.", "language": "en-GB"})
    'Good morning.'
    >>> english_text({"text": "Guten Morgen.", "language": "de"})
    ''
    """
    language = entry.get("language") or "en"
    is_english = re.split(r"[-_]", language.lower())[0] in ("en", "english")
    return entry.get("text", "") if is_english else ""


def describe_conversions(recordings, sample_rate):
    """Say which recordings were not what the codecs take.

    Arguments
    ---------
    recordings : dict
        From :func:`list_recordings`.
    sample_rate : int
        Of the models, Hz.

    Returns
    -------
    str
        A sentence, or nothing if all were mono at that rate.

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


def groups_by_speaker(files, train_files):
    """Part files by whether the training has heard their speaker.

    Arguments
    ---------
    files : dict
        Recordings to score, with ``speaker``.
    train_files : iterable of dict
        Those of the training, with ``speaker``.

    Returns
    -------
    dict
        Id to a name such as ``"known speaker (kathleen)"``.

    Raises
    ------
    ConfigurationError
        If a recording has no speaker.

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
    parts = {"known": set(), "unseen": set()}
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


def scored_bands(files, sample_rate, groups):
    """Choose up to which frequency each file is scored.

    In a group whose files are all full-band it is Nyquist, else each file's
    own band.

    Arguments
    ---------
    files : dict
        Id to recording; without ``band_hz`` it counts as full-band.
    sample_rate : int
        In Hz.
    groups : dict
        Id to name of its group.

    Returns
    -------
    dict
        Id to a frequency in Hz, or to None for Nyquist.

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
        if band < FULL_BAND_SHARE * nyquist
    }
    return {
        name: band if groups[name] in narrow else None
        for name, band in bands.items()
    }


def choose_examples(groups, limit):
    """Choose files to look at and listen to, spread over each group.

    Arguments
    ---------
    groups : dict
        Id to name of its group.
    limit : int
        How many files, at least one a group.

    Returns
    -------
    list of str
        Ids, group by group; the first of each group is its first file.

    Example
    -------
    >>> choose_examples(dict.fromkeys("abcdef", "all"), 3)
    ['a', 'c', 'e']
    """
    members = {}
    for name, group in groups.items():
        members.setdefault(group, []).append(name)
    chosen, groups_left = [], len(members)
    for names in members.values():
        room = max(1, (limit - len(chosen)) // groups_left)
        count = min(room, len(names))
        chosen += [names[i * len(names) // count] for i in range(count)]
        groups_left -= 1
    return chosen


def _describe(utterance):
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
