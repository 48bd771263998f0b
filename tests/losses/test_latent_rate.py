"""The loss that hears tones at the rate of the latents."""

import pytest
import torch

from speechbrain_apcodec.evaluation.lines import latent_rate_lines
from speechbrain_apcodec.losses.latent_rate import LatentRateLoss
from tests.support.signals import noise


@pytest.fixture
def loss():
    return LatentRateLoss(48000, n_fft=320, stft_hop_length=80, ratio=4)


def test_one_pattern_for_all_latents_is_heard_and_noise_is_not(loss):
    pattern = noise(320, seed=1).repeat(12, 25)[:, :7920]
    assert loss(pattern)["latent_rate"] == pytest.approx(1, abs=0.02)
    latents = 12 * 24
    random = loss(noise(12, 7920, seed=1))["latent_rate"]
    assert random == pytest.approx(1 / latents, rel=0.2)
    mixed = loss(pattern + 3 * noise(12, 7920, seed=1))["latent_rate"]
    assert 3 * random < mixed < 0.3


def test_a_pattern_of_one_file_is_no_matter_to_another(loss):
    files = torch.stack([noise(320, seed=1).roll(i) for i in range(0, 320, 20)])
    assert loss(files.repeat(1, 25))["latent_rate"] < 0.2


def test_descent_removes_the_lines(loss):
    reference = noise(1, 96000, seed=1)
    decoded = reference + 2 * noise(320, seed=1).repeat(300)
    before = latent_rate_lines(reference[0], decoded[0], 48000)
    decoded.requires_grad_()
    optimizer = torch.optim.Adam([decoded], lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        loss(decoded)["latent_rate"].backward()
        optimizer.step()
    after = latent_rate_lines(reference[0], decoded[0].detach(), 48000)
    assert before > 5
    assert after < before / 2


@pytest.mark.parametrize("level", [0.0, 1e-8, 1.0, 1e3])
def test_silence_and_clipping_have_finite_gradients(loss, level):
    decoded = (level * noise(2, 7920, seed=1)).requires_grad_()
    loss(decoded)["latent_rate"].backward()
    assert decoded.grad.isfinite().all()
