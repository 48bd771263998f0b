"""Lines at the rate of the latents are found, and nothing else is."""

import math

import pytest
import torch

from speechbrain_apcodec.evaluation.lines import latent_rate_lines

RATE = 48000


@pytest.fixture
def wav():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2 * RATE, generator=generator)
    t = torch.arange(2 * RATE) / RATE
    # A voice whose harmonics fall on the multiples by themselves.
    voice = sum(torch.sin(2 * math.pi * 150 * k * t) for k in range(1, 9))
    return 0.1 * noise + 0.05 * voice


def tones(every_hz):
    t = torch.arange(2 * RATE) / RATE
    return sum(torch.cos(2 * math.pi * f * t) for f in every_hz)


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_level_is_no_line(wav, gain):
    assert latent_rate_lines(wav, gain * wav, RATE) == pytest.approx(
        0, abs=1e-4
    )


def test_stronger_lines_count_more(wav):
    hum = tones(range(300, 24000, 150))
    errors = [
        latent_rate_lines(wav, wav + level * hum, RATE)
        for level in (0.0, 1e-3, 1e-2)
    ]
    assert errors[0] == 0
    assert 0.1 < errors[1] < errors[2]


def test_other_tones_do_not_count(wav):
    hum = tones(range(215, 24000, 150))
    assert abs(latent_rate_lines(wav, wav + 0.01 * hum, RATE)) < 0.1


def test_only_the_recording_s_band_counts(wav):
    hum = tones(range(12000, 24000, 150))
    error = latent_rate_lines(wav, wav + 0.01 * hum, RATE, 11000)
    assert abs(error) < 0.1


def test_half_a_second_is_needed(wav):
    assert math.isnan(latent_rate_lines(wav[:20000], wav[:20000], RATE))
