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
from speechbrain_apcodec.lobes.rate_changes import (  # noqa: F401
    CausalDownsample,
    CausalUpsample,
    Downsample,
    Upsample,
)
from speechbrain_apcodec.streams.time import WHOLE, TemporalLayer, Time
from speechbrain_apcodec.utils.errors import ConfigurationError


class _Conv1d(TemporalLayer, nn.Conv1d):
    """Convolution that keeps the length, whatever it sees."""

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convolve [batch, frames, in_channels]."""
        shifted = self.groups > 1 and not has_fast_convolution(x, self.weight)
        x, left, right = time.around(self, x)
        if left != right or shifted:
            x, left = pad(x, left, right), 0
        if self.groups == 1:
            return conv1d(x, self.weight, self.bias, padding=left)
        # Depth-wise, in float32 under autocast, where that is faster, too.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.weight.dtype)
            if shifted:
                return self._shifted(x)
            return conv1d(
                x, self.weight, self.bias, padding=left, groups=self.groups
            )

    def _shifted(self, x: Tensor) -> Tensor:
        """Add up shifted frames: faster than a convolution group by group."""
        taps = self.weight[:, 0].t().contiguous()
        frames = x.shape[1] - len(taps) + 1
        y = torch.addcmul(self.bias, x[:, :frames], taps[0])
        for k in range(1, len(taps)):
            y.addcmul_(x[:, k : k + frames], taps[k])
        return y


def begin_with_own_frame(convolution: nn.Conv1d) -> nn.Conv1d:
    """Let a new convolution see its own frame only, until it is trained.

    Random taps would make each frame one of ``kernel_size`` that are mixed at
    random; a network of such layers first has to learn to tell frames 40
    samples apart from each other, and until then learns no phase.

    Arguments
    ---------
    convolution : NonCausalConv1d, CausalConv1d or FeedForward
        It is changed: its weights keep their mean square.

    Returns
    -------
    torch.nn.Module
        The same.

    Example
    -------
    >>> layer = begin_with_own_frame(NonCausalConv1d(4, 6, kernel_size=7))
    >>> x = torch.randn(2, 10, 4)
    >>> torch.allclose(layer(x)[:, 5:6], layer(x[:, 5:6]), atol=1e-6)
    True
    """
    with torch.no_grad():
        weight = convolution.weight
        own = weight[..., convolution.left] * weight.shape[-1] ** 0.5
        weight.zero_()[..., convolution.left] = own
    return convolution


class NonCausalConv1d(_Conv1d):
    """Convolution that looks as far ahead as back.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Odd number of frames.
    groups : int
        Number of groups; ``in_channels`` makes it depth-wise.

    Raises
    ------
    ConfigurationError
        If the kernel is even, which has no centre.

    Example
    -------
    >>> layer = NonCausalConv1d(4, 6, kernel_size=7)
    >>> layer(torch.randn(2, 10, 4)).shape
    torch.Size([2, 10, 6])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        groups: int = 1,
    ):
        if kernel_size % 2 == 0:
            raise ConfigurationError(
                f"kernel_size is {kernel_size}, but a non-causal convolution "
                "that keeps the length needs an odd one"
            )
        super().__init__(in_channels, out_channels, kernel_size, groups=groups)
        self.left = self.right = kernel_size // 2


class CausalConv1d(_Conv1d):
    """Convolution that looks back only.

    The streamable descendants of APCodec have it (StreamCodec,
    https://arxiv.org/abs/2504.06561).

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Number of frames, the present one included.
    groups : int
        Number of groups; ``in_channels`` makes it depth-wise.

    Example
    -------
    >>> layer = CausalConv1d(4, 6, kernel_size=7)
    >>> x = torch.randn(2, 10, 4)
    >>> later = x.clone()
    >>> later[:, 5:] = 0
    >>> torch.allclose(layer(x)[:, :5], layer(later)[:, :5])
    True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        groups: int = 1,
    ):
        super().__init__(in_channels, out_channels, kernel_size, groups=groups)
        self.left = kernel_size - 1


class FeedForward(_Conv1d):
    """The same linear map of every frame, which sees no other frame.

    APCodec-S puts it wherever APCodec convolves over time.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Must be 1; stands here so that the layers can be exchanged.

    Raises
    ------
    ConfigurationError
        If the kernel is larger.

    Example
    -------
    >>> layer = FeedForward(4, 6, kernel_size=1)
    >>> layer(torch.randn(2, 10, 4)).shape
    torch.Size([2, 10, 6])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 1
    ):
        if kernel_size != 1:
            raise ConfigurationError(
                f"a feed-forward layer sees one frame: set kernel_size to 1, "
                f"not {kernel_size}"
            )
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Multiply every frame by the same matrix, at any time."""
        return linear(x, self.weight.squeeze(-1), self.bias)
