"""The ConvNeXt v2 network of APCodec, from its norm to its backbone.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 2)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.convolutions import Convolution, NonCausalConv1d
from speechbrain_apcodec.lobes.kernels import linear
from speechbrain_apcodec.streams.time import WHOLE, Reach, Time
from speechbrain_apcodec.utils.errors import ConfigurationError


class Linear(nn.Linear):
    """Linear layer, computed by the fastest kernel."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply every frame [batch, frames, in_features]."""
        return linear(x, self.weight, self.bias)


class GlobalResponseNorm(nn.Module):
    """Global response normalisation (GRN) of ConvNeXt v2.

    With g the response of each channel, y = gamma * x * n + beta + x, where
    n = g / (mean of g over the channels + 1e-6).

    With the statistic ``utterance``, as published, g is the L2 norm over the
    time of the whole utterance, so that an output frame depends on all input
    frames. With ``frame``, g is the magnitude in the frame itself, so that
    whole files, chunks and streams agree.
    """

    def __init__(self, channels: int, statistic: str = "utterance") -> None:
        super().__init__()
        if statistic not in ("utterance", "frame"):
            raise ConfigurationError(
                f"the GRN statistic is '{statistic}', but must be "
                "'utterance' or 'frame'"
            )
        self.statistic = statistic
        self.reach = Reach()
        self.gamma = nn.Parameter(torch.zeros(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Normalise [batch, frames, channels]."""
        if self.statistic == "frame":
            response = x.abs()
        else:
            energy = time.energy(self.reach, x)
            # The gradient must be finite at zero, too.
            tiny = torch.finfo(torch.float32).tiny
            response = energy.clamp(min=tiny).sqrt()
        relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
        gain = 1 + self.gamma * relative
        return torch.addcmul(self.beta.to(x.dtype), x, gain.to(x.dtype))


class ConvNeXtBlock(nn.Module):
    """Modified ConvNeXt v2 block of APCodec (figure 2 of the paper).

    Depth-wise convolution, layer normalisation, Linear, GELU, GRN, Linear,
    and the residual. With a kernel of a single frame there is no depth-wise
    convolution, as in APCodec-S: it would only scale the channels before
    they are normalised.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        kernel_size: int,
        grn_statistic: str = "utterance",
        convolution: Callable[..., Convolution] = NonCausalConv1d,
    ) -> None:
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
            x = time.delayed(self.depthwise.reach, x)
            y = self.depthwise(y, time)
        y = F.gelu(self.expand(self.norm(y)))
        return x + self.project(self.grn(y, time))


class ResidualBlocks(nn.ModuleList):
    """Blocks one after the other, which together begin as the identity.

    So they can be added to a trained network.
    """

    def __init__(self, blocks: Iterable[ConvNeXtBlock] = ()) -> None:
        super().__init__(blocks)
        _initialize(self)
        for block in self:
            nn.init.zeros_(cast(ConvNeXtBlock, block).project.weight)

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Transform [batch, frames, channels]."""
        for block in self:
            # The residual stays in float32 under autocast.
            x = block(x.to(torch.promote_types(x.dtype, torch.float32)), time)
        return x


class Backbone(nn.Module):
    """Input convolution, ConvNeXt v2 blocks, output norm and Linear."""

    def __init__(
        self, input_convolution: Convolution, blocks: Iterable[ConvNeXtBlock]
    ) -> None:
        super().__init__()
        channels = input_convolution.out_channels
        # Folding replaces the first and the last layer.
        self.input_convolution: nn.Module = input_convolution
        self.input_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(blocks)
        self.output_norm = nn.LayerNorm(channels, eps=1e-6)
        self.output_linear: nn.Module = Linear(channels, channels)
        _initialize(self)
        input_convolution.begin_with_own_frame()

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Transform [batch, frames, in_channels]."""
        x = self.input_convolution(x, time)
        # The residual stays in float32 under autocast.
        x = self.input_norm(x.to(self.input_norm.weight.dtype))
        for block in self.blocks:
            x = block(x, time)
        return self.output_linear(self.output_norm(x))


@dataclass(frozen=True)
class BackboneSizes:
    """The sizes of a backbone, and of the layers around it.

    Arguments
    ---------
    channels, hidden_channels, num_blocks : int
        Width of the network, width inside its ConvNeXt v2 blocks, and their
        number.
    kernel_size : int
        Frames that the convolutions see.
    dense_kernel_size : int
        Frames that those between all channels see; default: ``kernel_size``.
    grn_statistic : str
        See `GlobalResponseNorm`.
    convolution : callable
        Class of the convolutions, from ``lobes.convolutions``.

    Example
    -------
    >>> sizes = BackboneSizes(channels=16, hidden_channels=32, num_blocks=1)
    >>> sizes.backbone(513)(torch.randn(2, 9, 513)).shape
    torch.Size([2, 9, 16])
    """

    channels: int = 256
    hidden_channels: int = 512
    num_blocks: int = 8
    kernel_size: int = 7
    dense_kernel_size: int | None = None
    grn_statistic: str = "utterance"
    convolution: Callable[..., Convolution] = NonCausalConv1d

    def dense(self, in_channels: int, out_channels: int) -> Convolution:
        """Build a convolution between all channels."""
        kernel_size = self.dense_kernel_size or self.kernel_size
        return self.convolution(in_channels, out_channels, kernel_size)

    def block(self, channels: int) -> ConvNeXtBlock:
        """Build a block, as wide as wanted outside."""
        return ConvNeXtBlock(
            channels,
            self.hidden_channels,
            self.kernel_size,
            self.grn_statistic,
            self.convolution,
        )

    def backbone(self, in_channels: int) -> Backbone:
        """Build the backbone."""
        return Backbone(
            self.dense(in_channels, self.channels),
            (self.block(self.channels) for _ in range(self.num_blocks)),
        )


def _initialize(layers: nn.Module) -> None:
    """Initialise as ConvNeXt does, but with depth-wise kernels of one frame.

    Small weights let the blocks begin near the identity.
    """
    for layer in layers.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(cast(Tensor, layer.bias))
        if isinstance(layer, Convolution) and layer.groups > 1:
            nn.init.ones_(layer.weight)
            layer.begin_with_own_frame()
