"""The recordings of a manifest, of which parts are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechbrain_apcodec.utils.errors import AudioFileError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath


@dataclass(frozen=True)
class Clip:
    """One cached recording: a mono WAV at the codec's rate."""

    path: str
    num_samples: int
    #: Largest absolute sample.
    peak: float
    #: Where its band ends.
    band_hz: float


class Clips:
    """The recordings of a manifest, by item and by speaker.

    ``crops`` maps the id of each further crop of a recording to the
    recording's.

    Example
    -------
    >>> entry = {"wav": "a.wav", "num_samples": 9, "peak": 0.5}
    >>> clips = Clips(
    ...     {"a": {**entry, "speaker": "s"}, "b": {**entry, "speaker": "s"}}
    ... )
    >>> list(clips.others_of_speaker("a"))
    ['b']
    """

    def __init__(
        self,
        manifest: Mapping[str, Mapping[str, Any]],
        crops: Mapping[str, str] | None = None,
    ) -> None:
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
        self._ids_of_speaker: dict[str, list[str]] = {}
        for item_id in sorted(manifest):
            self._ids_of_speaker.setdefault(self._speakers[item_id], []).append(
                item_id
            )

    def __getitem__(self, item_id: str) -> Clip:
        return self._clips[self._crops.get(item_id, item_id)]

    def others_of_speaker(self, item_id: str) -> Sequence[str]:
        """Name a speaker's other recordings; none if it is not known.

        They are sorted, and not listed before they are asked for: a speaker
        may have 200,000.
        """
        item_id = self._crops.get(item_id, item_id)
        speaker = self._speakers[item_id]
        if not speaker:
            return ()
        ids = self._ids_of_speaker[speaker]
        return _AllBut(ids, bisect_left(ids, item_id))


class _AllBut(Sequence[str]):
    """A list without one of its items."""

    def __init__(self, items: list[str], without: int) -> None:
        self._items = items
        self._without = without

    def __len__(self) -> int:
        return len(self._items) - 1

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[index + (index >= self._without)]


def read_samples(
    path: AnyPath, start: int, length: int, sample_rate: int
) -> NDArray[np.float32]:
    """Read a part of a cached recording, which must be as its manifest says."""
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
