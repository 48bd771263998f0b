"""Up to which frequency a recording really holds sound.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BAND_HZ = 250
_FFT_LENGTH = 8192
# Speech falls by up to 65 dB from its strongest region to 24 kHz, while a
# codec's or a resampler's stop band lies 85 dB and more below it.
_RANGE_DB = 75.0
# White rounding noise of 16-bit files has a density of -101 dB (0 dB: white
# noise of variance one), dithered -96 dB: neither counts as signal.
_FLOOR_DB = -93.0


def measure_band(wav: NDArray[np.floating[Any]], sample_rate: int) -> int:
    """Measure up to which frequency, in Hz, a mono signal really holds sound.

    The header's rate says little: most free recordings that claim 44.1 or
    48 kHz are empty above 16 to 20 kHz. The long-term average power spectrum
    (Hann window of 8192 samples) is summarised by its median in bands of
    250 Hz (a median, so that a faint whistling tone does not count). The
    result is the upper edge of the highest band that is less than 75 dB below
    the strongest one and above the noise of 16-bit rounding; 0 for silence.

    Example
    -------
    >>> noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    >>> measure_band(noise, 16000), measure_band(np.zeros(16000), 16000)
    (8000, 0)
    """
    wav = np.asarray(wav, dtype=np.float64)
    length = min(_FFT_LENGTH, wav.size)
    window = np.hanning(length + 2)[1:-1]
    frames = np.lib.stride_tricks.sliding_window_view(wav, length)
    frames = frames[:: max(1, length // 2)]
    power = np.zeros(_FFT_LENGTH // 2 + 1)
    for start in range(0, len(frames), 64):  # bounds the memory
        spectrum = np.fft.rfft(
            frames[start : start + 64] * window, n=_FFT_LENGTH
        )
        power += (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
    power /= len(frames) * np.sum(window**2)

    frequencies = np.fft.rfftfreq(_FFT_LENGTH, 1 / sample_rate)
    edges = np.arange(0, sample_rate / 2, _BAND_HZ)
    bands = np.digitize(frequencies, edges) - 1
    levels = np.array(
        [np.median(power[bands == band]) for band in range(len(edges))]
    )
    levels = 10 * np.log10(levels + 1e-20)
    threshold = max(levels.max() - _RANGE_DB, _FLOOR_DB)
    present = np.flatnonzero(levels > threshold)
    if present.size == 0:
        return 0
    upper_edge = (present[-1] + 1) * _BAND_HZ
    return int(min(upper_edge, sample_rate / 2))
