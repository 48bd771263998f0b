"""Resampling: exact lengths, no delay, a flat band, any pair of rates."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechbrain_apcodec.utils import resampling
from speechbrain_apcodec.utils.resampling import resample

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000]


def sine(frequency, sample_rate, samples):
    time = torch.arange(samples, dtype=torch.float64) / sample_rate
    return torch.sin(2 * math.pi * frequency * time).float()


@settings(max_examples=100, deadline=None)
@given(
    samples=st.integers(1, 2000),
    from_rate=st.sampled_from(RATES),
    to_rate=st.sampled_from(RATES),
)
def test_length_is_rounded_up_and_comes_back(samples, from_rate, to_rate):
    wav = torch.linspace(-1, 1, samples)
    there = resample(wav, from_rate, to_rate)
    assert len(there) == math.ceil(samples * to_rate / from_rate)
    back = resample(there, to_rate, from_rate, num_samples=samples)
    assert len(back) == samples


def test_length_asked_for_cuts_or_pads_with_zeros():
    wav = torch.ones(2, 100)
    assert resample(wav, 48000, 48000, num_samples=60).shape == (2, 60)
    longer = resample(wav, 48000, 48000, num_samples=120)
    assert torch.equal(longer[:, :100], wav)
    assert longer[:, 100:].abs().max() == 0


def test_same_rate_changes_nothing():
    wav = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resample(wav, 44100, 44100), wav)


@pytest.mark.parametrize(
    ("from_rate", "to_rate"),
    [(8000, 48000), (44100, 48000), (48000, 44100), (96000, 48000)],
)
def test_the_band_stays_in_place_and_at_its_level(from_rate, to_rate):
    for share in (0.05, 0.5, 0.94):
        frequency = share * min(from_rate, to_rate) / 2
        result = resample(
            sine(frequency, from_rate, from_rate // 4), from_rate, to_rate
        )
        expected = sine(frequency, to_rate, len(result))
        middle = slice(len(result) // 4, -len(result) // 4)
        assert (result - expected)[middle].abs().max() < 5e-3


def test_what_the_lower_rate_cannot_hold_is_removed():
    result = resample(sine(23000, 48000, 12000), 48000, 44100)
    assert result[3000:-3000].abs().max() < 1e-2


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(44100, 48000), (48000, 44100), (96000, 16000)]
)
def test_rates_without_a_common_divisor_use_the_same_filter(
    monkeypatch, from_rate, to_rate
):
    generator = torch.Generator().manual_seed(0)
    wav = torch.randn(2, 9001, generator=generator, dtype=torch.float64)
    expected = resample(wav, from_rate, to_rate)
    monkeypatch.setattr(resampling, "_MAX_KERNEL_ENTRIES", 0)
    result = resample(wav, from_rate, to_rate)
    assert result.shape == expected.shape
    assert (result - expected).abs().max() < 1e-5


def test_an_odd_rate_needs_no_giant_table():
    result = resample(sine(1000, 44101, 22000), 44101, 48000)
    expected = sine(1000, 48000, len(result))
    assert (result - expected)[3000:-3000].abs().max() < 1e-4
