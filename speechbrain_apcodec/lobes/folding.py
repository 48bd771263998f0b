"""Fewer layers that compute the same, for inference.

Training needs every layer by itself. Inference need not normalise weights in
every call, nor apply linear layers that follow each other one by one: the
Linear behind a backbone becomes part of the next convolution, the transposed
convolution part of the one behind it, and the codeword that is nearest to a
projection is found without projecting.

The ends of an utterance need no exception: a bias that a convolution would not
see beyond the end comes as a channel of ones, which is masked, padded and
streamed like every other.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from speechbrain_apcodec.lobes.autoencoder import SubDecoder
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.convolutions import Convolution, Upsample
from speechbrain_apcodec.lobes.kernels import linear
from speechbrain_apcodec.lobes.layers import Backbone
from speechbrain_apcodec.lobes.rate_changes import (
    UpsampleReach,
    latent_windows,
    upsampling_matrix,
)
from speechbrain_apcodec.streams.time import WHOLE, Time


def fold_weight_norm(module: nn.Module) -> None:
    """Compute all normalised weights once and for all.

    The ``state_dict`` of the module then has other keys.
    """
    for layer in module.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
            weight = cast(Tensor, layer.weight).detach()
            # PyTorch leaves a tensor of a frozen layer that is no parameter
            # and would not move with its module.
            del layer.weight
            # It reads states of an older kind, and cannot be pickled.
            layer._load_state_dict_pre_hooks.clear()
            requires_grad = cast(Tensor, layer.bias).requires_grad
            layer.weight = nn.Parameter(weight, requires_grad)


@torch.no_grad()
def fold(codec: Codec) -> None:
    """Replace the layers of a codec by fewer ones, for inference.

    Its ``state_dict`` then has other keys.
    """
    if any(isinstance(layer, _WithOnes) for layer in codec.modules()):
        return  # it has been folded
    fold_weight_norm(codec)
    encoder, decoder = codec.encoder, codec.decoder
    for sub_encoder in (encoder.amplitude, encoder.phase):
        _absorb_linear(sub_encoder.backbone, sub_encoder.downsample)
    for sub_decoder in (decoder.amplitude, decoder.phase):
        head = _merge_heads(sub_decoder.heads)
        _absorb_linear(sub_decoder.backbone, head)
        _absorb_upsample(sub_decoder)
    for network in (encoder, decoder):
        network.set_clocks()
        for layer in network.modules():
            if isinstance(layer, nn.Conv1d):
                # The same tensor, in the order in which kernels read it.
                weight = layer.weight.transpose(1, 2).contiguous()
                _set(layer, weight.transpose(1, 2), layer.bias)
    for stage in codec.quantizer.stages():
        stage.fold()
    # New layers begin in training mode, whatever that of the codec is.
    codec.train(codec.training)


def cast_weights(codec: Codec, dtype: torch.dtype) -> None:
    """Keep the weights of a folded codec in half precision.

    Autocast would cast them in every call, and is needed from now on. Norms,
    biases, depth-wise convolutions and the quantiser stay as they are.
    """
    for network in (codec.encoder, codec.decoder):
        for layer in network.modules():
            matrix = isinstance(layer, nn.Linear | nn.Conv1d)
            if matrix and getattr(layer, "groups", 1) == 1:
                layer.weight.data = layer.weight.data.to(dtype)
            elif isinstance(layer, FusedUpsample):
                layer.to(dtype)


class FusedUpsample(nn.Module):
    """A transposed convolution and the convolution behind it, in one.

    A frame is a linear function of every latent that it sees, so that each
    group of frames is one matrix product. At the ends of an utterance the
    convolution does not see the frames that the transposed one reaches
    beyond them: their share is subtracted again.
    """

    def __init__(self, upsample: Upsample, convolution: Convolution) -> None:
        super().__init__()
        ratio, length = upsample.ratio, upsample.kernel_size[0]
        self.ratio = ratio
        self.in_channels = upsample.in_channels + 1
        first = upsample.reach.lookahead
        end = first + ratio
        left, right = convolution.reach.left, convolution.reach.right
        self.reach = UpsampleReach.of(
            length + convolution.kernel_size[0] - 1, ratio, first + right
        )
        # The channel of ones brings the bias of a latent's own frames.
        bias = F.pad(
            upsample.bias[None, :, None].expand(1, -1, ratio),
            (first, length - end),
        )
        kernel = torch.cat([upsample.weight, bias])
        table = upsampling_matrix(
            _chain(kernel, convolution), ratio, self.reach.lookahead
        )
        self.table = nn.Parameter(table.T.contiguous(), False)
        frames = torch.arange(length, device=kernel.device)
        self.seen_before = slice(None, left)
        self.seen_after = slice(ratio - right, None)
        self.before = self._surplus(
            kernel, frames < first, convolution, self.seen_before
        )
        self.after = self._surplus(
            kernel, frames >= end, convolution, self.seen_after
        )
        # Of all frames of a latent, as the rows of the table are.
        self.bias = nn.Parameter(convolution.bias.detach().repeat(ratio), False)

    def _surplus(
        self,
        kernel: Tensor,
        beyond: Tensor,
        convolution: Convolution,
        seen: slice,
    ) -> nn.Parameter:
        """Compute, as a matrix, what own frames see of those beyond."""
        table = kernel.new_zeros(len(kernel), 0)
        if beyond.any():
            chained = _chain(kernel * beyond, convolution)
            own = chained[..., self.reach.lookahead :][..., : self.ratio]
            table = own[..., seen].transpose(1, 2).flatten(1).contiguous()
        return nn.Parameter(table, False)

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convert [batch, latents, ...] to [batch, latents * ratio, ...]."""
        x = latent_windows(self.reach, F.pad(x, (0, 1), value=1.0), time)
        y = linear(x.flatten(2), self.table, self.bias)
        y = y.unflatten(-1, (self.ratio, -1))
        left = self.reach.left
        own = x[..., left]
        for table, neighbour, frames in (
            (self.before, left - 1, self.seen_before),
            (self.after, left + 1, self.seen_after),
        ):
            if table.shape[1]:
                last = own * (1 - x[:, :, -1:, neighbour])
                surplus = (last @ table).unflatten(-1, (-1, y.shape[-1]))
                y[:, :, frames] -= surplus
        return y.flatten(1, 2)


def _chain(kernel: Tensor, convolution: nn.Conv1d) -> Tensor:
    """Convolve a transposed kernel with the convolution behind it."""
    padding = convolution.kernel_size[0] - 1
    return F.conv1d(kernel, convolution.weight, padding=padding)


class _Absorbed(nn.Module):
    """A layer that has become part of another one."""

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        return x


class _WithOnes(nn.Module):
    """Adds the channel of ones that brings an absorbed bias."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 1), value=1.0)


def _absorb_linear(backbone: Backbone, convolution: nn.Conv1d) -> None:
    """Make the Linear behind a backbone part of the next convolution."""
    linear = cast(nn.Linear, backbone.output_linear)
    matrix = torch.cat([linear.weight, linear.bias[:, None]], dim=1)
    weight = torch.einsum("oik,ij->ojk", convolution.weight, matrix)
    _set(convolution, weight, convolution.bias)
    backbone.output_linear = _WithOnes()


def _absorb_upsample(branch: SubDecoder) -> None:
    """Fuse the up-sampling of a branch, if it reaches at most a latent far."""
    upsample = branch.upsample
    convolution = cast(Convolution, branch.backbone.input_convolution)
    ahead = upsample.reach.lookahead
    behind = upsample.kernel_size[0] - ahead - upsample.ratio
    reach = convolution.reach
    if max(ahead, behind, reach.left, reach.right) <= upsample.ratio:
        branch.upsample = FusedUpsample(upsample, convolution)
        branch.backbone.input_convolution = _Absorbed()


def _merge_heads(heads: nn.ModuleList) -> Convolution:
    """Make convolutions of the same input one; return it."""
    convolutions = cast(list[Convolution], list(heads))
    weight = torch.cat([head.weight for head in convolutions])
    bias = torch.cat([head.bias for head in convolutions])
    _set(convolutions[0], weight, bias)
    del heads[1:]
    return convolutions[0]


def _set(convolution: nn.Conv1d, weight: Tensor, bias: Tensor | None) -> None:
    """Give a convolution other weights."""
    convolution.weight = nn.Parameter(weight, False)
    convolution.bias = nn.Parameter(cast(Tensor, bias), False)
    convolution.out_channels = weight.shape[0]
    convolution.in_channels = weight.shape[1] * convolution.groups
