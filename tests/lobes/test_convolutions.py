"""Each layer, in pieces, gives what it gives whole."""

import random

import pytest
import torch
from torch import nn

from speechbrain_apcodec.lobes.convolutions import (
    CausalConv1d,
    CausalDownsample,
    CausalUpsample,
    Downsample,
    FeedForward,
    NonCausalConv1d,
    Upsample,
)
from speechbrain_apcodec.lobes.layers import ConvNeXtBlock, GlobalResponseNorm
from speechbrain_apcodec.streams.state import NetworkState, Stream
from speechbrain_apcodec.streams.time import Clock
from speechbrain_apcodec.utils.errors import ConfigurationError

RATIO = 4
LAYERS = {
    "feed-forward": lambda: FeedForward(3, 5),
    "causal": lambda: CausalConv1d(3, 5, 4),
    "causal, depth-wise": lambda: CausalConv1d(3, 3, 7, groups=3),
    "non-causal": lambda: NonCausalConv1d(3, 5, 7),
    "down, odd": lambda: Downsample(3, 5, RATIO, 7),
    "down, one": lambda: Downsample(3, 5, RATIO, 1),
    "down, even": lambda: Downsample(3, 5, RATIO, 6),
    "down, causal": lambda: CausalDownsample(3, 5, RATIO, 9),
    "up": lambda: Upsample(3, 5, RATIO, 8),
    "up, long": lambda: Upsample(3, 5, RATIO, 10),
    "up, causal": lambda: CausalUpsample(3, 5, RATIO, 8),
    "up, causal, long": lambda: CausalUpsample(3, 5, RATIO, 11),
}


class Network(nn.Module):
    """One layer with its place in a network that lags behind."""

    def __init__(self, layer, rate, delay):
        super().__init__()
        self.layer = layer
        clock = layer.reach.set_clock("layer", Clock(RATIO, rate, delay))
        self.delay = clock.delay


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lag", [0, 1, 3, 5])
@torch.no_grad()
def test_pieces_make_the_whole(name, lag):
    rng = random.Random(f"{name} {lag}")
    torch.manual_seed(lag)
    layer = LAYERS[name]().double()
    up, down = isinstance(layer, Upsample), isinstance(layer, Downsample)
    rate = 1 if up else RATIO
    network = Network(layer, rate, lag)
    groups = 9
    x = torch.randn(2, groups * rate, 3, dtype=torch.float64)
    whole = layer(x)
    # What is late comes out after padding has been put in.
    late = torch.full((2, 10 * rate, 3), 7.0, dtype=torch.float64)
    before = torch.full((2, lag, 3), 7.0, dtype=torch.float64)
    source = torch.cat([before, x, late], dim=1)
    state = NetworkState.of(network, 2, RATIO, x)
    state.total[:] = groups * RATIO
    outputs, place = [], 0
    while place < groups + 6:
        steps = rng.randint(1, 4)
        piece = source[:, place * rate : (place + steps) * rate]
        stream = Stream(state, torch.tensor([steps, steps]))
        outputs.append(layer(piece, stream))
        stream.advance()
        place += steps
    streamed = torch.cat(outputs, dim=1)[:, network.delay :][
        :, : whole.shape[1]
    ]
    torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-12)
    assert down or up or whole.shape[1] == x.shape[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: FeedForward(2, 2),
        lambda: CausalConv1d(2, 2, 5),
        lambda: CausalUpsample(2, 2, RATIO, 11),
    ],
)
def test_causal_layers_see_no_later_frame(make):
    layer = make()
    x = torch.randn(1, 9, 2)
    later = x.clone()
    later[:, 5:] = 9
    frames = 5 * RATIO if isinstance(layer, Upsample) else 5
    torch.testing.assert_close(layer(x)[:, :frames], layer(later)[:, :frames])


def test_causal_latents_see_their_own_frames_and_earlier_ones():
    layer = CausalDownsample(1, 1, ratio=RATIO, kernel_size=6)
    nn.init.ones_(layer.weight)
    frames = torch.zeros(1, 20, 1, requires_grad=True)
    layer(frames)[0, 2, 0].backward()
    assert frames.grad[0, :, 0].nonzero()[:, 0].tolist() == [6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("kernel_size", [4, 6, 8, 10])
def test_upsampling_is_a_transposed_convolution(kernel_size):
    layer = Upsample(3, 5, RATIO, kernel_size)
    x = torch.randn(2, 6, 3)
    expected = nn.functional.conv_transpose1d(
        x.transpose(1, 2),
        layer.weight,
        layer.bias,
        stride=RATIO,
        padding=(kernel_size - RATIO) // 2,
    )
    torch.testing.assert_close(layer(x), expected.transpose(1, 2))


def test_a_block_of_single_frames_has_no_depthwise_layer():
    block = ConvNeXtBlock(4, 6, 1, "frame", FeedForward)
    assert block.depthwise is None
    x = torch.randn(1, 8, 4)
    torch.testing.assert_close(block(x)[:, 3:4], block(x[:, 3:4]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeedForward(2, 2, 3), "set kernel_size to 1"),
        (lambda: NonCausalConv1d(2, 2, 4), "odd"),
        (lambda: CausalDownsample(2, 2, 8, 7), "at least 8"),
        (lambda: CausalUpsample(2, 2, 8, 7), "at least 8"),
        (lambda: Downsample(2, 2, ratio=8, kernel_size=6), "centred"),
        (lambda: Downsample(2, 2, ratio=5, kernel_size=8), "centred"),
        (lambda: Upsample(2, 2, ratio=8, kernel_size=6), "centred"),
        (lambda: Upsample(2, 2, ratio=8, kernel_size=9), "centred"),
        (lambda: GlobalResponseNorm(4, "batch"), "utterance"),
    ],
)
def test_configuration_errors(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize("layer", [NonCausalConv1d, CausalConv1d])
def test_depthwise_kernels_agree(layer, monkeypatch):
    torch.manual_seed(0)
    convolution = layer(12, 12, 7, groups=12)
    x = torch.randn(2, 50, 12, requires_grad=True)
    results = []
    # Not every build of PyTorch has oneDNN.
    for available in (True, False):
        monkeypatch.setattr(
            torch.backends.mkldnn, "is_available", lambda a=available: a
        )
        y = convolution(x)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        results.append((y, gradient))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
