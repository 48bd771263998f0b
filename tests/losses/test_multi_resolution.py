"""The loss that sees harmonics."""

import math

import pytest
import torch

from speechbrain_apcodec.losses.multi_resolution import MultiResolutionLoss


def buzz(pitch_hz, num_samples=9600, rate=48000):
    """A voice of thirty equal harmonics."""
    time = torch.arange(num_samples) / rate
    harmonics = torch.arange(1, 31)[:, None]
    return torch.sin(2 * math.pi * pitch_hz * harmonics * time).sum(0) / 60


def test_another_pitch_costs_more_than_another_phase():
    loss = MultiResolutionLoss(48000)
    wavs = buzz(110)[None]
    pitch = loss(wavs, buzz(117)[None])["multi_resolution"]
    sign = loss(wavs, -wavs)["multi_resolution"]
    assert sign < 1e-5
    assert pitch > 0.5


@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 30.0])
def test_silence_and_clipping_have_finite_gradients(level):
    loss = MultiResolutionLoss(48000)
    wavs = (level * torch.randn(2, 8000)).clamp(-1, 1)
    for decoded in (torch.zeros(2, 8000), wavs.clone(), torch.ones(2, 8000)):
        decoded.requires_grad_()
        loss(wavs, decoded)["multi_resolution"].backward()
        assert decoded.grad.isfinite().all()


def test_a_pause_does_not_drown_the_others():
    loss = MultiResolutionLoss(48000)
    speech, noise = buzz(110), 0.003 * torch.randn(9600)
    alone = loss(speech[None], speech[None] + noise)["multi_resolution"]
    pause = torch.zeros_like(speech)
    both = torch.stack([speech, pause])
    together = loss(both, both + noise)["multi_resolution"]
    assert together < alone + 5


def test_lines_are_no_noise():
    torch.manual_seed(0)
    loss = MultiResolutionLoss(48000)
    noise, other = 0.1 * torch.randn(2, 1, 19200)
    lines = torch.zeros(1, 19200)
    lines[:, ::320] = other.norm() / 60**0.5
    assert lines.norm() == pytest.approx(other.norm().item())
    same = loss(noise, other)["multi_resolution"]
    assert loss(noise, lines)["multi_resolution"] > 1.3 * same


def test_low_harmonics_count_more_than_high_ones():
    loss = MultiResolutionLoss(48000)
    noise = 0.1 * torch.randn(1, 19200)
    spectrum = torch.fft.rfft(noise)
    hertz = torch.linspace(0, 24000, spectrum.shape[1])
    costs = []
    for low, high in ((500, 2500), (18000, 20000)):
        comb = torch.where((hertz > low) & (hertz < high), hertz % 100 < 50, 1)
        filtered = torch.fft.irfft(spectrum * comb)
        costs.append(loss(noise, filtered)["multi_resolution"])
    assert costs[0] > 2 * costs[1]
