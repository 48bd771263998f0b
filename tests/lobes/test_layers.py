"""A padded batch gives each item what it would get alone."""

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.lobes.convolutions import (
    CausalConv1d,
    Downsample,
    NonCausalConv1d,
    Upsample,
)
from speechbrain_apcodec.lobes.folding import fold_weight_norm
from speechbrain_apcodec.lobes.layers import (
    Backbone,
    ConvNeXtBlock,
    GlobalResponseNorm,
    ResidualBlocks,
)
from speechbrain_apcodec.streams.time import Padded, apply_mask, length_mask
from tests.support.signals import noise

LENGTHS = [13, 1, 20, 8]


def padded_batch(channels):
    """Make a batch whose padding is loud, so that a leak is seen."""
    mask = length_mask(torch.tensor(LENGTHS), max(LENGTHS))
    x = noise(len(LENGTHS), max(LENGTHS), channels)
    return x + 100 * (1 - mask), mask


def randomize(module):
    """Give every parameter a value: GRN is idle when it is new."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize(
    ("make", "out_lengths"),
    [
        *(
            (lambda s=statistic: randomize(ConvNeXtBlock(3, 10, 5, s)), LENGTHS)
            for statistic in ("utterance", "frame")
        ),
        (lambda: NonCausalConv1d(3, 4, kernel_size=5), LENGTHS),
        *(
            (lambda k=kernel_size: Downsample(3, 5, 4, k), [4, 1, 5, 2])
            for kernel_size in (1, 3, 7, 4, 6, 8)
        ),
        *(
            (lambda k=kernel_size: Upsample(3, 5, 4, k), [52, 4, 80, 32])
            for kernel_size in (4, 6, 8)
        ),
    ],
)
def test_padded_batch_equals_each_item_alone(make, out_lengths):
    module = make()
    x, mask = padded_batch(3)
    # A layer alone does not care how many frames make a latent.
    batch = module(x, Padded({1: mask, 4: mask}))
    for i, (length, out_length) in enumerate(
        zip(LENGTHS, out_lengths, strict=True)
    ):
        alone = module(x[i : i + 1, :length])
        assert alone.shape[1] == out_length
        torch.testing.assert_close(
            batch[i : i + 1, :out_length], alone, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    ("kernel_size", "centre"), [(1, 0), (3, 0), (7, 0), (4, 1.5), (6, 1.5)]
)
def test_a_latent_is_centred(kernel_size, centre):
    """An odd kernel is centred on a frame, an even one on its frames."""
    layer = Downsample(1, 1, ratio=4, kernel_size=kernel_size)
    torch.nn.init.ones_(layer.weight)
    frames = torch.zeros(1, 20, 1, requires_grad=True)
    layer(frames)[0, 2, 0].backward()
    seen = frames.grad[0, :, 0].nonzero()[:, 0].float()
    assert len(seen) == kernel_size
    assert seen.mean() == 2 * 4 + centre


@pytest.mark.parametrize("kernel_size", [4, 6, 8])
def test_upsampling_is_centred(kernel_size):
    layer = Upsample(1, 1, ratio=4, kernel_size=kernel_size)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    latents = torch.zeros(1, 5, 1)
    latents[:, 2] = 1.0
    reached = layer(latents)[0, :, 0].nonzero()[:, 0].float()
    assert len(reached) == kernel_size
    assert reached.mean() == 2 * 4 + 1.5


def test_grn_of_the_utterance_is_the_published_formula():
    norm = randomize(GlobalResponseNorm(6))
    x = torch.randn(3, 10, 6)
    response = torch.norm(x, p=2, dim=1, keepdim=True)
    relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
    expected = norm.gamma * (x * relative) + norm.beta + x
    torch.testing.assert_close(norm(x), expected)


def test_grn_of_the_frame_sees_its_frame_only():
    norm = randomize(GlobalResponseNorm(6, "frame"))
    x = torch.randn(1, 10, 6)
    for frame in range(10):
        torch.testing.assert_close(
            norm(x)[:, frame], norm(x[:, frame : frame + 1])[:, 0]
        )
    relative = x.abs() / (x.abs().mean(dim=-1, keepdim=True) + 1e-6)
    torch.testing.assert_close(
        norm(x), norm.gamma * x * relative + norm.beta + x
    )


@pytest.mark.parametrize("statistic", ["utterance", "frame"])
def test_grn_has_finite_gradients_at_zero(statistic):
    norm = randomize(GlobalResponseNorm(4, statistic))
    x = torch.zeros(1, 5, 4, requires_grad=True)
    norm(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_grn_adds_up_in_float32():
    norm = randomize(GlobalResponseNorm(4))
    x = torch.randn(1, 4000, 4)
    half = norm(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), norm(x), rtol=0.02, atol=0.05)


def test_block_is_the_sum_of_its_parts():
    block = randomize(ConvNeXtBlock(4, 6, 3))
    x = torch.randn(2, 9, 4)
    weight, bias = block.depthwise.weight, block.depthwise.bias
    y = F.conv1d(x.transpose(1, 2), weight, bias, padding=1, groups=4)
    y = F.layer_norm(
        y.transpose(1, 2), (4,), block.norm.weight, block.norm.bias, 1e-6
    )
    y = block.project(block.grn(F.gelu(block.expand(y))))
    torch.testing.assert_close(block(x), x + y)


def test_masks():
    x = torch.randn(2, 4, 3)
    assert apply_mask(x, None) is x
    mask = length_mask(torch.tensor([0, 4]), 4)
    masked = apply_mask(x, mask)
    assert (masked[0] == 0).all()
    assert torch.equal(masked[1], x[1])


@pytest.mark.parametrize("frozen", [True, False])
def test_folded_weights_are_parameters_of_the_same_layer(frozen):
    layer = weight_norm(Upsample(3, 5, ratio=4, kernel_size=8))
    layer.requires_grad_(not frozen)
    x = torch.randn(2, 6, 3)
    before = layer(x)
    fold_weight_norm(layer)
    assert torch.equal(layer(x), before)
    names = {name for name, _ in layer.named_parameters()}
    assert names == {"weight", "bias"} == set(layer.state_dict())
    assert layer.weight.requires_grad is not frozen
    assert layer.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize("convolution", [NonCausalConv1d, CausalConv1d])
def test_a_new_network_sees_the_frame_itself_first(convolution):
    """Among 7 random taps the present frame would be one of seven."""
    torch.manual_seed(0)
    block = ConvNeXtBlock(8, 16, 7, "frame", convolution)
    Backbone(convolution(5, 8, 1), [block])  # which initialises it
    x = torch.randn(1, 31, 8)
    changes = []
    for frame in range(12, 16):
        changed = x.clone()
        changed[:, frame] = torch.randn(8)
        change = (block(changed) - changed) - (block(x) - x)
        changes.append(change[:, 15].square().sum())
    assert changes[-1] > 20 * sum(changes[:-1])


def test_new_residual_blocks_change_nothing_and_learn():
    blocks = ResidualBlocks(ConvNeXtBlock(6, 8, 5) for _ in range(2))
    x = noise(2, 9, 6)
    y = blocks(x)
    assert torch.equal(y, x)
    y.square().sum().backward()
    assert all(block.project.weight.grad.any() for block in blocks)


def test_a_residual_in_half_precision_is_summed_in_float32():
    blocks = ResidualBlocks([ConvNeXtBlock(6, 8, 5)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert blocks(noise(2, 9, 6).bfloat16()).dtype == torch.float32
