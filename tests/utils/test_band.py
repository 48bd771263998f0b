"""The measured band of a recording."""

import numpy as np
import pytest

from speechbrain_apcodec.utils.band import measure_band


def noise(num_samples, seed=0, level=0.1):
    generator = np.random.default_rng(seed)
    return level * generator.standard_normal(num_samples)


def low_passed(num_samples, sample_rate, cutoff, seed=0):
    spectrum = np.fft.rfft(noise(num_samples, seed))
    spectrum[np.fft.rfftfreq(num_samples, 1 / sample_rate) > cutoff] = 0
    return np.fft.irfft(spectrum, num_samples)


@pytest.mark.parametrize("cutoff", [4000, 10000, 16000, 20000])
def test_band_of_low_passed_noise(cutoff):
    band = measure_band(low_passed(48000, 48000, cutoff), 48000)
    assert abs(band - cutoff) <= 300


def test_band_ignores_rounding_noise_and_whistling():
    wav = low_passed(48000, 48000, 8000)
    rounded = np.round(wav * 32768) / 32768
    time = np.arange(48000) / 48000
    whistling = rounded + 5e-4 * np.sin(2 * np.pi * 15625 * time)
    assert abs(measure_band(rounded, 48000) - 8000) <= 300
    assert abs(measure_band(whistling, 48000) - 8000) <= 300


def test_band_counts_weak_high_frequencies():
    """Speech at 24 kHz is some 60 dB below its strongest region."""
    wav = low_passed(48000, 48000, 2000) + 1e-3 * noise(48000, seed=1)
    assert measure_band(wav, 48000) == 24000


@pytest.mark.parametrize("length", [1, 2, 100])
def test_band_of_very_short_audio(length):
    assert 0 < measure_band(noise(length), 16000) <= 8000
