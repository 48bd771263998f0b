"""A prior of the amplitude: what it adds, and that it folds and streams."""

import copy

import pytest
import torch

from speechbrain_apcodec.lobes.autoencoder import (
    Decoder,
    SubDecoder,
)
from speechbrain_apcodec.lobes.folding import fold
from speechbrain_apcodec.lobes.layers import BackboneSizes
from speechbrain_apcodec.lobes.mel_prior import MelPrior
from speechbrain_apcodec.utils.hparams import load_hparams
from tests.installed import ROOT

SIZES = BackboneSizes(channels=16, hidden_channels=32, num_blocks=1)


@pytest.mark.parametrize("bins, num_mels", [(161, 48), (513, 80)])
def test_a_smooth_envelope_is_expanded(bins, num_mels):
    prior = MelPrior(bins, 48000, num_mels)
    slope = torch.linspace(-2, -6, num_mels).expand(1, 1, num_mels)
    expanded = prior(slope)[0, 0]
    assert (expanded.diff() <= 1e-6).all()
    assert -3 < expanded[0] <= -2
    assert expanded[-1].item() == pytest.approx(-6, abs=0.1)


@pytest.mark.parametrize("level", [-9.0, 0.0, 3.0])
def test_a_flat_spectrum_stays_flat(level):
    expanded = MelPrior(161, 48000, 48)(torch.full((1, 2, 48), level))
    assert torch.allclose(expanded, torch.tensor(level), atol=1e-5)


def test_extreme_values_have_finite_gradients():
    prior = MelPrior(161, 48000, 48)
    values = (20 * torch.randn(2, 3, 48)).requires_grad_()
    prior(values).sum().backward()
    assert values.grad.isfinite().all()


def decoder(prior=None):
    return Decoder(
        SubDecoder(161, SIZES, num_heads=1, prior=prior),
        SubDecoder(161, SIZES, num_heads=2),
        latent_dim=4,
    )


def test_a_head_of_zeros_changes_nothing_in_a_trained_decoder():
    trained, grown = decoder(), decoder(MelPrior(161, 48000, 48))
    missing, unexpected = grown.load_state_dict(
        trained.state_dict(), strict=False
    )
    assert not unexpected
    assert all(".heads.1." in name for name in missing)
    for name, parameter in grown.amplitude.heads[1].named_parameters():
        if name != "parametrizations.weight.original1":
            torch.nn.init.zeros_(parameter)
    latent = torch.randn(2, 4, 9)
    for ours, theirs in zip(grown(latent), trained(latent), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    overrides = {"channels": 16, "hidden_channels": 32, "num_blocks": 1}
    codec = load_hparams(ROOT / "hparams" / "default.yaml", overrides)["codec"]
    for head in codec.decoder.amplitude.heads:
        torch.nn.init.constant_(head.parametrizations.weight.original0, 0.1)
    return codec.eval()


@torch.no_grad()
def test_folded_chunked_and_batched_it_says_the_same(codec):
    wavs = 0.1 * torch.randn(2, 20000)
    tokens, _ = codec.encode(wavs)
    whole = codec.decode(tokens, num_samples=20000)
    for item in range(2):
        alone = codec.decode(tokens[item : item + 1], num_samples=20000)
        assert torch.allclose(alone[0], whole[item], atol=1e-5)
    folded = copy.deepcopy(codec)
    fold(folded)
    again = folded.decode(tokens, num_samples=20000)
    assert torch.allclose(again, whole, atol=1e-4)
    assert torch.equal(folded.encode(wavs)[0], tokens)
