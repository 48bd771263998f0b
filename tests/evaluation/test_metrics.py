"""Metrics against known answers: gains, bands, silence, delays."""

import math

import numpy
import pytest
import torch

from speechbrain_apcodec.evaluation import metrics

RATE = 48000
SPECTRAL = [
    metrics.log_spectral_distance,
    metrics.mel_distance,
    metrics.multi_resolution_stft_distance,
]


def noise(samples=24000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(samples, generator=generator)


def filtered(wav, low, high, gain):
    """Multiply the frequencies from low to high (Hz) by a gain."""
    spectrum = torch.fft.rfft(wav.double())
    frequencies = torch.fft.rfftfreq(len(wav), 1 / RATE)
    inside = (frequencies >= low) & (frequencies < high)
    return torch.fft.irfft(torch.where(inside, gain, 1.0) * spectrum, len(wav))


@pytest.mark.parametrize("lag", [-300, -1, 0, 137, 2000])
def test_align_finds_the_lag(lag):
    wav = noise(30000)
    reference = wav[10000:20000]
    decoded = wav[10000 - lag : 20000 - lag] + 0.3 * noise(10000, seed=1)
    cut, shifted, found = metrics.align(reference, decoded)
    assert found == lag
    assert len(cut) == len(shifted) == 10000 - abs(lag)
    assert metrics.si_sdr(cut, shifted) == pytest.approx(10.5, abs=0.3)


def test_align_keeps_what_it_cannot_judge():
    wav = noise()
    for decoded in (noise(seed=1), torch.zeros(24000), wav.roll(9000)):
        reference, same, lag = metrics.align(wav, decoded)
        assert lag == 0
        assert torch.equal(reference, wav) and torch.equal(same, decoded)


def test_align_refuses_a_batch():
    with pytest.raises(ValueError, match="two waveforms"):
        metrics.align(torch.zeros(1, 9), torch.zeros(1, 9))


@pytest.mark.parametrize("metric", SPECTRAL)
def test_identical_is_zero(metric):
    assert metric(noise(), noise(), RATE) == 0


@pytest.mark.parametrize("decibels", [-20, -3, 6])
def test_a_gain_has_its_known_distance(decibels):
    gain = 10 ** (decibels / 20)
    wav = noise()
    lsd = metrics.log_spectral_distance(wav, gain * wav, RATE)
    assert lsd == pytest.approx(abs(decibels) / 10, rel=1e-4)
    mel = metrics.mel_distance(wav, gain * wav, RATE)
    assert mel == pytest.approx(abs(math.log(gain)), rel=1e-2)
    stft = metrics.multi_resolution_stft_distance(wav, gain * wav, RATE)
    expected = abs(1 - gain) + abs(math.log(gain))
    assert stft == pytest.approx(expected, rel=1e-4)
    for error in metrics.level_error_by_band(wav, gain * wav, RATE).values():
        assert error == pytest.approx(decibels, abs=1e-3)


def test_log_spectral_distance_is_its_formula():
    reference, decoded = noise(6000), noise(6000, seed=1)
    window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(2048) / 2048)
    distances = []
    padded = [
        numpy.pad(wav.double().numpy(), 1024, mode="reflect")
        for wav in (reference, decoded)
    ]
    for start in range(0, len(padded[0]) - 2047, 512):
        logs = [
            numpy.log10(
                numpy.maximum(
                    numpy.abs(numpy.fft.rfft(window * wav[start:][:2048])) ** 2,
                    1e-8,
                )
            )
            for wav in padded
        ]
        distances.append(numpy.sqrt(numpy.mean((logs[0] - logs[1]) ** 2)))
    assert metrics.log_spectral_distance(
        reference, decoded, RATE
    ) == pytest.approx(numpy.mean(distances), rel=1e-6)


@pytest.mark.parametrize("metric", SPECTRAL)
def test_an_empty_band_counts_only_where_asked(metric):
    wav = noise()
    narrow = filtered(wav, 12000, 24001, 1e-6)
    assert metric(wav, narrow, RATE) > 1
    assert metric(wav, narrow, RATE, max_frequency=11000) < 0.01


def test_level_error_is_that_of_its_band():
    wav = noise()
    weak = filtered(wav, 8000, 16000, 0.1)
    errors = metrics.level_error_by_band(wav, weak, RATE)
    assert errors["8-16"] == pytest.approx(-20, abs=0.3)
    for band in ("0-4", "4-8", "20-24"):
        assert errors[band] == pytest.approx(0, abs=0.3)


def test_bands_above_the_limit_are_not_measured():
    errors = metrics.level_error_by_band(
        noise(), 0.5 * noise(), RATE, max_frequency=18500
    )
    assert errors["16-20"] == pytest.approx(-6.02, abs=0.01)
    assert math.isnan(errors["20-24"])
    # A sliver at the edge of the band would be little but its slope.
    errors = metrics.level_error_by_band(
        noise(), 0.5 * noise(), RATE, max_frequency=17000
    )
    assert math.isnan(errors["16-20"])


def test_silence_is_at_the_floor():
    silence = torch.zeros(9000)
    assert metrics.log_spectral_distance(silence, silence, RATE) == 0
    assert metrics.mel_distance(silence, silence, RATE) == 0
    assert math.isnan(
        metrics.multi_resolution_stft_distance(silence, silence, RATE)
    )
    # 1e-5 of an amplitude is below the floor in every bin.
    faint = 1e-9 * noise(9000)
    assert metrics.log_spectral_distance(silence, faint, RATE) == 0


@pytest.mark.parametrize("samples", [0, 1, 500, 1023])
def test_too_short_is_nan(samples):
    wav = noise(samples)
    for metric in SPECTRAL:
        assert math.isnan(metric(wav, wav, RATE))
    for error in metrics.level_error_by_band(wav, wav, RATE).values():
        assert math.isnan(error)


@pytest.mark.parametrize(
    "metric",
    [
        *SPECTRAL,
        metrics.level_error_by_band,
        lambda reference, decoded, _: metrics.si_sdr(reference, decoded),
    ],
)
def test_unequal_lengths_are_refused(metric):
    with pytest.raises(ValueError, match="align them first"):
        metric(noise(9000), noise(8999), RATE)


def test_si_sdr_ignores_scale_and_mean_and_knows_noise():
    wav, other = noise(), noise(seed=1)
    other = other - (other @ wav) / (wav @ wav) * wav
    decoded = wav + 0.1 * other * wav.norm() / other.norm()
    assert metrics.si_sdr(wav, decoded) == pytest.approx(20, abs=0.01)
    assert metrics.si_sdr(wav, 7 * decoded + 3) == pytest.approx(20, abs=0.01)


def test_si_sdr_at_the_ends():
    wav, silence = noise(), torch.zeros(24000)
    assert metrics.si_sdr(wav, wav) == 100
    assert metrics.si_sdr(wav, silence) == -100
    assert math.isnan(metrics.si_sdr(silence, wav))
    assert math.isnan(metrics.si_sdr(wav[:0], wav[:0]))
