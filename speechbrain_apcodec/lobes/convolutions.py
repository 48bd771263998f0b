"""Convolutions that keep the frame rate: non-causal, causal, per frame.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor, nn

from speechbrain_apcodec.lobes.kernels import (
    conv1d,
    has_fast_convolution,
    linear,
    pad,
)

# The YAMLs of all models name the layers that change the rate here.
from speechbrain_apcodec.lobes.rate_changes import (
    CausalDownsample,
    CausalUpsample,
    Downsample,
    Upsample,
)
from speechbrain_apcodec.streams.time import WHOLE, Reach, Time
from speechbrain_apcodec.utils.errors import ConfigurationError

__all__ = [
    "CausalConv1d",
    "CausalDownsample",
    "CausalUpsample",
    "Convolution",
    "Downsample",
    "FeedForward",
    "NonCausalConv1d",
    "Upsample",
]


class Convolution(nn.Conv1d):
    """Convolution of [batch, frames, channels] that keeps the length."""

    bias: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        groups: int = 1,
    ) -> None:
        left, right = self._context(kernel_size)
        super().__init__(in_channels, out_channels, kernel_size, groups=groups)
        self.reach = Reach(left, right)

    @staticmethod
    def _context(kernel_size: int) -> tuple[int, int]:
        """Check the kernel; count the frames that it sees on either side."""
        raise NotImplementedError

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convolve [batch, frames, in_channels]."""
        shifted = self.groups > 1 and not has_fast_convolution(x, self.weight)
        x, left, right = time.with_context(self.reach, x)
        if left != right or shifted:
            x, left = pad(x, left, right), 0
        if self.groups == 1:
            return conv1d(x, self.weight, self.bias, padding=left)
        # Depth-wise, in float32 under autocast, where that is faster, too.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.weight.dtype)
            if shifted:
                return self._add_shifted(x)
            return conv1d(
                x, self.weight, self.bias, padding=left, groups=self.groups
            )

    def _add_shifted(self, x: Tensor) -> Tensor:
        """Sum shifted frames: faster than a convolution group by group."""
        taps = self.weight[:, 0].t().contiguous()
        frames = x.shape[1] - len(taps) + 1
        y = torch.addcmul(self.bias, x[:, :frames], taps[0])
        for k in range(1, len(taps)):
            y.addcmul_(x[:, k : k + frames], taps[k])
        return y

    @torch.no_grad()
    def begin_with_own_frame(self) -> "Convolution":
        """Initialise all taps but that of the frame itself with zero.

        Random taps would make each frame one of ``kernel_size`` that are mixed
        at random: a network of such layers first has to learn to tell frames
        40 samples apart, and until then learns no phase. The weights keep
        their mean square.
        """
        weight = self.weight
        own = weight[..., self.reach.left] * weight.shape[-1] ** 0.5
        weight.zero_()[..., self.reach.left] = own
        return self


class NonCausalConv1d(Convolution):
    """Convolution that looks as far ahead as back; the kernel must be odd."""

    @staticmethod
    def _context(kernel_size: int) -> tuple[int, int]:
        if kernel_size % 2 == 0:
            raise ConfigurationError(
                f"kernel_size is {kernel_size}, but a non-causal convolution "
                "that keeps the length needs an odd one"
            )
        return kernel_size // 2, kernel_size // 2


class CausalConv1d(Convolution):
    """Convolution that looks back only.

    The streamable descendants of APCodec have it (StreamCodec,
    https://arxiv.org/abs/2504.06561).
    """

    @staticmethod
    def _context(kernel_size: int) -> tuple[int, int]:
        return kernel_size - 1, 0


class FeedForward(Convolution):
    """The same linear map of every frame; ``kernel_size`` must be 1.

    APCodec-S puts it wherever APCodec convolves over time.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size)

    @staticmethod
    def _context(kernel_size: int) -> tuple[int, int]:
        if kernel_size != 1:
            raise ConfigurationError(
                f"a feed-forward layer sees one frame: set kernel_size to 1, "
                f"not {kernel_size}"
            )
        return 0, 0

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Multiply every frame by the same matrix, at any time."""
        return linear(x, self.weight.squeeze(-1), self.bias)
