"""The published network's values, through ``convert`` and the lobes."""

import math

import pytest
import torch

# Converting takes seconds: one process does it for all.
pytestmark = pytest.mark.xdist_group("golden")

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def codec(golden_model):
    return golden_model.mods["codec"]


def relative_error(ours, theirs):
    """Return the largest difference, relative to the peak."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def assert_same_phase(ours, theirs, log_amplitude):
    """Compare modulo 2 pi, away from zeros of the spectrum."""
    amplitude = log_amplitude.exp()
    sounding = amplitude > 1e-3 * amplitude.max()
    assert sounding.float().mean() > 0.1
    difference = ours - theirs
    turns = torch.round(difference / (2 * math.pi))
    difference = (difference - 2 * math.pi * turns)[sounding]
    assert difference.abs().max() < TOLERANCE * math.pi


@torch.no_grad()
def test_analysis(codec, golden):
    spectrum = codec.analysis(golden["wav"][None])
    log_amplitude = spectrum.log_amplitude[0, :, :24]
    assert relative_error(log_amplitude, golden["log_amplitude"]) < TOLERANCE
    assert_same_phase(
        spectrum.phase[0, :, :24], golden["phase"], golden["log_amplitude"]
    )


@torch.no_grad()
def test_latent(codec, golden):
    latent = codec.latents(golden["wav"][None])
    assert relative_error(latent[0], golden["latent"]) < TOLERANCE


def test_codes(golden_model, golden):
    tokens, token_lens = golden_model.encode(golden["wav"][None])
    assert torch.equal(tokens[0].T, golden["codes"].long())
    assert token_lens.tolist() == [1.0]


@torch.no_grad()
def test_quantized_latent(codec, golden):
    codes = golden["codes"].long().T[None]
    quantized = codec.quantizer.decode(codes)
    assert relative_error(quantized[0], golden["quantized"]) < TOLERANCE
    # Training sees the same codes and the same sum.
    trained = codec.quantizer(golden["latent"][None])
    assert torch.equal(trained.tokens, codes)
    error = relative_error(trained.quantized[0], golden["quantized"])
    assert error < TOLERANCE


@torch.no_grad()
def test_decoder(codec, golden):
    log_amplitude, phase = codec.decoder(golden["quantized"][None])
    theirs = golden["decoded_log_amplitude"]
    assert relative_error(log_amplitude[0, :, :24], theirs) < TOLERANCE
    assert_same_phase(phase[0, :, :24], golden["decoded_phase"], theirs)


def test_decoded_waveform(golden_model, golden):
    tokens = golden["codes"].long().T[None]
    theirs = golden["decoded_wav"]
    wavs, _ = golden_model.decode(tokens, num_samples=len(theirs))
    assert relative_error(wavs[0], theirs) < TOLERANCE


def test_codes_in_a_padded_batch(golden_model, golden):
    """The published network codes one file; a batch must not change it."""
    wav = golden["wav"]
    batch = torch.zeros(2, 22000)
    batch[0, : len(wav)] = wav
    batch[1] = torch.linspace(-0.5, 0.5, 22000).sin()
    lengths = torch.tensor([len(wav) / 22000, 1.0])
    tokens, _ = golden_model.encode(batch, lengths)
    assert torch.equal(tokens[0, :61].T, golden["codes"].long())
