"""What stands in for operators that ONNX lacks computes the same."""

import math
import random

import pytest
import torch
from onnxruntime import InferenceSession
from torch.nn import functional as F

from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.spectrum import (
    STFTAnalysis,
    STFTSynthesis,
    angle,
)
from speechbrain_apcodec.onnx.export import Graph
from speechbrain_apcodec.onnx.modules import (
    MaskedQuantizer,
    RealAnalysis,
    RealSynthesis,
    TensorStream,
    exportable,
)
from speechbrain_apcodec.streams.state import ENDLESS, NetworkState, Stream
from tests.random_codec import make_codec

# FFT size, hop and window: the published ones, and ones that divide nothing.
SIZES = [(1024, 40, 320), (512, 80, 320), (256, 50, 182)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("samples", [1, 160, 161, 1000, 1040])
def test_analysis(sizes, samples):
    torch.manual_seed(samples)
    wavs = torch.randn(2, samples)
    expected = STFTAnalysis(*sizes).transform(wavs)
    for ours, theirs in zip(
        RealAnalysis(*sizes).transform(wavs), expected, strict=True
    ):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("sizes", SIZES)
def test_analysis_is_exact(sizes):
    """An empty bin, far below the others, has the right phase."""
    torch.manual_seed(0)
    time = torch.arange(2000) / 48000
    wavs = torch.sin(2 * math.pi * 440 * time) + 1e-7 * torch.randn(1, 2000)
    real, imaginary = RealAnalysis(*sizes).transform(wavs)
    exact = STFTAnalysis(*sizes).transform(wavs.double())
    torch.testing.assert_close(real.double(), exact[0], rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(
        imaginary.double(), exact[1], rtol=1e-6, atol=1e-12
    )


def test_analysis_of_silence_is_zero():
    real, imaginary = RealAnalysis().transform(torch.zeros(1, 400))
    assert not real.any()
    assert not imaginary.any()


@pytest.mark.parametrize("sizes", SIZES)
def test_dc_and_nyquist_are_real(sizes):
    torch.manual_seed(0)
    _, imaginary = RealAnalysis(*sizes).transform(torch.randn(1, 2000))
    assert not imaginary[:, [0, -1]].any()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("frames", [1, 2, 30])
@pytest.mark.parametrize("masked", [False, True])
def test_synthesis(sizes, frames, masked):
    torch.manual_seed(frames)
    bins = sizes[0] // 2 + 1
    real, imaginary = torch.randn(2, 2, bins, frames)
    mask = None
    if masked:
        mask = (torch.rand(2, frames, 1) < 0.7).float()
    ours = RealSynthesis(*sizes).overlap_add(real, imaginary, mask)
    theirs = STFTSynthesis(*sizes).overlap_add(real, imaginary, mask)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


class Called(torch.nn.Module):
    """A function as a module that takes a list and returns one."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, inputs):
        return [self.function(*inputs)]


def translate(function, path):
    """Export a function of a tensor [batch, length]; return what runs it."""
    example = {"input": torch.zeros(2, 7)}
    Graph("", Called(function), example, "length", ["output"]).write(path)
    session = InferenceSession(path)
    return lambda x: session.run(None, {"input": x.numpy()})[0]


def test_arc_tangent(tmp_path):
    turn = torch.linspace(-math.pi, math.pi, 1001, dtype=torch.float64)
    circle = torch.stack([turn.sin(), turn.cos()])
    rounds = [(radius * circle).float() for radius in (1e-30, 1.0, 1e30)]
    values = torch.tensor([-2.0, -1e-30, -0.0, 0.0, 1e-30, 3.0])
    axes = torch.stack(torch.meshgrid(values, values, indexing="ij"))
    parts = torch.cat([*rounds, axes.flatten(1)], dim=1).T
    run = translate(
        lambda x: torch.atan2(x[:, 0], x[:, 1]), tmp_path / "a.onnx"
    )
    torch.testing.assert_close(
        torch.from_numpy(run(parts.contiguous())),
        # Negative zeros count as zeros.
        angle(parts[:, 0], parts[:, 1]),
        rtol=0,
        atol=5e-7,
    )


def test_sizes_are_rounded_as_in_python(tmp_path):
    run = translate(lambda x: x[:, : -(-x.shape[1] // 4)], tmp_path / "a.onnx")
    for length in (11, 12, 13):
        assert run(torch.zeros(1, length)).shape == (1, -(-length // 4))


@pytest.mark.parametrize("books", [1, 2, 3, 4])
def test_some_codebooks(books):
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(8, 4, 16, 5)
    tokens = torch.randint(16, (2, 7, books))
    filled = F.pad(tokens, (0, 4 - books), value=-1)
    ours = MaskedQuantizer(quantizer)
    assert torch.equal(ours.decode(filled), quantizer.decode(tokens))
    latent = torch.randn(2, 8, 7)
    assert torch.equal(
        ours.encode(latent, books), quantizer.encode(latent, books)
    )


def test_masks_of_a_stream():
    """The masks that a graph computes are those of the lobes' stream."""
    rng = random.Random(0)
    for _ in range(200):
        ratio, steps = rng.choice([1, 2, 4, 8]), rng.randint(1, 5)
        batch = rng.randint(1, 3)
        state = NetworkState(
            {},
            torch.tensor([rng.randint(0, 6) for _ in range(batch)]),
            torch.tensor(
                [
                    rng.choice([rng.randint(1, 60), ENDLESS])
                    for _ in range(batch)
                ]
            ),
            ratio,
        )
        stream = Stream(state, torch.full((batch,), steps))
        ours = TensorStream(state, steps)
        for rate in (1, ratio):
            delay = rng.randint(0, 30)
            mask = stream.mask(rate, delay, torch.zeros(()))
            if mask is None:
                mask = torch.ones(batch, steps * rate, 1)
            assert torch.equal(ours.mask(rate, delay, None), mask)


@torch.no_grad()
def test_exchanged_parts_leave_the_codec_alone():
    codec = make_codec()
    before = codec.analysis, codec.synthesis, codec.quantizer
    ours = exportable(codec)
    assert (codec.analysis, codec.synthesis, codec.quantizer) == before
    tokens = torch.randint(64, (1, 9, 4))
    expected = codec.decode(tokens)
    error = (ours.decode(tokens) - expected).abs().max()
    assert error <= 1e-5 * expected.abs().max()
