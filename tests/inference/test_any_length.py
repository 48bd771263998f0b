"""A graph that was made of one length serves for others."""

import warnings

import pytest
import torch

from speechbrain_apcodec.inference import APCodec

SHORT, LONG = 9600, 48000


class Encoder(torch.nn.Module):
    """Makes tokens, and nothing else, of waveforms."""

    def __init__(self, codec):
        super().__init__()
        self.codec = codec

    def forward(self, wavs):
        return self.codec.encode(wavs)[0]


class Decoder(Encoder):
    """Makes waveforms of tokens."""

    def forward(self, tokens):
        return self.codec.decode(tokens)


@pytest.fixture(scope="module")
def model():
    """The model inside the package."""
    return APCodec.from_hparams(run_opts={"device": "cpu"})


@pytest.fixture
def wavs():
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, LONG, generator=generator)


def exported(module, given, name, least, most, batch=None):
    free = {1: torch.export.Dim(name, min=least, max=most)}
    if batch is not None:
        free[0] = torch.export.Dim("batch", min=1, max=batch)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(
            module.eval(), (given,), dynamic_shapes=(free,)
        ).module()


def test_an_exported_encoder_takes_any_length(model, wavs):
    encoder = Encoder(model.mods["codec"])
    program = exported(encoder, wavs[:, :SHORT], "samples", 400, 480_000)
    for length in (400, 1001, SHORT, LONG):
        expected, _ = model.encode(wavs[:, :length])
        assert torch.equal(program(wavs[:, :length]), expected)
    with pytest.raises((RuntimeError, AssertionError)):
        program(wavs[:, :100])


def test_an_exported_encoder_takes_any_batch(model, wavs):
    """Nothing in the code may fix the size that the graph leaves free."""
    encoder = Encoder(model.mods["codec"])
    batch = wavs.reshape(5, SHORT)
    program = exported(encoder, batch[:2], "samples", 400, 480_000, batch=16)
    for given in (batch, batch[:3, :1001], wavs):
        expected, _ = model.encode(given)
        assert torch.equal(program(given), expected)


def test_an_exported_decoder_takes_any_length(model, wavs):
    tokens, _ = model.encode(wavs)
    decoder = Decoder(model.mods["codec"])
    program = exported(decoder, tokens[:, :30], "frames", 2, 10_000)
    for frames in (2, 150):
        expected, _ = model.decode(tokens[:, :frames])
        torch.testing.assert_close(program(tokens[:, :frames]), expected)


def test_a_traced_encoder_takes_longer_ones(model, wavs):
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(
            Encoder(model.mods["codec"]).eval(),
            wavs[:, :SHORT],
            check_trace=False,
        )
    for length in (SHORT, 20_481, LONG):
        expected, _ = model.encode(wavs[:, :length])
        assert torch.equal(traced(wavs[:, :length]), expected)
    with pytest.raises(RuntimeError):
        traced(wavs[:, :100])
