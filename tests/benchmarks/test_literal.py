"""What the benchmarks compare with computes what the package computes."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from benchmarks.literal import LiteralCodec, LiteralTraining
from speechbrain_apcodec.lobes.folding import cast_weights, fold
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.training.adversarial import (
    adversarial_terms,
    discriminator_terms,
)
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.golden_weights import golden_signal

SMALL = {
    "channels": 12,
    "hidden_channels": 20,
    "num_blocks": 2,
    "encoder_channels": 8,
    "mpd_channels": [4, 8],
    "mpd_periods": [2, 3],
    "mrd_channels": 4,
}
YAML = Path(__file__).parents[2] / "hparams/48khz_6kbps.yaml"
WAV = golden_signal(7960, seed=5)[None]


@pytest.fixture(name="hparams")
def load_hparams():
    torch.manual_seed(0)
    names = ["codec", "discriminators", "loss"]
    text = inference_hparams(merge_hparams(YAML, SMALL), names)
    hparams = load_hyperpyyaml(text)
    for name, parameter in hparams["codec"].named_parameters():
        if "grn" in name or name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return hparams


def close(ours, theirs):
    """Compare to a part in a hundred thousand of the largest value."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max() + 1e-9


def gradients_close(module, theirs, tolerance):
    """Compare the gradients of all weights."""
    wanted = torch.cat([gradient.flatten() for gradient in theirs.values()])
    parameters = dict(module.named_parameters())
    found = torch.cat([parameters[name].grad.flatten() for name in theirs])
    assert (found - wanted).norm() <= tolerance * wanted.norm()


@pytest.mark.parametrize("folded", [False, True])
@torch.no_grad()
def test_outputs(hparams, folded):
    codec = hparams["codec"]
    literal = LiteralCodec(codec)
    if folded:
        fold(codec)
    spectrum = codec.analysis(WAV)
    log_amplitude, phase, _, _ = literal.analysis(WAV)
    close(spectrum.log_amplitude, log_amplitude)
    latent = codec.encoder(spectrum.log_amplitude, spectrum.phase)
    close(latent, literal.encoder(log_amplitude, phase))
    tokens = codec.encode(WAV)[0]
    assert torch.equal(tokens, literal.encode(WAV))
    wavs = codec.decode(tokens)
    close(wavs[:, :7960], literal.decode(tokens))


def test_gradients(hparams, monkeypatch):
    """As the package computes them without what is thrown away.

    In float64: where the discriminators cannot tell yet, the gradients of
    real and of decoded speech nearly cancel, and rounding errors remain.
    """
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    codec, loss = hparams["codec"].double(), hparams["loss"].double()
    discriminators = hparams["discriminators"].double()
    literal = LiteralCodec(codec).double()
    training = LiteralTraining(
        literal, discriminators, loss.weights, nullcontext
    )
    theirs = {}
    wavs = WAV.double().repeat(2, 1)
    for player in training.gradients(wavs):
        module = literal if player == "generator" else discriminators
        theirs[player] = {
            name: parameter.grad.clone()
            for name, parameter in module.named_parameters()
        }
    discriminators.zero_grad()
    output = codec(wavs)
    arguments = (discriminators, loss, wavs, output.decoded)
    loss.total(discriminator_terms(*arguments)).backward()
    gradients_close(discriminators, theirs["discriminators"], 1e-8)
    terms = loss.reconstruction(output) | adversarial_terms(*arguments)
    loss.total(terms).backward()
    gradients_close(codec, theirs["generator"], 1e-6)


@torch.no_grad()
def test_half_precision_weights_are_those_of_autocast(hparams):
    codec = hparams["codec"]
    fold(codec)
    spectrum = codec.analysis(WAV)
    with torch.autocast("cpu", torch.bfloat16):
        before = codec.encoder(spectrum.log_amplitude, spectrum.phase)
        cast_weights(codec, torch.bfloat16)
        after = codec.encoder(spectrum.log_amplitude, spectrum.phase)
        tokens = codec.encode(WAV)[0]
        decoded = codec.decode(tokens)
    assert torch.equal(before, after)
    assert decoded.dtype == torch.float32
    assert torch.isfinite(decoded).all()
