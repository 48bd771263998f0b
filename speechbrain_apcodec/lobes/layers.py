"""The ConvNeXt v2 network of APCodec, from its norm to its backbone.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 2)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.convolutions import (
    NonCausalConv1d,
    begin_with_own_frame,
)
from speechbrain_apcodec.lobes.kernels import linear
from speechbrain_apcodec.streams.time import WHOLE, TemporalLayer, Time
from speechbrain_apcodec.utils.errors import ConfigurationError


class Linear(nn.Linear):
    """Linear layer, computed by the fastest kernel.

    Arguments
    ---------
    in_features : int
        Number of input channels.
    out_features : int
        Number of output channels.

    Example
    -------
    >>> Linear(4, 6)(torch.randn(2, 10, 4)).shape
    torch.Size([2, 10, 6])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Multiply every frame [batch, frames, in_features]."""
        return linear(x, self.weight, self.bias)


class GlobalResponseNorm(TemporalLayer, nn.Module):
    """Global response normalisation (GRN) of ConvNeXt v2.

    With g the response of each channel, y = gamma * x * n + beta + x, where
    n = g / (mean of g over the channels + 1e-6).

    Arguments
    ---------
    channels : int
        Number of channels.
    statistic : str
        ``utterance``: g is the L2 norm over the time of the whole utterance,
        as published, so that an output frame depends on all input frames.
        ``frame``: g is the magnitude in the frame itself, so that whole
        files, chunks and streams agree.

    Raises
    ------
    ConfigurationError
        If the statistic is neither.

    Example
    -------
    >>> norm = GlobalResponseNorm(4, statistic="frame")
    >>> x = torch.randn(2, 10, 4)
    >>> torch.equal(norm(x), x)  # gamma and beta begin at zero
    True
    """

    def __init__(self, channels: int, statistic: str = "utterance"):
        super().__init__()
        if statistic not in ("utterance", "frame"):
            raise ConfigurationError(
                f"the GRN statistic is '{statistic}', but must be "
                "'utterance' or 'frame'"
            )
        self.statistic = statistic
        self.gamma = nn.Parameter(torch.zeros(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Normalise [batch, frames, channels]."""
        if self.statistic == "frame":
            response = x.abs()
        else:
            energy = time.energy(self, x)
            # The gradient shall be finite at zero, too.
            tiny = torch.finfo(torch.float32).tiny
            response = energy.clamp(min=tiny).sqrt()
        relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
        gain = 1 + self.gamma * relative
        return torch.addcmul(self.beta.to(x.dtype), x, gain.to(x.dtype))


class ConvNeXtBlock(nn.Module):
    """Modified ConvNeXt v2 block of APCodec (figure 2 of the paper).

    Depth-wise convolution, layer normalisation, Linear, GELU, GRN, Linear,
    and the residual. A kernel of a single frame leaves the depth-wise
    convolution out, as APCodec-S does: it would only scale the channels
    before they are normalised.

    Arguments
    ---------
    channels : int
        Width of the network.
    hidden_channels : int
        Width between the two linear layers.
    kernel_size : int
        Frames that the depth-wise convolution sees.
    grn_statistic : str
        See ``GlobalResponseNorm``.
    convolution : callable
        Class of the depth-wise convolution, from ``lobes.convolutions``.

    Example
    -------
    >>> block = ConvNeXtBlock(8, 16, kernel_size=7)
    >>> block(torch.randn(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        kernel_size: int,
        grn_statistic: str = "utterance",
        convolution: Callable[..., nn.Module] = NonCausalConv1d,
    ):
        super().__init__()
        self.depthwise = None
        if kernel_size > 1:
            self.depthwise = convolution(
                channels, channels, kernel_size, groups=channels
            )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = Linear(channels, hidden_channels)
        self.grn = GlobalResponseNorm(hidden_channels, grn_statistic)
        self.project = Linear(hidden_channels, channels)

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Transform [batch, frames, channels]."""
        y = x
        if self.depthwise is not None:
            x = time.delayed(self.depthwise, x)
            y = self.depthwise(y, time)
        y = F.gelu(self.expand(self.norm(y)))
        return x + self.project(self.grn(y, time))


class Backbone(nn.Module):
    """Input convolution, ConvNeXt v2 blocks, output norm and Linear.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    channels : int
        Width of the network.
    hidden_channels : int
        Width inside the blocks.
    num_blocks : int
        Number of blocks.
    kernel_size : int
        Frames that the convolutions see.
    grn_statistic : str
        See ``GlobalResponseNorm``.
    convolution : callable
        Class of the convolutions, from ``lobes.convolutions``.
    input_kernel_size : int
        Frames that the input convolution sees.

    Example
    -------
    >>> backbone = Backbone(5, 8, 16, 2, 7, "frame", NonCausalConv1d, 1)
    >>> backbone(torch.randn(2, 10, 5)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        hidden_channels: int,
        num_blocks: int,
        kernel_size: int,
        grn_statistic: str,
        convolution: Callable[..., nn.Module],
        input_kernel_size: int,
    ):
        super().__init__()
        self.input_convolution = convolution(
            in_channels, channels, input_kernel_size
        )
        self.input_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(
                channels,
                hidden_channels,
                kernel_size,
                grn_statistic,
                convolution,
            )
            for _ in range(num_blocks)
        )
        self.output_norm = nn.LayerNorm(channels, eps=1e-6)
        self.output_linear = Linear(channels, channels)
        for layer in self.modules():
            # As ConvNeXt initialises: small weights let the blocks begin
            # near the identity.
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        begin_with_own_frame(self.input_convolution)
        for block in self.blocks:
            if block.depthwise is not None:
                nn.init.ones_(block.depthwise.weight)
                begin_with_own_frame(block.depthwise)

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Transform [batch, frames, in_channels]."""
        x = self.input_convolution(x, time)
        # What the blocks add to stays in float32 under autocast.
        x = self.input_norm(x.to(self.input_norm.weight.dtype))
        for block in self.blocks:
            x = block(x, time)
        return self.output_linear(self.output_norm(x))
