"""Opus through its own programs."""

import math
import shutil

import pytest
import torch

from speechbrain_apcodec.evaluation.metrics import align, si_sdr
from speechbrain_apcodec.evaluation.opus import opus_roundtrip

needs_opus = pytest.mark.skipif(
    not (shutil.which("opusenc") and shutil.which("opusdec")),
    reason="opus-tools is not installed",
)


def chord(rate, seconds=1.0):
    time = torch.arange(int(seconds * rate)) / rate
    return sum(
        0.2 * torch.sin(2 * math.pi * frequency * time)
        for frequency in (220, 550, 1870)
    )


@needs_opus
@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
def test_length_is_kept_and_delay_removed(rate):
    wav = chord(rate)
    decoded, _ = opus_roundtrip(wav, rate, 64)
    assert decoded.shape == wav.shape
    reference, decoded, lag = align(wav, decoded)
    assert abs(lag) <= 3
    assert si_sdr(reference, decoded) > 15


@needs_opus
@pytest.mark.parametrize("kbps", [6, 12, 32])
def test_bitrate_is_that_of_the_audio_alone(kbps):
    _, measured = opus_roundtrip(chord(48000), 48000, kbps)
    assert measured == pytest.approx(kbps, rel=0.04)


@needs_opus
@pytest.mark.parametrize("samples", [1, 959, 961])
def test_short_waveforms(samples):
    decoded, _ = opus_roundtrip(chord(48000)[:samples], 48000, 12)
    assert decoded.shape == (samples,)
    assert torch.isfinite(decoded).all()


@needs_opus
def test_more_bits_are_closer():
    wav = chord(48000)
    ratios = []
    for kbps in (6, 24, 96):
        decoded = opus_roundtrip(wav, 48000, kbps)[0]
        reference, decoded, _ = align(wav, decoded)
        ratios.append(si_sdr(reference, decoded))
    assert ratios == sorted(ratios)
