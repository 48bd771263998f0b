"""Intelligibility as a loss: it is STOI, for batches and with gradients."""

import pystoi
import pytest
import torch
from pystoi.utils import thirdoct

from speechbrain_apcodec.losses.intelligibility import (
    IntelligibilityLoss,
    third_octaves,
)


def draw(batch, samples, level, seed=0):
    """Noise whose loudness rises and falls, and the same with more noise."""
    generator = torch.Generator().manual_seed(seed)
    wavs = torch.randn(batch, samples, generator=generator)
    wavs *= 0.6 + 0.4 * torch.sin(torch.arange(samples) / 1500)
    noise = torch.randn(batch, samples, generator=generator)
    return wavs, wavs + level * noise


@pytest.mark.parametrize("level", [0.3, 1.0, 3.0])
def test_it_is_the_measure_where_nothing_is_silent(level):
    loss = IntelligibilityLoss(10000)
    for seed in range(3):
        wavs, decoded = draw(1, 25600, level, seed)
        wanted = pystoi.stoi(wavs[0].numpy(), decoded[0].numpy(), 10000)
        got = 1 - loss(wavs, decoded)["intelligibility"].item()
        # Where it cuts silence, the measure fades the ends out.
        assert got == pytest.approx(wanted, abs=5e-3)


def test_noise_counts_up_to_15_db_as_in_the_measure():
    """Without that limit, it would be 0.23 instead of 0.37."""
    generator = torch.Generator().manual_seed(0)
    wavs, noise = torch.randn(2, 1, 25600, generator=generator)
    wavs = wavs * torch.exp(2 * torch.sin(torch.arange(25600) / 1500))
    decoded = wavs + 10 * noise
    wanted = pystoi.stoi(wavs[0].numpy(), decoded[0].numpy(), 10000)
    got = 1 - IntelligibilityLoss(10000)(wavs, decoded)["intelligibility"]
    assert got.item() == pytest.approx(wanted, abs=0.01)


def test_bands_are_those_of_the_measure():
    wanted, _ = thirdoct(10000, 512, 15, 150)
    assert torch.equal(third_octaves().double(), torch.from_numpy(wanted))


def test_a_batch_is_the_mean_of_its_items():
    loss = IntelligibilityLoss(48000)
    wavs, decoded = draw(3, 30000, 1.0)
    alone = [
        loss(wavs[i : i + 1], decoded[i : i + 1])["intelligibility"]
        for i in range(3)
    ]
    torch.testing.assert_close(
        loss(wavs, decoded)["intelligibility"], torch.stack(alone).mean()
    )


def test_loudness_and_silence_do_not_count():
    loss = IntelligibilityLoss(48000)
    wavs, decoded = draw(2, 40000, 1.0)
    one = loss(wavs, decoded)["intelligibility"]
    torch.testing.assert_close(
        loss(wavs, 0.01 * decoded)["intelligibility"], one
    )
    wavs[:, 20000:] *= 1e-4
    decoded[:, 20000:] *= 1e-4
    noisier = decoded.clone()
    noisier[:, 21000:] += 1e-3 * torch.randn(2, 19000)
    torch.testing.assert_close(
        loss(wavs, noisier)["intelligibility"],
        loss(wavs, decoded)["intelligibility"],
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize("samples", [100, 8000, 30000])
@pytest.mark.parametrize("silent", [False, True])
def test_gradients_are_finite(samples, silent):
    wavs, decoded = draw(2, samples, 1.0)
    if silent:
        wavs[0], decoded[1] = 0, 0
    decoded.requires_grad_()
    IntelligibilityLoss(48000)(wavs, decoded)["intelligibility"].backward()
    assert torch.isfinite(decoded.grad).all()


def test_descent_makes_it_more_intelligible():
    loss = IntelligibilityLoss(10000)
    wavs, decoded = draw(1, 12800, 1.0)
    before = pystoi.stoi(wavs[0].numpy(), decoded[0].numpy(), 10000)
    decoded.requires_grad_()
    optimizer = torch.optim.Adam([decoded], 0.02)
    for _ in range(20):
        optimizer.zero_grad()
        loss(wavs, decoded)["intelligibility"].backward()
        optimizer.step()
    after = pystoi.stoi(wavs[0].numpy(), decoded[0].detach().numpy(), 10000)
    assert after > before + 0.1
