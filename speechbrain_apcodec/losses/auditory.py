"""How finely the ear resolves frequencies.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor


def auditory_weights(bins: int, sample_rate: int) -> Tensor:
    """Weight bins as the ear resolves them: float [bins, 1], 1 on average.

    ``bins`` reach from 0 to half the sampling rate. The weights are the
    density of equivalent rectangular bandwidths, half of which lie below
    2.2 kHz.

    Source: Glasberg and Moore, Hearing Research 47, 1990, equation 3

    Example
    -------
    >>> auditory_weights(3, 48000)[:, 0]
    tensor([2.9178, 0.0546, 0.0276])
    """
    kilohertz = torch.linspace(0, sample_rate / 2000, bins)
    density = 1 / (4.37 * kilohertz + 1)
    return (density / density.mean())[:, None]
