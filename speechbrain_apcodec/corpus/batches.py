"""Which recordings are encoded together.

A batch is the unit of work. Its recordings follow from the list of recordings
alone, not from the number of processes or from what is done already: a batch
therefore always gives the same tokens.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechbrain_apcodec.utils.audio import read_audio_info
from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    read_utterances,
)


@dataclass(frozen=True)
class Recording:
    """One entry of the list."""

    id: str
    #: Relative path of its tokens, without suffix.
    name: str
    #: Path of its audio.
    source: str
    #: Its length at the codec's rate, as far as it is known; it only decides
    #: with which others it is encoded.
    num_samples: int
    #: Further columns of the manifest, such as ``text``.
    columns: dict[str, Any]


def list_recordings(path: AnyPath, sample_rate: int) -> list[Recording]:
    """Read a manifest, or search a folder; the codec's rate is in Hz.

    A column ``num_samples``, at the codec's rate, spares reading the header
    of every file. A path outside the manifest's folder gives no name: the id
    is taken then.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    listed = find_utterances(path) if path.is_dir() else read_utterances(path)
    recordings = []
    for columns in listed:
        identity, source = columns.pop("id"), columns.pop("source")
        num_samples = columns.pop("num_samples", None)
        if num_samples is None:
            num_samples = _length(source, sample_rate)
        try:
            num_samples = int(num_samples)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{path}: num_samples is {num_samples!r}, not a whole number"
            ) from error
        name = _name(Path(source), root, identity)
        recordings.append(
            Recording(identity, name, source, num_samples, columns)
        )
    for field in ("id", "name"):
        counts = Counter(getattr(item, field) for item in recordings)
        repeated, count = counts.most_common(1)[0]
        if count > 1:
            raise ConfigurationError(
                f"{path}: {count} recordings have the {field} {repeated!r}: "
                "every one needs its own"
            )
    return recordings


def make_batches(
    recordings: list[Recording], most_samples: int
) -> list[list[Recording]]:
    """Put recordings of similar length together, the longest first.

    A batch has ``most_samples`` at most, padding included; a recording that
    is longer is a batch of its own.
    """
    batches: list[list[Recording]] = []
    for item in sorted(recordings, key=lambda i: (-i.num_samples, i.name)):
        # Padded to the first one, which is the longest.
        if (
            batches
            and (len(batches[-1]) + 1) * batches[-1][0].num_samples
            <= most_samples
        ):
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def batch_key(batch: list[Recording]) -> str:
    """Name a batch by its content, in 32 hexadecimal digits."""
    content = json.dumps([(item.name, item.num_samples) for item in batch])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _name(source: Path, root: Path, identity: str) -> str:
    if source.is_relative_to(root):
        relative = source.relative_to(root)
        if ".." not in relative.parts:
            return relative.with_suffix("").as_posix()
    return identity.replace("/", "_")


def _length(source: str, sample_rate: int) -> int:
    try:
        info = read_audio_info(source)
    except AudioFileError:
        return 0  # reported when the file is to be encoded
    return -(-info.num_samples * sample_rate // info.sample_rate)
