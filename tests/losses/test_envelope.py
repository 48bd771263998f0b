"""The loss that hears how loud each band is."""

import math

import pytest
import torch

from speechbrain_apcodec.losses.envelope import EnvelopeLoss
from tests.support.signals import noise


@pytest.fixture
def loss():
    return EnvelopeLoss(48000, n_fft=1024, ratio=4)


def shaped(seed, gain_db, low_hz, high_hz):
    """Make white noise with a band that is louder or quieter."""
    spectrum = torch.fft.rfft(noise(4, 48000, seed=seed))
    spectrum[:, low_hz:high_hz] *= 10 ** (gain_db / 20)
    return torch.fft.irfft(spectrum)


def test_a_level_is_heard_in_nepers_in_its_band_only(loss):
    reference = shaped(1, 0, 0, 0)
    whole = loss(reference, shaped(1, -6, 0, 24001))["envelope"]
    nepers = 0.6 * math.log(10)
    assert whole == pytest.approx(nepers, rel=1e-3)
    quarter = loss(reference, shaped(1, -6, 12000, 18000))["envelope"]
    assert quarter == pytest.approx(nepers / 4, rel=0.05)


def test_other_noise_of_the_same_level_is_nearly_the_same(loss):
    # Bin by bin, two noises differ by 1.4 nepers on average.
    reference, other = noise(4, 48000, seed=1), noise(4, 48000, seed=2)
    assert 0.1 < loss(reference, other)["envelope"] < 0.35


def test_silence_counts_down_to_100_db_below_full_scale(loss):
    quiet = {db: 10 ** (db / 20) * noise(2, 9000, seed=1) for db in (-80, -140)}
    silence = torch.zeros(2, 9000)
    assert loss(silence, quiet[-140])["envelope"] < 1e-3
    assert loss(silence, quiet[-80])["envelope"] > 4


@pytest.mark.parametrize("level", [0.0, 1e-8, 1.0, 1e3])
def test_silence_and_clipping_have_finite_gradients(loss, level):
    decoded = (level * noise(2, 7920, seed=1)).requires_grad_()
    loss(noise(2, 7920, seed=2), decoded)["envelope"].backward()
    assert decoded.grad.isfinite().all()


def test_amplitudes_are_compared_band_by_band_but_for_their_mean(loss):
    natural = noise(2, 513, 400, seed=1)
    shift = torch.linspace(-1, 1, 513)[:, None]  # what phases may bring
    error = loss.compare_amplitudes(natural, natural + shift)
    assert error["predicted_envelope"] < 1e-10
    wave = 0.5 * torch.tensor([1.0, -1.0]).repeat_interleave(200)
    error = loss.compare_amplitudes(natural, natural + shift + wave)
    assert error["predicted_envelope"] == pytest.approx(0.25, rel=0.03)
    # Of detail within a band or a latent little is left.
    detail = loss.compare_amplitudes(natural, noise(2, 513, 400, seed=2))
    assert detail["predicted_envelope"] < 0.01
