"""The recordings of a manifest, of which parts are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import soundfile

from speechbrain_apcodec.utils.errors import AudioFileError


@dataclass(frozen=True)
class Clip:
    """One cached recording.

    Arguments
    ---------
    path : str
        Mono WAV at the codec's rate.
    num_samples : int
        Its length.
    peak : float
        Its largest absolute sample.
    band_hz : float
        Where its band ends.
    """

    path: str
    num_samples: int
    peak: float
    band_hz: float = math.inf


class Clips:
    """The recordings of a manifest, by item and by speaker.

    Arguments
    ---------
    manifest : dict
        As `prepare_manifests` writes it.
    crops : dict, optional
        From the id of each further crop of a recording to the recording's.

    Example
    -------
    >>> entry = {"wav": "a.wav", "num_samples": 9, "peak": 0.5}
    >>> clips = Clips(
    ...     {"a": {**entry, "speaker": "s"}, "b": {**entry, "speaker": "s"}}
    ... )
    >>> list(clips.others_of_speaker("a"))
    ['b']
    """

    def __init__(self, manifest, crops=None):
        self._crops = crops or {}
        self._clips = {
            item_id: Clip(
                item["wav"],
                item["num_samples"],
                item["peak"],
                item.get("band_hz", math.inf),
            )
            for item_id, item in manifest.items()
        }
        self._speakers = {
            item_id: item.get("speaker", "")
            for item_id, item in manifest.items()
        }
        self._ids_of_speaker = {}
        for item_id in sorted(manifest):
            self._ids_of_speaker.setdefault(self._speakers[item_id], []).append(
                item_id
            )

    def __getitem__(self, item_id):
        return self._clips[self._crops.get(item_id, item_id)]

    def others_of_speaker(self, item_id):
        """Name the other recordings of an item's speaker.

        Arguments
        ---------
        item_id : str
            The item.

        Returns
        -------
        collections.abc.Sequence of str
            Sorted ids; empty where the speaker is not known. Nothing is
            listed before it is asked for: a speaker may have 200,000.
        """
        item_id = self._crops.get(item_id, item_id)
        speaker = self._speakers[item_id]
        if not speaker:
            return ()
        ids = self._ids_of_speaker[speaker]
        return _AllBut(ids, bisect_left(ids, item_id))


class _AllBut(Sequence):
    """A list as it is without one of its items."""

    def __init__(self, items, without):
        self._items = items
        self._without = without

    def __len__(self):
        return len(self._items) - 1

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[index + (index >= self._without)]


def read_samples(path, start, length, sample_rate):
    """Read a part of a cached recording.

    Arguments
    ---------
    path : str or pathlib.Path
        Mono audio.
    start : int
        First sample.
    length : int
        Number of samples.
    sample_rate : int
        The rate that the file must have.

    Returns
    -------
    numpy.ndarray
        ``[length]``, float32.

    Raises
    ------
    AudioFileError
        If the file is not what the manifest says.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels = file.samplerate, file.channels
            file.seek(start)
            samples = file.read(length, dtype="float32")
    except (RuntimeError, OSError) as error:
        raise AudioFileError(
            f"{path}: cannot be read; prepare the data again"
        ) from error
    if rate != sample_rate or channels != 1 or len(samples) != length:
        raise AudioFileError(
            f"{path}: holds {channels} channel(s) at {rate} Hz and "
            f"{len(samples)} of {length} samples from sample {start} on, "
            f"but mono at {sample_rate} Hz was expected; prepare the data "
            "again"
        )
    return samples
