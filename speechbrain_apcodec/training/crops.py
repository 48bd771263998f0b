"""Crops of recordings that an interrupted run meets again exactly.

Start and level of a crop follow from the seed, the epoch and the item's id
alone: not from the number of loader processes, not from the order of the
batches and not from earlier draws. So a resumed run needs no saved random
state. Only the samples of the crop are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from speechbrain_apcodec.training.clips import Clip, Clips, read_samples
from speechbrain_apcodec.training.voices import VoiceChanges
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wav

if TYPE_CHECKING:
    from speechbrain.utils.epoch_loop import EpochCounter

# A clip that peaks below -80 dBFS is silence: to bring it to speech level
# would train on amplified rounding noise.
_SILENCE_PEAK = 1e-4

# A crop whose peak is 34 dB below its recording's is a pause, which teaches
# little: its start is drawn anew, but not for ever.
_PAUSE_PEAK = 0.02
_DRAWS = 6


def check_segment_length(
    segment_length: int, hop_length: int, stft_hop_length: int
) -> None:
    """Check that a segment is a whole number of latents.

    A centred STFT of ``n`` samples has ``1 + n / stft_hop_length`` frames;
    they fill whole latents if ``n + stft_hop_length`` is a multiple of
    ``hop_length``.

    Example
    -------
    >>> check_segment_length(7960, 320, 40)
    >>> check_segment_length(8000, 320, 40)
    Traceback (most recent call last):
    speechbrain_apcodec.utils.errors.ConfigurationError: segment_length 8000 \
is not a whole number of latents: use 7960 or 8280 (a multiple of 320 less 40)
    """
    excess = (segment_length + stft_hop_length) % hop_length
    if segment_length > 0 and excess == 0:
        return
    shorter = segment_length - excess
    nearest = [
        str(length) for length in (shorter, shorter + hop_length) if length > 0
    ] or [str(hop_length - stft_hop_length)]
    raise ConfigurationError(
        f"segment_length {segment_length} is not a whole number of latents: "
        f"use {' or '.join(nearest)} (a multiple of {hop_length} less "
        f"{stft_hop_length})"
    )


def _gain(level: float | None, clip: Clip) -> float:
    """Bring a recording's peak to a level, unless it is silence."""
    if level is None or clip.peak <= _SILENCE_PEAK:
        return 1
    return level / clip.peak


def _shuffled(
    random: np.random.Generator, items: Sequence[str]
) -> Iterator[str]:
    """Draw all items in random order, each when it is asked for.

    To draw the few that a segment needs then costs the same however many
    there are.
    """
    moved: dict[int, int] = {}
    for last in reversed(range(len(items))):
        index = int(random.integers(last + 1))
        yield items[moved.get(index, index)]
        moved[index] = moved.get(last, last)


class CentreCrop:
    """The middle of a recording, always the same: for validation.

    A recording that is shorter than the segment is continued with the
    speaker's other recordings, and with zeros where there are no more.

    Arguments
    ---------
    segment_length : int
        Samples of the segment, a whole number of latents.
    sample_rate : int
        The codec's rate in Hz.
    hop_length : int
        Samples of a latent.
    stft_hop_length : int
        Samples of an STFT frame.

    Example
    -------
    >>> CentreCrop(600, 16000, 320, 40).segment_length
    600
    """

    def __init__(
        self,
        segment_length: int,
        sample_rate: int,
        hop_length: int,
        stft_hop_length: int,
    ) -> None:
        check_segment_length(segment_length, hop_length, stft_hop_length)
        self.segment_length = segment_length
        self.sample_rate = sample_rate

    def __call__(self, item_id: str, clips: Clips) -> Wav:
        """Read the segment of an item, float32 [segment_length]."""
        spare = max(0, clips[item_id].num_samples - self.segment_length)
        return self._read(item_id, clips, self.segment_length, spare // 2)

    def _read(
        self,
        item_id: str,
        clips: Clips,
        num_samples: int,
        start: int,
        order: Callable[[Sequence[str]], Iterable[str]] = iter,
        level: float | None = None,
    ) -> Wav:
        parts = [(clips[item_id], start)]
        missing = num_samples - clips[item_id].num_samples
        if missing > 0:
            for other in order(clips.others_of_speaker(item_id)):
                parts.append((clips[other], 0))
                missing -= clips[other].num_samples
                if missing <= 0:
                    break
        segment = np.zeros(num_samples, dtype=np.float32)
        position = 0
        for clip, start in parts:
            length = min(clip.num_samples - start, num_samples - position)
            samples = read_samples(clip.path, start, length, self.sample_rate)
            segment[position : position + length] = _gain(level, clip) * samples
            position += length
        return torch.from_numpy(segment)


class RandomCrop(CentreCrop):
    """A crop whose start follows from seed, epoch and item.

    So does the order of the speaker's other recordings, with which a short
    one is continued. The first four arguments are those of `CentreCrop`.

    Arguments
    ---------
    seed : int
        The run's seed.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Read at each call. Loader processes copy it when they start, which is
        at the beginning of each epoch unless they are persistent:
        `persistent_workers` must stay off.
    changes : speechbrain_apcodec.training.voices.VoiceChanges, optional
        Which follow from the same.

    Raises
    ------
    ConfigurationError
        If the segment is no whole number of latents.

    Example
    -------
    >>> from speechbrain.utils.epoch_loop import EpochCounter
    >>> crop = RandomCrop(
    ...     600, 16000, 320, 40, seed=0, epoch_counter=EpochCounter(9)
    ... )
    >>> first = crop.generator("item").random()
    >>> float(first - crop.generator("item").random())
    0.0
    """

    def __init__(
        self,
        segment_length: int,
        sample_rate: int,
        hop_length: int,
        stft_hop_length: int,
        seed: int,
        epoch_counter: EpochCounter,
        changes: VoiceChanges | None = None,
    ) -> None:
        super().__init__(
            segment_length, sample_rate, hop_length, stft_hop_length
        )
        self.seed = seed
        self.epoch_counter = epoch_counter
        self.changes = changes or VoiceChanges()

    def __deepcopy__(self, memo: dict[int, Any]) -> RandomCrop:
        # SpeechBrain copies a dataset's pipeline when it filters or sorts;
        # a copied epoch counter would never move on.
        return self

    def generator(self, item_id: str) -> np.random.Generator:
        """Make the random numbers of an item in the current epoch."""
        text = f"{self.seed}/{self.epoch_counter.current}/{item_id}"
        digest = hashlib.sha256(text.encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))

    def __call__(self, item_id: str, clips: Clips) -> Wav:
        """Read the segment of an item for the current epoch."""
        clip = clips[item_id]
        random = self.generator(item_id)
        # The same numbers are drawn whether level and speed are changed or
        # not, so that switching one leaves the other and the start alone.
        place, height, choice = random.random(3)
        speed = self.changes.speed(choice)
        level = self.changes.level(height)
        length = -(-self.segment_length * speed // 100)
        spare = max(0, clip.num_samples - length)
        order = functools.partial(_shuffled, random)
        pause = _PAUSE_PEAK * _gain(level, clip) * clip.peak
        for _ in range(_DRAWS):
            start = min(spare, int(place * (spare + 1)))
            segment = self._read(item_id, clips, length, start, order, level)
            if segment.abs().max() > pause:
                break
            place = random.random()
        segment = resample(segment, speed, 100, self.segment_length)
        # Of a speaker's recordings the first says what the others are like.
        band_hz = clip.band_hz * speed / 100
        return self.changes.color(segment, band_hz, self.sample_rate, random)
