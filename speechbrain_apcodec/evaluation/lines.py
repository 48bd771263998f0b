"""Lines in the spectrum at multiples of the rate of the latents.

A codec that treats the frames of a latent unlike each other leaves a pattern
that repeats with every latent: faint tones where nobody speaks.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch

from speechbrain_apcodec.utils.types import Wav

_LATENT_RATE_HZ = 150.0
_LINE_HZ = 4.0  # half the width of a line
_SURROUNDING_HZ = 40.0  # half the width of what it is compared with


def latent_rate_lines(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    max_frequency: float | None = None,
) -> float:
    """How much more the decoded lines stand out, in dB; 0 is best.

    The mean, over the multiples of 150 Hz, of a multiple's level less that
    of its surroundings, in a long-term spectrum with a resolution of 2 Hz;
    decoded minus reference. The harmonics of the voice cancel out: both have
    them. Shorter than half a second gives NaN.
    """
    length = sample_rate // 2
    if min(len(reference), len(decoded)) < length:
        return math.nan
    top = min(sample_rate / 2, max_frequency or math.inf) - _SURROUNDING_HZ
    natural, coded = (
        _level_of_lines(wav.double(), length, sample_rate, top)
        for wav in (reference, decoded)
    )
    return coded - natural


def _level_of_lines(
    wav: Wav, length: int, sample_rate: int, top: float
) -> float:
    """Return the mean level of the lines above their surroundings, in dB."""
    blocks = wav.unfold(0, length, length // 4)
    window = torch.hann_window(length, dtype=wav.dtype, device=wav.device)
    spectra = torch.fft.rfft(blocks * window)
    powers = spectra.real.square() + spectra.imag.square()
    levels = 10 * torch.log10(powers.clamp(min=1e-12)).mean(dim=0)
    frequency = torch.arange(len(levels)) * sample_rate / length
    nearest = _LATENT_RATE_HZ * torch.round(frequency / _LATENT_RATE_HZ)
    distance = (frequency - nearest).abs()
    counted = (frequency > _LATENT_RATE_HZ / 2) & (frequency < top)
    line = counted & (distance <= _LINE_HZ)
    beside = counted & (distance > _LINE_HZ) & (distance <= _SURROUNDING_HZ)
    return (levels[line].mean() - levels[beside].mean()).item()
