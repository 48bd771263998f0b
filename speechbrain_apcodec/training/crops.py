"""Crops of recordings that an interrupted run meets again exactly.

Where a crop starts, and how loud it is, follows from the seed, the epoch and
the item's id alone: not from the number of loader processes, not from the
order of the batches and not from what was drawn before. So a resumed run
needs no saved random state. Only the samples of the crop are read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
import hashlib

import numpy as np
import torch

from speechbrain_apcodec.training.clips import read_samples
from speechbrain_apcodec.training.top_band import replicate_top_band
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.resampling import resample

# A clip that peaks below -80 dBFS is silence: to bring it to speech level
# would train on amplified rounding noise.
SILENCE_PEAK = 1e-4

# A crop whose peak is 34 dB below its recording's is a pause, which teaches
# little: the place is drawn anew, but not for ever.
PAUSE_PEAK = 0.02
DRAWS = 6


def check_segment_length(segment_length, hop_length, stft_hop_length):
    """Check that a segment is a whole number of latents.

    A centred STFT of ``n`` samples has ``1 + n / stft_hop_length`` frames;
    they fill whole latents if ``n + stft_hop_length`` is a multiple of
    ``hop_length``.

    Arguments
    ---------
    segment_length : int
        Samples of a segment.
    hop_length : int
        Samples of a latent.
    stft_hop_length : int
        Samples of an STFT frame.

    Raises
    ------
    ConfigurationError
        If it is not; the nearest lengths that are, are named.

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


def _unchanged(clip):
    return 1


def _gain(level, clip):
    return level / clip.peak if clip.peak > SILENCE_PEAK else 1


def _shuffled(random, items):
    """Draw all items in random order, each when it is asked for.

    To draw the few that a segment needs then costs the same however many
    there are.
    """
    moved = {}
    for last in reversed(range(len(items))):
        place = int(random.integers(last + 1))
        yield items[moved.get(place, place)]
        moved[place] = moved.get(last, last)


def _start(place, spare):
    return min(spare, int(place * (spare + 1)))


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
        self, segment_length, sample_rate, hop_length, stft_hop_length
    ):
        check_segment_length(segment_length, hop_length, stft_hop_length)
        self.segment_length = segment_length
        self.sample_rate = sample_rate

    def __call__(self, item_id, clips):
        """Read the segment of an item.

        Arguments
        ---------
        item_id : str
            Which item of the manifest.
        clips : Clips
            The manifest's recordings.

        Returns
        -------
        torch.Tensor
            ``[segment_length]``, float32.
        """
        return self._read(
            item_id, clips, self.segment_length, self._start_in_the_middle, iter
        )

    @staticmethod
    def _start_in_the_middle(spare):
        return spare // 2

    def _read(
        self, item_id, clips, num_samples, choose_start, order, gain=_unchanged
    ):
        clip = clips[item_id]
        spare = max(0, clip.num_samples - num_samples)
        parts = [(clip, choose_start(spare))]
        missing = num_samples - clip.num_samples
        if missing > 0:
            for other in order(clips.others_of_speaker(item_id)):
                parts.append((clips[other], 0))
                missing -= clips[other].num_samples
                if missing <= 0:
                    break
        segment = np.zeros(num_samples, dtype=np.float32)
        position = 0
        for part, start in parts:
            length = min(part.num_samples - start, num_samples - position)
            segment[position : position + length] = gain(part) * read_samples(
                part.path, start, length, self.sample_rate
            )
            position += length
        return torch.from_numpy(segment)


class RandomCrop(CentreCrop):
    """A crop whose place follows from seed, epoch and item.

    A recording that is shorter than the segment is continued with the
    speaker's other recordings in an order that follows from the same three,
    and with zeros where there are no more.

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
    seed : int
        The run's seed.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Read at each call. Loader processes copy it when they start, which is
        at the beginning of each epoch unless they are persistent:
        `persistent_workers` must stay off.
    level_range_db : list of float, optional
        Lowest and highest level in dBFS. Each recording is scaled so that the
        peak of the whole recording (not of the crop: a pause stays quiet) is
        at a level drawn evenly between them. None leaves levels alone.
    speeds_percent : tuple of int
        Speeds of which one is drawn, in percent: 110 plays a tenth faster and
        higher, as another voice, and keeps a full band full. Below 100 it
        would no longer be, unless the top band is replicated.
    replicate_top_band : bool
        Whether recordings that end below the codec's band get a top band,
        see ``training.top_band``.

    Raises
    ------
    ConfigurationError
        If the segment is no whole number of latents, a level is above 0 dBFS
        or a speed below 100 % without a top band replicated.

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
        segment_length,
        sample_rate,
        hop_length,
        stft_hop_length,
        seed,
        epoch_counter,
        level_range_db=None,
        speeds_percent=(100,),
        replicate_top_band=False,
    ):
        super().__init__(
            segment_length, sample_rate, hop_length, stft_hop_length
        )
        if level_range_db is not None:
            lowest, highest = level_range_db
            if not lowest <= highest <= 0:
                raise ConfigurationError(
                    f"level_range_db {list(level_range_db)} must be two "
                    "levels in dBFS, the lower one first, neither above 0"
                )
        self.seed = seed
        self.epoch_counter = epoch_counter
        self.level_range_db = level_range_db
        self.replicate_top_band = replicate_top_band
        if min(speeds_percent, default=0) < (1 if replicate_top_band else 100):
            raise ConfigurationError(
                f"speeds_percent {list(speeds_percent)} must be one or more "
                "numbers of at least 100: slower, a recording that fills the "
                "band would no longer do so, unless replicate_top_band: True"
            )
        self.speeds_percent = list(speeds_percent)

    def __deepcopy__(self, memo):
        # SpeechBrain copies a dataset's pipeline when it filters or sorts;
        # a copied epoch counter would never move on.
        return self

    def generator(self, item_id):
        """Make the random numbers of an item in the current epoch.

        Arguments
        ---------
        item_id : str
            The item.

        Returns
        -------
        numpy.random.Generator
            Always the same one for the same seed, epoch and item.
        """
        text = f"{self.seed}/{self.epoch_counter.current}/{item_id}"
        digest = hashlib.sha256(text.encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))

    def __call__(self, item_id, clips):
        """Read the segment of an item for the current epoch.

        Arguments
        ---------
        item_id : str
            Which item of the manifest.
        clips : Clips
            The manifest's recordings.

        Returns
        -------
        torch.Tensor
            ``[segment_length]``, float32.
        """
        random = self.generator(item_id)
        # The same numbers are drawn whether level and speed are changed or
        # not, so that switching one leaves the other and the place alone.
        place, height, choice = random.random(3)
        speed = self.speeds_percent[int(choice * len(self.speeds_percent))]
        if self.level_range_db is None:
            gain = _unchanged
        else:
            lowest, highest = self.level_range_db
            level = 10 ** ((lowest + height * (highest - lowest)) / 20)
            gain = functools.partial(_gain, level)
        length = -(-self.segment_length * speed // 100)
        pause = PAUSE_PEAK * gain(clips[item_id]) * clips[item_id].peak
        for _ in range(DRAWS):
            segment = self._read(
                item_id,
                clips,
                length,
                functools.partial(_start, place),
                functools.partial(_shuffled, random),
                gain,
            )
            if segment.abs().max() > pause:
                break
            place = random.random()
        segment = resample(segment, speed, 100, self.segment_length)
        if not self.replicate_top_band:
            return segment
        # Of a speaker's recordings the first says what the others are like.
        band_hz = clips[item_id].band_hz * speed / 100
        return replicate_top_band(segment, band_hz, self.sample_rate, random)
