"""Fewer layers that compute the same, for inference.

Training needs every layer by itself. Inference need not normalise weights in
every call, nor apply linear layers that follow each other one by one: the
Linear behind a backbone becomes part of the convolution that it feeds, the
transposed convolution part of the one behind it, and the codeword that is
nearest to a projection is found without projecting.

What looks like an exception at the ends of an utterance is none: a bias that
a convolution would not see beyond the end comes as a channel of ones, which
is masked, padded and streamed like every other.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from speechbrain_apcodec.lobes.kernels import linear
from speechbrain_apcodec.lobes.rate_changes import (
    Upsample,
    seen_latents,
    spread_table,
)
from speechbrain_apcodec.streams.time import WHOLE, TemporalLayer, Time


def fold_weight_norm(module: nn.Module) -> None:
    """Compute all normalised weights once and for all.

    Training needs the norm and the direction of each weight; inference
    would compute the same product of both in every call.

    Arguments
    ---------
    module : torch.nn.Module
        It is changed; its ``state_dict`` then has other keys.

    Example
    -------
    >>> from torch.nn.utils.parametrizations import weight_norm
    >>> layer = weight_norm(nn.Linear(2, 3))
    >>> x = torch.randn(1, 2)
    >>> before = layer(x)
    >>> fold_weight_norm(layer)
    >>> torch.equal(layer(x), before), sorted(layer.state_dict())
    (True, ['bias', 'weight'])
    """
    for layer in module.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
            weight = layer.weight.detach()
            # Of a frozen layer PyTorch leaves a tensor that is no parameter
            # and would not move with its module.
            del layer.weight
            # It reads states of an older kind, and cannot be pickled.
            layer._load_state_dict_pre_hooks.clear()
            layer.weight = nn.Parameter(weight, layer.bias.requires_grad)


@torch.no_grad()
def fold(codec: nn.Module) -> None:
    """Make a codec as small as its function, for inference.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        It is changed; its ``state_dict`` then has other keys.

    Example
    -------
    >>> from speechbrain_apcodec.lobes.autoencoder import (
    ...     Decoder, Encoder, SubDecoder, SubEncoder,
    ... )
    >>> from speechbrain_apcodec.lobes.codec import Codec
    >>> from speechbrain_apcodec.lobes.quantizer import (
    ...     ResidualVectorQuantizer,
    ... )
    >>> from speechbrain_apcodec.lobes.spectrum import (
    ...     STFTAnalysis, STFTSynthesis,
    ... )
    >>> sub = dict(bins=513, channels=16, hidden_channels=32, num_blocks=1)
    >>> codec = Codec(
    ...     STFTAnalysis(),
    ...     Encoder(SubEncoder(**sub), SubEncoder(**sub)),
    ...     ResidualVectorQuantizer(),
    ...     Decoder(
    ...         SubDecoder(**sub, num_heads=1), SubDecoder(**sub, num_heads=2)
    ...     ),
    ...     STFTSynthesis(),
    ...     sample_rate=48000,
    ... )
    >>> latents = torch.randn(1, 32, 9)
    >>> with torch.no_grad():
    ...     before = codec.decode_latents(latents)[0]
    ...     fold(codec)
    ...     after = codec.decode_latents(latents)[0]
    >>> torch.allclose(after, before, atol=1e-4)
    True
    """
    if any(isinstance(layer, _WithOnes) for layer in codec.modules()):
        return  # it has been folded
    fold_weight_norm(codec)
    encoder, decoder = codec.encoder, codec.decoder
    for branch in (encoder.amplitude, encoder.phase):
        _absorb_linear(branch.backbone, branch.downsample)
    for branch in (decoder.amplitude, decoder.phase):
        _join(branch.heads)
        _absorb_linear(branch.backbone, branch.heads[0])
        if SpreadConvolution.fits(branch):
            branch.upsample = SpreadConvolution(
                branch.upsample, branch.backbone.input_convolution
            )
            branch.backbone.input_convolution = _Absorbed()
    for network in (encoder, decoder):
        network.place()
        for layer in network.modules():
            if isinstance(layer, nn.Conv1d):
                # The same tensor, in the order in which kernels read it.
                weight = layer.weight.transpose(1, 2).contiguous()
                _set(layer, weight.transpose(1, 2), layer.bias)
    for stage in codec.quantizer.quantizers:
        stage.fold()
    # New layers begin in training mode, whatever that of the codec is.
    codec.train(codec.training)


def cast_weights(codec: nn.Module, dtype: torch.dtype) -> None:
    """Keep the weights of a folded codec in half precision.

    Autocast would cast them in every call. Norms, biases, depth-wise
    convolutions and the quantiser stay as they are.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        It is changed, and needs autocast to that type from now on.
    dtype : torch.dtype
        Half precision.
    """
    for network in (codec.encoder, codec.decoder):
        for layer in network.modules():
            matrix = isinstance(layer, nn.Linear | nn.Conv1d)
            if matrix and getattr(layer, "groups", 1) == 1:
                layer.weight.data = layer.weight.data.to(dtype)
            elif isinstance(layer, SpreadConvolution):
                layer.to(dtype)


class SpreadConvolution(TemporalLayer, nn.Module):
    """A transposed convolution and the convolution behind it, in one.

    Of every latent that it sees a frame is a linear function; so that each
    group of frames is one matrix product. At the ends of an utterance the
    convolution does not see the frames that the transposed one reaches
    beyond them: what they would add is taken away again.

    Arguments
    ---------
    upsample : speechbrain_apcodec.lobes.rate_changes.Upsample
        The transposed convolution.
    convolution : torch.nn.Conv1d
        One of ``lobes.convolutions``.
    """

    def __init__(self, upsample: Upsample, convolution: nn.Conv1d):
        super().__init__()
        ratio, reach = upsample.ratio, upsample.kernel_size[0]
        self.ratio = ratio
        self.in_channels = upsample.in_channels + 1
        self.lookahead = upsample.lookahead + convolution.right
        self.right = -(-self.lookahead // ratio)
        kernel_size = reach + convolution.kernel_size[0] - 1
        self.left = -(-(kernel_size - self.lookahead) // ratio) - 1
        first, end = upsample.lookahead, upsample.lookahead + ratio
        # The channel of ones brings the bias of a latent's own frames.
        bias = F.pad(
            upsample.bias[None, :, None].expand(1, -1, ratio),
            (first, reach - end),
        )
        kernel = torch.cat([upsample.weight, bias])
        table = spread_table(
            _chained(kernel, convolution), ratio, self.lookahead
        )
        self.table = nn.Parameter(table.T.contiguous(), False)
        frames = torch.arange(reach, device=kernel.device)
        self.seen_before = slice(None, convolution.left)
        self.seen_after = slice(ratio - convolution.right, None)
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
        convolution: nn.Conv1d,
        seen: slice,
    ) -> nn.Parameter:
        """Find what own frames see of those beyond, as a matrix."""
        table = kernel.new_zeros(len(kernel), 0)
        if beyond.any():
            chained = _chained(kernel * beyond, convolution)
            own = chained[..., self.lookahead :][..., : self.ratio]
            table = own[..., seen].transpose(1, 2).flatten(1).contiguous()
        return nn.Parameter(table, False)

    @staticmethod
    def fits(branch: nn.Module) -> bool:
        """Tell whether the layers of a branch reach at most a latent far."""
        up, convolution = branch.upsample, branch.backbone.input_convolution
        behind = up.kernel_size[0] - up.lookahead - up.ratio
        reaches = (up.lookahead, behind, convolution.left, convolution.right)
        return max(reaches) <= up.ratio

    passed = Upsample.passed

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convert [batch, latents, ...] to [batch, latents * ratio, ...]."""
        x = seen_latents(self, F.pad(x, (0, 1), value=1.0), time)
        y = linear(x.flatten(2), self.table, self.bias)
        y = y.unflatten(-1, (self.ratio, -1))
        own = x[..., self.left]
        for table, neighbour, frames in (
            (self.before, self.left - 1, self.seen_before),
            (self.after, self.left + 1, self.seen_after),
        ):
            if table.shape[1]:
                last = own * (1 - x[:, :, -1:, neighbour])
                surplus = (last @ table).unflatten(-1, (-1, y.shape[-1]))
                y[:, :, frames] -= surplus
        return y.flatten(1, 2)


def _chained(kernel: Tensor, convolution: nn.Conv1d) -> Tensor:
    """Convolve a transposed kernel with the convolution behind it."""
    padding = convolution.kernel_size[0] - 1
    return F.conv1d(kernel, convolution.weight, padding=padding)


class _Absorbed(TemporalLayer, nn.Module):
    """A layer that has become part of another one."""

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        return x


class _WithOnes(nn.Module):
    """Adds the channel of ones that brings an absorbed bias."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 1), value=1.0)


def _absorb_linear(backbone: nn.Module, convolution: nn.Conv1d) -> None:
    """Make the Linear behind a backbone part of the convolution it feeds."""
    linear = backbone.output_linear
    matrix = torch.cat([linear.weight, linear.bias[:, None]], dim=1)
    weight = torch.einsum("oik,ij->ojk", convolution.weight, matrix)
    _set(convolution, weight, convolution.bias)
    backbone.output_linear = _WithOnes()


def _join(heads: nn.ModuleList) -> None:
    """Make convolutions of the same input one."""
    weight = torch.cat([head.weight for head in heads])
    _set(heads[0], weight, torch.cat([head.bias for head in heads]))
    del heads[1:]


def _set(convolution: nn.Conv1d, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution other weights."""
    convolution.weight = nn.Parameter(weight, False)
    convolution.bias = nn.Parameter(bias, False)
    convolution.out_channels = weight.shape[0]
    convolution.in_channels = weight.shape[1] * convolution.groups
