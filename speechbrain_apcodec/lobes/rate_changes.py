"""Strided convolutions from frames to latents, and transposed ones back.

All tensors are [batch, frames or latents, channels]. ``ratio`` is the number of
frames per latent. A kernel of a down-sampling layer is as many frames as a
latent sees, one of an up-sampling layer as many as it reaches.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.kernels import conv1d, pad
from speechbrain_apcodec.streams.time import (
    WHOLE,
    Clock,
    TemporalLayer,
    Time,
)
from speechbrain_apcodec.utils.errors import ConfigurationError


class Downsample(TemporalLayer, nn.Conv1d):
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
        self.left = self._left(ratio, kernel_size)
        # Frames after the first one of the latent's own.
        self.lookahead = kernel_size - 1 - self.left
        self.rate = ratio

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

    def forward(self, x: Tensor, time: Time = WHOLE) -> Tensor:
        """Convert frames to latents."""
        latents = -(-x.shape[1] // self.ratio)
        needed = (latents - 1) * self.ratio + self.kernel_size[0]
        x, left, _ = time.with_context(self, x)
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


class Upsample(TemporalLayer, nn.ConvTranspose1d):
    """Transposed convolution from latents to frames, centred."""

    bias: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, ratio: int, kernel_size: int
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        # Frames that a latent reaches before its own first one.
        self.lookahead = self._lookahead(ratio, kernel_size)
        self.right = -(-self.lookahead // ratio)
        self.left = -(-(kernel_size - self.lookahead) // ratio) - 1

    @staticmethod
    def _lookahead(ratio: int, kernel_size: int) -> int:
        if kernel_size < ratio or (kernel_size - ratio) % 2:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it {ratio} plus an even "
                "number"
            )
        return (kernel_size - ratio) // 2

    def output_clock(self, clock: Clock) -> Clock:
        """Go on among frames."""
        return replace(
            clock,
            rate=self.ratio,
            delay=(clock.delay + self.right) * self.ratio,
            lookahead=clock.lookahead + self.lookahead,
        )

    # PyTorch's second argument is another one, which nobody gives here.
    def forward(  # type: ignore[override]
        self, x: Tensor, time: Time = WHOLE
    ) -> Tensor:
        """Convert latents to frames."""
        matrix = upsampling_matrix(self.weight, self.ratio, self.lookahead)
        y = latent_windows(self, x, time).flatten(2) @ matrix
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


def latent_windows(layer: TemporalLayer, x: Tensor, time: Time) -> Tensor:
    """Return, for each latent, those that reach its frames.

    float [batch, latents, channels, layer.left + 1 + layer.right].
    """
    return pad(*time.with_context(layer, x)).unfold(
        1, layer.left + 1 + layer.right, 1
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
