"""How loud samples are: levels that tell of a mistake, channels that cancel.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from functools import cache

import torch
from speechbrain.utils.logger import get_logger

from speechbrain_apcodec.utils.errors import NOTICE, AudioFileError, shown

logger = get_logger(__name__)

#: Samples beyond this, times full scale, are worth a warning; from the other
#: on they are no audio in the range -1 to 1.
LOUD_LEVEL, INTEGER_LEVEL = 2.0, 256.0

#: A mean of channels this much weaker, as power, than that of channels which
#: have nothing in common comes of channels that cancel each other out.
CANCELLED = 0.1


def peak_level(values):
    """Return the largest absolute value, without a copy.

    Arguments
    ---------
    values : torch.Tensor
        float, any shape; an hour of audio may be in it.

    Returns
    -------
    float
        NaN if there is one; 0 if there are no values.

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


def check_level(peak, name):
    """Refuse samples that are integers.

    Arguments
    ---------
    peak : float
        Largest absolute sample.
    name : str or pathlib.Path
        What holds them, for the message.

    Raises
    ------
    AudioFileError
        If they can only be integers of 16 or more bits.

    Example
    -------
    >>> check_level(1.2, "a.wav")
    >>> check_level(32768.0, "a.wav")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.AudioFileError: a.wav holds samples up \
to 32768, where -1 to 1 is full scale: divide 16-bit integers by 32768
    """
    if peak >= INTEGER_LEVEL:
        raise AudioFileError(
            f"{name} holds samples up to {peak:g}, where -1 to 1 is full "
            "scale: divide 16-bit integers by 32768"
        )


def warn_of_level(peak):
    """Say, once for each power of two, that samples are far too loud.

    Arguments
    ---------
    peak : float
        Largest absolute sample.

    Example
    -------
    >>> warn_of_level(1.2)
    """
    if peak > LOUD_LEVEL:
        notice_once(
            f"there are samples beyond {2 ** int(math.log2(peak))} times full "
            "scale, which a codec cannot keep: scale them to -1 to 1, 16-bit "
            "integers by 1/32768"
        )


def mix_to_mono(wav, name="the recording"):
    """Take the mean of all channels, unless they cancel each other out.

    One channel of a stereo recording may have the other polarity; the mean is
    then silence, or the difference of two rooms. The strongest channel is
    taken instead, which the log says.

    Arguments
    ---------
    wav : torch.Tensor
        float ``[channels, samples]``.
    name : str or pathlib.Path
        What it is, for the log.

    Returns
    -------
    torch.Tensor
        float ``[samples]``.

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


def cancel_out(mean_power, powers):
    """Tell whether the mean of channels is much weaker than they are.

    Arguments
    ---------
    mean_power : float
        Sum of the squares of the mean.
    powers : torch.Tensor or numpy.ndarray
        Sums of the squares of each channel.

    Returns
    -------
    bool

    Example
    -------
    >>> cancel_out(0.5, torch.ones(2)), cancel_out(0.001, torch.ones(2))
    (False, True)
    """
    # The mean of channels that have nothing in common has this power.
    unrelated = float(powers.sum()) / len(powers) ** 2
    return float(mean_power) < CANCELLED * unrelated


@cache
def notice_once(message):
    """Say what its user should know of a file, and say it once.

    Arguments
    ---------
    message : str
        With the file's name.
    """
    logger.log(NOTICE, message)
