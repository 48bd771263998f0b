"""A top band for recordings that end below the codec's.

Most free recordings are empty above 16 to 20 kHz. A codec that is trained on
them learns to be silent there. What stands below the end of the band is
copied above it, weaker and tilted at random, as in spectral band replication:
not the true sound, but one that hisses where speech does.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import numpy as np
import torch

from speechbrain_apcodec.utils.types import Wav

# Filters of recorders and codecs begin to fall this far below their edge.
_EDGE_HZ = 1000
_WEAKER_DB = (0.0, 6.0)
_TILT_DB = (0.0, 4.0)


def replicate_top_band(
    segment: Wav, band_hz: float, sample_rate: int, random: np.random.Generator
) -> Wav:
    """Fill the spectrum above a band with a copy of the top of the band.

    The whole segment is transformed at once, so that the copy keeps the
    envelope over time. A segment stays as it is if its band ends below a
    quarter of the sampling rate, which leaves too little to copy, or reaches
    98 % of half of it.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> t = torch.arange(4800) / 48000
    >>> tone = torch.sin(2 * torch.pi * 14000 * t)
    >>> filled = replicate_top_band(tone, 16000, 48000, random)
    >>> spectrum = torch.fft.rfft(filled).abs()
    >>> int(10 * spectrum.argmax())  # the tone, as it was
    14000
    >>> bool(spectrum[2250:2350].max() > 50)  # its copy, above 16 kHz
    True
    """
    weaker = random.uniform(*_WEAKER_DB)
    tilt = random.uniform(*_TILT_DB)
    half = sample_rate / 2
    if not half / 2 < band_hz < 0.98 * half:
        return segment
    spectrum = torch.fft.rfft(segment)
    first = int((band_hz - _EDGE_HZ) / half * (len(spectrum) - 1))
    missing = len(spectrum) - first
    if missing > first:
        return segment
    gain_db = -(weaker + torch.linspace(0, tilt, missing))
    copy = spectrum[first - missing : first] * 10 ** (gain_db / 20)
    filled = torch.cat([spectrum[:first], copy])
    return torch.fft.irfft(filled, n=len(segment))
