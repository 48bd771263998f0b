"""Random equalisation: other microphones, rooms and bright or dull voices.

A codec takes the average spectrum of what it is trained on for granted. Where
that of a recording is another one, it decodes too little or too much, above
all in the highest bands, which differ most from recording to recording.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from speechbrain_apcodec.utils.types import Wav


def equalize(
    segment: Wav,
    gains_db: Mapping[float, Sequence[float]],
    sample_rate: int,
    random: np.random.Generator,
) -> Wav:
    """Filter a segment by gains that are drawn anew for each.

    Arguments
    ---------
    segment : float32 [samples]
    gains_db : dict
        From a frequency in Hz to the lowest and the highest gain in dB. Gains
        are drawn evenly between them, and lie on straight lines between the
        frequencies, which ascend.
    sample_rate : int
        Hz.
    random : numpy.random.Generator
        Draws one number a frequency.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> gains_db = {0: [0, 0], 8000: [0, 0], 16000: [6, 6], 24000: [6, 6]}
    >>> t = torch.arange(4800) / 48000
    >>> low, high = (torch.sin(2 * torch.pi * f * t) for f in (4000, 20000))
    >>> filtered = equalize(low + high, gains_db, 48000, random)
    >>> torch.allclose(filtered, low + 2 * high, atol=0.01)
    True
    """
    ranges = np.array(list(gains_db.values()), dtype=float)
    gains = random.uniform(ranges[:, 0], ranges[:, 1])
    spectrum = torch.fft.rfft(segment)
    hertz = np.linspace(0, sample_rate / 2, len(spectrum))
    gain = 10 ** (np.interp(hertz, list(gains_db), gains) / 20)
    filtered = spectrum * torch.from_numpy(gain).to(segment.dtype)
    return torch.fft.irfft(filtered, n=len(segment))
