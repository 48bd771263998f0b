"""Strided convolutions from frames to latents, and transposed ones back.

All tensors are [batch, frames or latents, channels]. ``ratio`` is the number of
frames per latent. A kernel of a down-sampling layer is as many frames as a
latent sees, one of an up-sampling layer as many as it reaches.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.kernels import conv1d, pad
from speechbrain_apcodec.streams.time import (
    WHOLE,
    Clock,
    Reach,
    Time,
)
from speechbrain_apcodec.utils.errors import ConfigurationError


@dataclass
class DownsampleReach(Reach):
    """That of a layer from frames to latents."""

    ratio: int = 1
    #: Frames after the first one of a latent's own.
    lookahead: int = 0

    @property
    def latent_delay(self) -> int:
        """Latents by which the output of a stream lags behind.

        The input comes in whole groups of ``ratio`` frames: as many of them,
        rounded up, as the last frame of a kernel is late.
        """
        late = max(0, self.delay + self.lookahead + 1 - self.ratio)
        return -(-late // self.ratio)

    def output_clock(self, clock: Clock) -> Clock:
        """Go on among latents."""
        lookahead = clock.lookahead + self.lookahead
        return replace(
            clock, rate=1, delay=self.latent_delay, lookahead=lookahead
        )

    @property
    def offset(self) -> int:
        """Frames from the first that a stream's kernel sees to a new one.

        Negative where a kernel shorter than the stride skips frames.
        """
        return self.latent_delay * self.ratio - self.delay + self.left


@dataclass
class UpsampleReach(Reach):
    """That of a layer from latents to frames."""

    ratio: int = 1
    #: Frames that a latent reaches before its own first one.
    lookahead: int = 0

    @classmethod
    def of(
        cls, kernel_size: int, ratio: int, lookahead: int
    ) -> "UpsampleReach":
        """Make that of a kernel of so many frames."""
        left = -(-(kernel_size - lookahead) // ratio) - 1
        right = -(-lookahead // ratio)
        return cls(left, right, ratio=ratio, lookahead=lookahead)

    def output_clock(self, clock: Clock) -> Clock:
        """Go on among frames."""
        return replace(
            clock,
            rate=self.ratio,
            delay=(clock.delay + self.right) * self.ratio,
            lookahead=clock.lookahead + self.lookahead,
        )


class Downsample(nn.Conv1d):
    """Strided convolution from frames to latents, centred.

    Latent ``n`` is centred on frame ``ratio * n`` if the kernel is odd (the
    published one, 7 frames, leaves one frame in eight untouched) and on the
    middle of its ``ratio`` frames if it is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, ratio: int, kernel_size: int
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        left = self._left(ratio, kernel_size)
        self.reach = DownsampleReach(
            left, rate=ratio, ratio=ratio, lookahead=kernel_size - 1 - left
        )

    @staticmethod
    def _left(ratio: int, kernel_size: int) -> int:
        even = kernel_size % 2 == 0
        if even and (kernel_size < ratio or (kernel_size - ratio) % 2):
            raise ConfigurationError(
                f"a down-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it odd, or {ratio} plus an "
                "even number"
            )
        return (kernel_size - ratio) // 2 if even else kernel_size // 2

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convert frames to latents."""
        latents = -(-x.shape[1] // self.ratio)
        needed = (latents - 1) * self.ratio + self.kernel_size[0]
        x, left, _ = time.with_context(self.reach, x)
        x = F.pad(x, (0, 0, left, needed - left - x.shape[1]))
        return conv1d(x, self.weight, self.bias, self.ratio)


class CausalDownsample(Downsample):
    """Strided convolution whose latents see their own frames and earlier ones.

    The last frame that a latent sees is the last of its own ``ratio``.
    """

    @staticmethod
    def _left(ratio: int, kernel_size: int) -> int:
        if kernel_size < ratio:
            raise ConfigurationError(
                f"a causal down-sampling kernel of {kernel_size} frames "
                f"leaves out some of its {ratio} frames: make it at least "
                f"{ratio}"
            )
        return kernel_size - ratio


class Upsample(nn.ConvTranspose1d):
    """Transposed convolution from latents to frames, centred."""

    bias: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, ratio: int, kernel_size: int
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        self.reach = UpsampleReach.of(
            kernel_size, ratio, self._lookahead(ratio, kernel_size)
        )

    @staticmethod
    def _lookahead(ratio: int, kernel_size: int) -> int:
        if kernel_size < ratio or (kernel_size - ratio) % 2:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it {ratio} plus an even "
                "number"
            )
        return (kernel_size - ratio) // 2

    # PyTorch's second argument is another one, which nobody gives here.
    def forward(  # type: ignore[override]
        self, x: Tensor, time: Time = WHOLE
    ) -> Tensor:
        """Convert latents to frames."""
        matrix = upsampling_matrix(
            self.weight, self.ratio, self.reach.lookahead
        )
        y = latent_windows(self.reach, x, time).flatten(2) @ matrix
        return y.unflatten(-1, (self.ratio, -1)).flatten(1, 2) + self.bias


class CausalUpsample(Upsample):
    """Transposed convolution whose latents reach no earlier frame."""

    @staticmethod
    def _lookahead(ratio: int, kernel_size: int) -> int:
        if kernel_size < ratio:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames leaves out "
                f"some of {ratio} frames: make it at least {ratio}"
            )
        return 0


def latent_windows(reach: UpsampleReach, x: Tensor, time: Time) -> Tensor:
    """Return, for each latent, those that reach its frames.

    float [batch, latents, channels, reach.left + 1 + reach.right].
    """
    return pad(*time.with_context(reach, x)).unfold(
        1, reach.left + 1 + reach.right, 1
    )


def upsampling_matrix(weight: Tensor, ratio: int, lookahead: int) -> Tensor:
    """Turn a transposed convolution into a matrix product.

    PyTorch computes that several times faster on a CPU: every frame of a
    latent is a sum over the latents of ``latent_windows``, the first of which
    is reached ``lookahead`` frames before its own first one.
    """
    before = -lookahead % ratio
    after = -(before + weight.shape[-1]) % ratio
    parts = F.pad(weight, (before, after)).unflatten(-1, (-1, ratio))
    # The last part of a kernel comes from the first of the latents.
    return parts.flip(2).permute(0, 2, 3, 1).flatten(2).flatten(0, 1)
