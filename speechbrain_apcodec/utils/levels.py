"""Levels of samples: mistakes of scale, and channels that cancel out.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from functools import cache
from typing import Any, SupportsFloat

import numpy
import torch
from numpy.typing import NDArray
from speechbrain.utils.logger import get_logger
from torch import Tensor

from speechbrain_apcodec.utils.errors import NOTICE, AudioFileError, shown
from speechbrain_apcodec.utils.types import AnyPath, Wav

logger = get_logger(__name__)

# Samples beyond the first, times full scale, are worth a warning; from the
# second on they are no audio in the range -1 to 1.
_LOUD_LEVEL, _INTEGER_LEVEL = 2.0, 256.0

# A mean of channels this much weaker, in power, than that of channels which
# have nothing in common shows that the channels cancel each other out.
_CANCELLED = 0.1


def peak_level(values: Tensor) -> float:
    """Return the largest absolute value of floats, NaN if there is one, or 0.

    There is no copy, as an hour of audio may be in them.

    Example
    -------
    >>> peak_level(torch.tensor([0.5, -2.0]))
    2.0
    >>> peak_level(torch.tensor([0.5, torch.nan]))
    nan
    """
    if values.numel() == 0:
        return 0.0
    low, high = values.detach().aminmax()
    return float(torch.maximum(-low, high))


def check_level(peak: float, name: AnyPath) -> None:
    """Refuse samples that can only be integers of 16 or more bits."""
    if peak >= _INTEGER_LEVEL:
        raise AudioFileError(
            f"{name} holds samples up to {peak:g}, where -1 to 1 is full "
            "scale: divide 16-bit integers by 32768"
        )


def warn_of_level(peak: float) -> None:
    """Log, once for each power of two, that samples are far too loud."""
    if peak > _LOUD_LEVEL:
        notice_once(
            f"there are samples beyond {2 ** int(math.log2(peak))} times full "
            "scale, which a codec cannot keep: scale them to -1 to 1, 16-bit "
            "integers by 1/32768"
        )


def mix_to_mono(wav: Tensor, name: AnyPath = "the recording") -> Wav:
    """Take the mean of float [channels, samples], unless they cancel out.

    One channel of a stereo recording may have the other polarity; the mean is
    then silence, or the difference of two rooms. In that case the strongest
    channel is taken, and the log says so.

    Example
    -------
    >>> left = torch.tensor([0.5, -0.5])
    >>> mix_to_mono(torch.stack([left, 0 * left]))
    tensor([ 0.2500, -0.2500])
    >>> mix_to_mono(torch.stack([left, -left]))
    tensor([ 0.5000, -0.5000])
    """
    mono = wav.mean(dim=0)
    powers = wav.square().sum(dim=1)
    if cancel_out(mono.square().sum(), powers):
        notice_once(
            f"{shown(name)}: its channels cancel each other out, only the "
            "strongest one is used"
        )
        return wav[powers.argmax()]
    return mono


def cancel_out(
    mean_power: SupportsFloat, powers: Tensor | NDArray[numpy.floating[Any]]
) -> bool:
    """Tell whether the mean of channels is much weaker than they are.

    Powers are sums of squares: of the mean, and of each channel.
    """
    # The mean of channels that have nothing in common has this power.
    unrelated = float(powers.sum()) / len(powers) ** 2
    return float(mean_power) < _CANCELLED * unrelated


@cache
def notice_once(message: str) -> None:
    """Log what the user should know of a file, once in a process."""
    logger.log(NOTICE, message)
