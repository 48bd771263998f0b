"""Which recordings are encoded together.

A batch is the unit of work. Which recordings it holds follows from the list
of recordings alone, not from the number of processes or from what is done
already: a batch therefore always gives the same tokens.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

from speechbrain_apcodec.utils.audio import read_audio_info
from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    read_utterances,
)


@dataclasses.dataclass(frozen=True)
class Recording:
    """One entry of the list.

    Arguments
    ---------
    id : str
        Its id.
    name : str
        Relative path of its tokens, without suffix.
    source : str
        Path of its audio.
    num_samples : int
        Its length at the codec's rate, as far as it is known; it only
        decides with which others it is encoded.
    columns : dict
        What else the manifest says, such as ``text``.
    """

    id: str
    name: str
    source: str
    num_samples: int
    columns: dict


def list_recordings(path, sample_rate):
    """Read a manifest, or search a folder.

    Arguments
    ---------
    path : str or pathlib.Path
        A folder of audio, or a CSV or JSON manifest as training takes it. A
        column ``num_samples``, at the codec's rate, spares reading the
        header of every file.
    sample_rate : int
        The codec's rate in Hz.

    Returns
    -------
    list of Recording
        In the order of the manifest. Paths outside the manifest's folder
        give no name: the id is taken then.

    Raises
    ------
    ConfigurationError
        If the list cannot be read, or two entries would have the same id or
        the same name.
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
        recordings.append(
            Recording(
                identity,
                _name(Path(source), root, identity),
                source,
                _integer(num_samples, path),
                columns,
            )
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


def make_batches(recordings, most_samples):
    """Put recordings of similar length together, the longest first.

    Arguments
    ---------
    recordings : list of Recording
        What to encode.
    most_samples : int
        Samples of a batch with its padding; a longer recording is a batch of
        its own.

    Returns
    -------
    list of list of Recording

    Example
    -------
    >>> lengths = {"a": 10, "b": 20, "c": 10}
    >>> items = [Recording("", n, "", lengths[n], {}) for n in lengths]
    >>> [[item.name for item in batch] for batch in make_batches(items, 20)]
    [['b'], ['a', 'c']]
    """
    batches = []
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


def batch_key(batch):
    """Name a batch by what it holds.

    Arguments
    ---------
    batch : list of Recording
        The batch.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    content = json.dumps([(item.name, item.num_samples) for item in batch])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _name(source, root, identity):
    if source.is_relative_to(root):
        relative = source.relative_to(root)
        if ".." not in relative.parts:
            return relative.with_suffix("").as_posix()
    return identity.replace("/", "_")


def _length(source, sample_rate):
    try:
        info = read_audio_info(source)
    except AudioFileError:
        return 0  # reported when the file is to be encoded
    return -(-info.num_samples * sample_rate // info.sample_rate)


def _integer(value, path):
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path}: num_samples is {value!r}, not a whole number"
        ) from error
