"""Encoder, decoder and codec over lengths, kernels and precisions."""

import dataclasses

import pytest
import torch

from speechbrain_apcodec.lobes.autoencoder import (
    INITIAL_LOG_AMPLITUDE,
    Decoder,
    Encoder,
    SubDecoder,
    SubEncoder,
)
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.layers import BackboneSizes
from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis, STFTSynthesis
from speechbrain_apcodec.utils.errors import ConfigurationError

LENGTHS = [2000, 1, 1320, 321, 640]
SIZES = BackboneSizes(channels=6, hidden_channels=10, num_blocks=1)
SIZE = {"bins": 129, "sizes": SIZES}


def make_codec(statistic="frame", down=7, up=16, hop=40, **changes):
    """Make a tiny codec in which no part is idle."""
    torch.manual_seed(0)
    sizes = dataclasses.replace(
        SIZES, num_blocks=2, kernel_size=5, grn_statistic=statistic
    )
    size = {"bins": 129, "sizes": sizes}
    encoder = {**size, "out_channels": 4, "downsample_kernel_size": down}
    decoder = {**size, "upsample_kernel_size": up}
    stft = (256, 40, 160)
    parts = {
        "analysis": STFTAnalysis(*stft),
        "encoder": Encoder(
            SubEncoder(**encoder), SubEncoder(**encoder), latent_dim=4
        ),
        "quantizer": ResidualVectorQuantizer(4, 2, 16, 4),
        "decoder": Decoder(
            SubDecoder(**decoder, num_heads=1),
            SubDecoder(**decoder, num_heads=2),
            latent_dim=4,
        ),
        "synthesis": STFTSynthesis(256, hop, 160),
        "sample_rate": 16000,
        **changes,
    }
    codec = Codec(**parts).eval()
    for name, parameter in codec.named_parameters():
        if name.endswith("bias") or "blocks." in name or "linear" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return codec


@pytest.fixture(scope="module")
def wavs():
    """Make items whose padding is loud, so that a leak is seen."""
    generator = torch.Generator().manual_seed(3)
    wavs = 0.3 * torch.randn(len(LENGTHS), 2000, generator=generator)
    for wav, length in zip(wavs, LENGTHS, strict=True):
        wav[length:] = 5.0
    return wavs


@torch.no_grad()
@pytest.mark.parametrize("statistic", ["utterance", "frame"])
@pytest.mark.parametrize(("down", "up"), [(7, 16), (8, 8), (16, 10)])
def test_padded_batch_equals_each_item_alone(wavs, statistic, down, up):
    codec = make_codec(statistic, down, up)
    num_samples = torch.tensor(LENGTHS)
    latents = codec.latents(wavs, num_samples)
    tokens, num_frames = codec.encode(wavs, num_samples)
    assert num_frames.tolist() == [-(-n // 320) for n in LENGTHS]
    decoded = codec.decode(tokens, num_frames)
    for i, length in enumerate(LENGTHS):
        wav, frames = wavs[i : i + 1, :length], num_frames[i]
        torch.testing.assert_close(
            latents[i : i + 1, :, :frames],
            codec.latents(wav),
            rtol=1e-5,
            atol=1e-5,
        )
        alone, _ = codec.encode(wav)
        assert torch.equal(tokens[i : i + 1, :frames], alone)
        assert (tokens[i, frames:] == 0).all()
        samples = frames * 320
        torch.testing.assert_close(
            decoded[i : i + 1, :samples],
            codec.decode(alone),
            rtol=1e-5,
            atol=1e-5,
        )
        assert (decoded[i, samples:] == 0).all()


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 319, 320, 321, 680, 2000])
def test_lengths_come_back(length):
    codec = make_codec()
    tokens, _ = codec.encode(torch.randn(1, length))
    assert tokens.shape == (1, -(-length // 320), 2)
    assert codec.decode(tokens).shape[-1] == tokens.shape[1] * 320
    assert codec.decode(tokens, num_samples=length).shape == (1, length)
    with pytest.raises(ConfigurationError, match=f"not {length + 320}"):
        codec.decode(tokens, num_samples=length + 320)


@torch.no_grad()
def test_nothing_is_coded_as_nothing():
    codec = make_codec()
    tokens, num_frames = codec.encode(torch.zeros(2, 0))
    assert tokens.shape == (2, 0, 2)
    assert num_frames.tolist() == [0, 0]
    assert codec.decode(tokens).shape == (2, 0)


@torch.no_grad()
def test_frame_statistic_makes_a_codec_local():
    """Tokens and samples far from a change do not notice it."""
    wavs = 0.3 * torch.randn(1, 16000).double()
    changed = wavs.clone()
    changed[:, 8000:8100] *= 100.0
    local, global_ = make_codec("frame"), make_codec("utterance")
    near = slice(8000 - 4000, 8100 + 4000)
    for codec, is_local in ((local, True), (global_, False)):
        codec.double()
        difference = (codec.latents(wavs) - codec.latents(changed))[0]
        far = difference.abs().amax(0)
        far[near.start // 320 : near.stop // 320] = 0
        assert (far.max() < 1e-10) == is_local


def test_training_pass_agrees_with_inference(wavs):
    codec = make_codec()
    segment = wavs[:1, : 8 * 40 * 5 - 40]
    output = codec(segment)
    tokens, _ = codec.encode(segment)
    assert torch.equal(output.quantized.tokens, tokens)
    with torch.no_grad():
        decoded = codec.decode(tokens, num_samples=segment.shape[-1])
    torch.testing.assert_close(output.decoded.detach(), decoded)
    assert not output.natural.phase.requires_grad
    assert codec(segment, quantize=False).quantized is None


def test_every_parameter_is_trained(wavs):
    codec = make_codec()
    output = codec(wavs[:1, :1560], num_codebooks=torch.tensor([2]))
    loss = output.decoded.square().mean()
    loss = loss + output.quantized.codebook_loss
    loss.backward()
    for name, parameter in codec.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_gradients_are_finite_at_silence():
    codec = make_codec()
    output = codec(torch.zeros(1, 1560))
    (output.predicted.phase.sum() + output.decoded.sum()).backward()
    for name, parameter in codec.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


def test_first_output_is_near_the_level_of_speech():
    # make_codec draws the biases.
    decoder = Decoder(
        SubDecoder(**SIZE, num_heads=1),
        SubDecoder(**SIZE, num_heads=2),
        latent_dim=4,
    )
    log_amplitude, _ = decoder(torch.randn(2, 4, 9))
    assert log_amplitude.mean().item() == pytest.approx(
        INITIAL_LOG_AMPLITUDE, abs=0.5
    )


def test_phase_is_float32_under_autocast(wavs):
    codec = make_codec()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = codec(wavs[:1, :1560])
    assert output.predicted.phase.dtype == torch.float32
    assert output.predicted.real.dtype == torch.float32
    assert output.decoded.dtype == torch.float32


def test_parts_must_fit():
    with pytest.raises(ConfigurationError, match="different stft_hop_length"):
        make_codec(hop=20)
    decoder = Decoder(
        SubDecoder(**SIZE, num_heads=1, ratio=4, upsample_kernel_size=8),
        SubDecoder(**SIZE, num_heads=2, ratio=4, upsample_kernel_size=8),
        latent_dim=4,
    )
    with pytest.raises(ConfigurationError, match="8 frames"):
        make_codec(decoder=decoder)
    with pytest.raises(ConfigurationError, match="latent_dim"):
        make_codec(quantizer=ResidualVectorQuantizer(5, 2, 16, 4))
    with pytest.raises(ConfigurationError, match="129 bins"):
        make_codec(
            analysis=STFTAnalysis(128, 40, 128),
            synthesis=STFTSynthesis(128, 40, 128),
        )
    with pytest.raises(ConfigurationError, match="and phase 2"):
        Decoder(
            SubDecoder(**SIZE, num_heads=1), SubDecoder(**SIZE, num_heads=1)
        )
    with pytest.raises(ConfigurationError, match="same ratio"):
        Encoder(SubEncoder(**SIZE), SubEncoder(**SIZE, ratio=4))


def test_angles_on_the_unit_circle_do_not_jump():
    """A phase a little above pi and one a little below are neighbours."""
    torch.manual_seed(0)
    phase = torch.empty(1, 24, 129).uniform_(-3, 3)
    phase[0, ::2, ::3] = torch.pi - 1e-4
    other = phase.clone()
    other[0, ::2, ::3] = -torch.pi + 1e-4
    latents = {}
    for unit_circle in (False, True):
        torch.manual_seed(0)
        sizes = dataclasses.replace(SIZES, kernel_size=5)
        encoder = SubEncoder(129, sizes, 4, unit_circle=unit_circle)
        latents[unit_circle] = [encoder(x) for x in (phase, other)]
    changes = {key: (a - b).abs().max() for key, (a, b) in latents.items()}
    assert changes[True] < 1e-3 < changes[False]
    turned = encoder(phase + 2 * torch.pi)
    torch.testing.assert_close(turned, latents[True][0], rtol=0, atol=1e-5)
