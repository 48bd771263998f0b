"""Which audio files a data set consists of, and which split they are in.

An utterance is a dict with ``id``, ``source`` (the path of its audio) and any
further columns, such as ``speaker``, ``text`` and ``split``. Lists of them
come from a CSV or JSON manifest, from a folder, or from a recipe that knows
its corpus; `training.manifests` makes them ready for training.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import csv
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from speechbrain.utils.logger import get_logger

from speechbrain_apcodec.utils.audio_paths import AUDIO_SUFFIXES, files_below
from speechbrain_apcodec.utils.errors import NOTICE, ConfigurationError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

Utterance: TypeAlias = dict[str, Any]

logger = get_logger(__name__)

# Audio and film that cannot be read.
# fmt: off
_UNREADABLE_SUFFIXES = {
    ".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dff", ".dsf", ".m4a",
    ".m4b", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".pcm", ".ra", ".raw",
    ".shn", ".spx", ".tta", ".voc", ".webm", ".wma", ".wv", ".wv1", ".wv2",
}
# fmt: on

#: How a `split` column may call our three splits.
SPLIT_NAMES = {
    "train": "train",
    "valid": "valid",
    "dev": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
}


def read_utterances(path: AnyPath) -> list[Utterance]:
    """Read a list of audio files from a CSV or JSON manifest.

    Arguments
    ---------
    path : str or pathlib.Path
        A CSV file with a column ``path`` or ``wav``, or a JSON file in
        SpeechBrain's form (``{id: {"wav": path, ...}}``). Columns ``id``,
        ``split``, ``speaker``, ``text`` and any others are optional.
        Relative paths start at the manifest's folder, which also replaces
        ``{data_root}``.

    Returns
    -------
    list of dict
        Utterances with ``id``, ``source`` and the other columns. Without an
        ``id`` column, the id is the path without its suffix.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".json":
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            rows = [{"id": key, **value} for key, value in content.items()]
        else:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ConfigurationError(
            f"{path}: cannot be read as a manifest ({error})"
        ) from error
    if not rows:
        raise ConfigurationError(f"{path}: names no audio file")

    utterances = []
    for number, row in enumerate(rows, start=1):
        row = {key: value for key, value in row.items() if key is not None}
        location = row.pop("path", None) or row.pop("wav", None)
        row.pop("wav", None)
        if not location:
            raise ConfigurationError(
                f"{path}: entry {number} names no audio file; a column "
                "`path` or `wav` is needed"
            )
        if not isinstance(location, str):  # as SpeechBrain's segments
            raise ConfigurationError(
                f"{path}: the audio file of entry {number} is {location!r}: "
                "give a path, and cut segments to files of their own"
            )
        location = location.replace("{data_root}", str(path.parent))
        identity = row.pop("ID", None) or row.pop("id", None)
        utterances.append(
            {
                **{key: value or "" for key, value in row.items()},
                # Last: a corpus may have a column of such a name.
                "id": str(identity or identity_of(location)),
                "source": str(path.parent / location),
            }
        )
    return utterances


def find_utterances(
    folder: AnyPath, without: Iterable[AnyPath] = ()
) -> list[Utterance]:
    """Find every audio file below a folder, in sorted order.

    Folders that are links are searched too. Audio that cannot be read, such
    as ``.m4a``, is counted and named in the log.

    Arguments
    ---------
    folder : str or pathlib.Path
        Searched with all its subfolders.
    without : list of str or pathlib.Path
        Folders and files to leave out, such as those that a run writes.

    Returns
    -------
    list of dict
        Utterances with ``id``, ``source`` and ``speaker`` (the name of the
        folder the file lies in).
    """
    folder = require_folder(folder, "a folder of audio files")
    # A folder above this one says nothing of the files below.
    above = {folder.resolve(), *folder.resolve().parents}
    left_out = {Path(other).resolve() for other in without} - above
    paths: list[Path] = []
    others: Counter[str] = Counter()
    for path in files_below(folder, left_out):
        suffix = path.suffix.lower()
        if suffix not in AUDIO_SUFFIXES:
            others[suffix] += suffix in _UNREADABLE_SUFFIXES
        elif path.is_file():
            paths.append(path)
        else:
            others["that leads nowhere"] += 1
    named = ", ".join(f"{others[key]} {key}" for key in sorted(+others))
    if not paths:
        raise ConfigurationError(
            f"{folder}: holds no audio file ({', '.join(AUDIO_SUFFIXES)})"
            + (f", but {named}: convert them" if named else "")
        )
    if named:
        logger.log(
            NOTICE, f"left out below {folder}: {named}; convert them to wav"
        )
    return [
        {
            "id": identity_of(path.relative_to(folder)),
            "source": str(path),
            "speaker": path.parent.name,
        }
        for path in sorted(paths)
    ]


def identity_of(path: AnyPath) -> str:
    """Make an id, which can also be a file name, from a relative path.

    Example
    -------
    >>> identity_of("anna/first recording.wav")
    'anna_first recording'
    """
    parts = Path(path).with_suffix("").parts
    return "_".join(part for part in parts if part not in ("/", "..", "."))


def require_folder(folder: AnyPath, what: str, *children: str) -> Path:
    """Check that a data set lies where the user says.

    Arguments
    ---------
    folder : str or pathlib.Path
        The folder that the user named.
    what : str
        What it should be, for the error.
    *children : str
        Files or folders that must lie in it.

    Returns
    -------
    pathlib.Path
        The folder.

    Example
    -------
    >>> require_folder("/nowhere", "VCTK 0.92")
    Traceback (most recent call last):
    speechbrain_apcodec.utils.errors.ConfigurationError: data_folder \
/nowhere is not a folder: VCTK 0.92 was expected there
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(
            f"data_folder {folder} is not a folder: {what} was expected there"
        )
    for child in children:
        if not (folder / child).exists():
            raise ConfigurationError(
                f"data_folder {folder} does not look like {what}: it holds "
                f"no {child}"
            )
    return folder


def split_by_column(
    utterances: Iterable[Utterance],
) -> dict[str, list[Utterance]]:
    """Split utterances by their ``split`` column.

    It says train, dev (or valid, val, validation) or test. Utterances with
    another name are left out, and the log says so.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "valid": [], "test": []}
    left_out: Counter[str] = Counter()
    for item in utterances:
        name = SPLIT_NAMES.get(item.get("split", "").lower())
        if name is None:
            left_out[item.get("split", "")] += 1
        else:
            splits[name].append(item)
    for name, count in left_out.items():
        logger.log(NOTICE, f"left out: {count} files of the split {name!r}")
    return splits


def split_by_seed(
    utterances: Sequence[Utterance],
    seed: int,
    valid_share: float = 0.05,
    test_share: float = 0.05,
    unit: str = "speaker",
) -> dict[str, list[Utterance]]:
    """Split utterances at random, the same way for the same seed.

    Arguments
    ---------
    utterances : list of dict
        With ``id``, and with ``speaker`` if speakers are to be kept apart.
    seed : int
        Seed of the shuffle.
    valid_share : float
        Share of the files for validation. With whole speakers it is met as
        closely as their sizes allow: the split takes speakers until it has
        its share.
    test_share : float
        Share of the files for the test, by the same rule.
    unit : str
        ``speaker``: a speaker is in one split only. ``file``: each file for
        itself.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of utterances.

    Example
    -------
    >>> items = [{"id": str(n), "speaker": "ab c"[n % 4]} for n in range(8)]
    >>> splits = split_by_seed(items, seed=0)
    >>> len(splits["train"]), len(splits["valid"]), len(splits["test"])
    (4, 2, 2)
    """
    if unit not in ("speaker", "file"):
        raise ConfigurationError(
            f"split_unit is {unit!r}: it must be `speaker` or `file`"
        )
    groups: dict[str, list[Utterance]] = {}
    for item in utterances:
        name = item["id"] if unit == "file" else item.get("speaker", "")
        groups.setdefault(name, []).append(item)
    if len(groups) < 3:
        raise ConfigurationError(
            f"{len(groups)} {unit}(s) cannot be split into train, valid and "
            "test: give more, or set --split_unit=file, or give a manifest "
            "with a `split` column"
        )
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    splits: dict[str, list[Utterance]] = {"test": [], "valid": [], "train": []}
    for split, share in (("test", test_share), ("valid", valid_share)):
        wanted = max(1, math.floor(share * len(utterances)))
        # Two groups stay behind for the splits that follow.
        while len(splits[split]) < wanted and len(names) > (
            2 if split == "test" else 1
        ):
            splits[split].extend(groups[names.pop()])
    for name in names:
        splits["train"].extend(groups[name])
    return {
        name: sorted(splits[name], key=lambda item: item["id"])
        for name in ("train", "valid", "test")
    }


def read_text(path: AnyPath) -> str:
    """Read a transcript on one line; it is empty if there is no such file."""
    path = Path(path)
    if not path.is_file():
        return ""
    return " ".join(path.read_text(encoding="utf-8").split())
