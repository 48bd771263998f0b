"""Lines in the spectrum at multiples of the rate of the latents.

A codec that treats the frames of a latent unlike each other leaves a pattern
that repeats with every latent: faint tones where nobody speaks.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch

LATENT_RATE_HZ = 150.0
LINE_HZ = 4.0  # on either side, what counts as the line
SURROUNDING_HZ = 40.0  # on either side, what it is compared with


def latent_rate_lines(
    reference: torch.Tensor,
    decoded: torch.Tensor,
    sample_rate: int,
    max_frequency: float | None = None,
) -> float:
    """How much more the decoded lines stand out, in dB; 0 is best.

    Of each waveform, the mean over the multiples of 150 Hz of the level of
    a multiple less that of its surroundings, in a long-term spectrum with a
    resolution of 2 Hz; decoded minus reference. The voice's own harmonics
    fall out: both have them.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    max_frequency : float, optional
        Only multiples up to this frequency in Hz count.

    Returns
    -------
    float
        NaN if there is less than half a second.

    Example
    -------
    >>> wav = torch.randn(96000, generator=torch.Generator().manual_seed(0))
    >>> buzz = torch.zeros(96000)
    >>> buzz[::320] = 9.0
    >>> round(latent_rate_lines(wav, wav, 48000), 1)
    0.0
    >>> latent_rate_lines(wav, wav + buzz, 48000) > 3
    True
    """
    length = sample_rate // 2
    if min(len(reference), len(decoded)) < length:
        return math.nan
    top = min(sample_rate / 2, max_frequency or math.inf) - SURROUNDING_HZ
    levels = [
        _level_of_lines(wav.double(), length, sample_rate, top)
        for wav in (reference, decoded)
    ]
    return levels[1] - levels[0]


def _level_of_lines(wav, length, sample_rate, top):
    """Mean level of the lines above their surroundings, in dB."""
    blocks = wav.unfold(0, length, length // 4)
    window = torch.hann_window(length, dtype=wav.dtype, device=wav.device)
    spectra = torch.fft.rfft(blocks * window)
    powers = spectra.real.square() + spectra.imag.square()
    levels = 10 * torch.log10(powers.clamp(min=1e-12)).mean(dim=0)
    frequency = torch.arange(len(levels)) * sample_rate / length
    distance = (
        frequency - LATENT_RATE_HZ * torch.round(frequency / LATENT_RATE_HZ)
    ).abs()
    counted = (frequency > LATENT_RATE_HZ / 2) & (frequency < top)
    line = counted & (distance <= LINE_HZ)
    beside = counted & (distance > LINE_HZ) & (distance <= SURROUNDING_HZ)
    return (levels[line].mean() - levels[beside].mean()).item()
