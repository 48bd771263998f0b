"""Encoder and decoder of APCodec: amplitude and phase in parallel.

The encoder has two sub-encoders without shared weights, one for the
log-amplitude and one for the phase spectrum, and joins their outputs into one
latent. The decoder mirrors it.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 1)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.lobes.convolutions import (
    Convolution,
    Downsample,
    NonCausalConv1d,
    Upsample,
)
from speechbrain_apcodec.lobes.layers import (
    BackboneSizes,
    ConvNeXtBlock,
    ResidualBlocks,
)
from speechbrain_apcodec.lobes.mel_prior import MelPrior
from speechbrain_apcodec.lobes.spectrum import angle
from speechbrain_apcodec.streams.time import WHOLE, Clock, Time
from speechbrain_apcodec.streams.timing import set_clocks
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Latent

# About the mean log-amplitude of speech at full scale.
INITIAL_LOG_AMPLITUDE = -6.0


class SubEncoder(nn.Module):
    """Encode one spectrum, amplitude or phase, to the latent rate.

    Arguments
    ---------
    bins : int
        Frequency bins of the spectrum.
    sizes : speechbrain_apcodec.lobes.layers.BackboneSizes
        Of the network.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    downsample_kernel_size : int
        Frames that the strided convolution sees.
    downsample : callable
        Class of the strided convolution, from ``lobes.rate_changes``.
    unit_circle : bool
        Whether the network sees angles as cosines and sines. As published, it
        sees the angles themselves, which jump where they wrap.
    """

    def __init__(
        self,
        bins: int,
        sizes: BackboneSizes,
        out_channels: int = 128,
        ratio: int = 8,
        downsample_kernel_size: int = 7,
        downsample: Callable[..., Downsample] = Downsample,
        unit_circle: bool = False,
    ) -> None:
        super().__init__()
        self.bins = bins
        self.ratio = ratio
        self.unit_circle = unit_circle
        self.backbone = sizes.backbone(2 * bins if unit_circle else bins)
        self.downsample = weight_norm(
            downsample(
                sizes.channels, out_channels, ratio, downsample_kernel_size
            )
        )

    def forward(self, spectrum: Tensor, time: Time = WHOLE) -> Tensor:
        """Encode [batch, frames, bins] to [batch, latents, out_channels]."""
        if self.unit_circle:
            spectrum = torch.cat([spectrum.cos(), spectrum.sin()], dim=-1)
        return self.downsample(self.backbone(spectrum, time), time)


class Encoder(nn.Module):
    """Two sub-encoders, joined into one latent.

    Arguments
    ---------
    amplitude, phase : SubEncoder
        Of the log-amplitude and of the phase spectrum.
    latent_dim : int
        Channels of the latent.
    kernel_size : int
        Latents that the joint convolution sees.
    convolution : callable
        Class of the joint convolution, from ``lobes.convolutions``.
    blocks : iterable of ConvNeXtBlock
        Between the sub-encoders and the joint convolution; not in the paper.
        Among latents a block costs little and sees far.

    Raises
    ------
    ConfigurationError
        If the sub-encoders do not fit each other.

    Example
    -------
    >>> sizes = BackboneSizes(channels=16, hidden_channels=32, num_blocks=1)
    >>> encoder = Encoder(SubEncoder(513, sizes), SubEncoder(513, sizes), 4)
    >>> spectrum = torch.randn(2, 513, 200)
    >>> encoder(spectrum, spectrum).shape
    torch.Size([2, 4, 25])
    """

    branches = ("amplitude", "phase")

    def __init__(
        self,
        amplitude: SubEncoder,
        phase: SubEncoder,
        latent_dim: int = 32,
        kernel_size: int = 7,
        convolution: Callable[..., Convolution] = NonCausalConv1d,
        blocks: Iterable[ConvNeXtBlock] = (),
    ) -> None:
        super().__init__()
        if amplitude.bins != phase.bins or amplitude.ratio != phase.ratio:
            raise ConfigurationError(
                "the sub-encoders of amplitude and phase must have the same "
                "number of bins and the same ratio"
            )
        self.amplitude = amplitude
        self.phase = phase
        self.bins = amplitude.bins
        self.ratio = amplitude.ratio
        self.latent_dim = latent_dim
        joint_channels = (
            amplitude.downsample.out_channels + phase.downsample.out_channels
        )
        self.blocks = ResidualBlocks(blocks)
        self.joint_convolution = weight_norm(
            convolution(
                joint_channels, latent_dim, kernel_size
            ).begin_with_own_frame()
        )
        self.set_clocks()

    def set_clocks(self) -> None:
        """Set the clock of every layer; anew after folding."""
        self.clock = set_clocks(self, Clock(self.ratio, self.ratio))

    def forward(
        self, log_amplitude: Tensor, phase: Tensor, time: Time = WHOLE
    ) -> Latent:
        """Encode spectra [batch, bins, frames] to ceil(frames / ratio) latents.

        A stream brings whole groups of ``ratio`` frames; its latents lag
        behind by ``clock.delay``.
        """
        joint = torch.cat(
            [
                time.run(self.amplitude, log_amplitude.transpose(1, 2)),
                time.run(self.phase, phase.transpose(1, 2)),
            ],
            dim=-1,
        )
        joint = self.blocks(joint, time)
        return self.joint_convolution(joint, time).transpose(1, 2)


class _Heads(nn.ModuleList):
    """Layers that take the same input."""

    @property
    def branches(self) -> tuple[str, ...]:
        """All of them; see ``set_clocks``."""
        return tuple(self._modules)


class SubDecoder(nn.Module):
    """Decode one spectrum, amplitude or phase, from the latent rate.

    Arguments
    ---------
    bins, sizes, ratio
        See ``SubEncoder``.
    num_heads : int
        1 for the log-amplitude; 2 for the pseudo-real and the
        pseudo-imaginary part of the phase.
    upsample_kernel_size : int
        Frames that the transposed convolution reaches.
    upsample : callable
        Class of the transposed convolution, from ``lobes.rate_changes``.
    prior : speechbrain_apcodec.lobes.mel_prior.MelPrior, optional
        Of the log-amplitude: one more head predicts mel values, and their
        expansion is added to the first head's output.
    """

    def __init__(
        self,
        bins: int,
        sizes: BackboneSizes,
        num_heads: int,
        ratio: int = 8,
        upsample_kernel_size: int = 16,
        upsample: Callable[..., Upsample] = Upsample,
        prior: MelPrior | None = None,
    ) -> None:
        super().__init__()
        channels = sizes.channels
        self.bins = bins
        self.ratio = ratio
        self.num_heads = num_heads
        self.prior = prior
        self.head_sizes = [bins] * num_heads
        if prior is not None:
            self.head_sizes.append(prior.num_mels)
        self.upsample = weight_norm(
            upsample(channels, channels, ratio, upsample_kernel_size)
        )
        self.backbone = sizes.backbone(channels)
        self.heads: nn.ModuleList = _Heads(
            weight_norm(sizes.dense(channels, size).begin_with_own_frame())
            for size in self.head_sizes
        )

    def forward(self, x: Tensor, time: Time = WHOLE) -> list[Tensor]:
        """Decode [batch, latents, channels] to [batch, frames, bins] a head."""
        x = self.backbone(self.upsample(x, time), time)
        outputs = [head(x, time) for head in self.heads]
        # Folded, the heads are one.
        if len(outputs) < len(self.head_sizes):
            outputs = list(outputs[0].split(self.head_sizes, dim=-1))
        if self.prior is None:
            return outputs
        residual, *others, log_mels = outputs
        return [residual + self.prior(log_mels), *others]


class Decoder(nn.Module):
    """Two sub-decoders, of one latent.

    Arguments
    ---------
    amplitude, phase : SubDecoder
        Of the log-amplitude, with one head, and of the phase spectrum, with
        two.
    latent_dim : int
        Channels of the latent.
    kernel_size : int
        Latents that the input convolution sees.
    convolution : callable
        Class of the input convolution, from ``lobes.convolutions``.
    blocks : iterable of ConvNeXtBlock
        Between the input convolution and the sub-decoders; see ``Encoder``.

    Raises
    ------
    ConfigurationError
        If the sub-decoders do not fit each other, or have another number of
        heads.

    Example
    -------
    >>> sizes = BackboneSizes(channels=16, hidden_channels=32, num_blocks=1)
    >>> decoder = Decoder(
    ...     SubDecoder(513, sizes, num_heads=1),
    ...     SubDecoder(513, sizes, num_heads=2),
    ...     latent_dim=4,
    ... )
    >>> log_amplitude, phase = decoder(torch.randn(2, 4, 25))
    >>> phase.shape
    torch.Size([2, 513, 200])
    """

    branches = ("amplitude", "phase")

    def __init__(
        self,
        amplitude: SubDecoder,
        phase: SubDecoder,
        latent_dim: int = 32,
        kernel_size: int = 7,
        convolution: Callable[..., Convolution] = NonCausalConv1d,
        blocks: Iterable[ConvNeXtBlock] = (),
    ) -> None:
        super().__init__()
        channels = amplitude.upsample.in_channels
        if (
            amplitude.bins != phase.bins
            or amplitude.ratio != phase.ratio
            or phase.upsample.in_channels != channels
        ):
            raise ConfigurationError(
                "the sub-decoders of amplitude and phase must have the same "
                "number of bins and channels and the same ratio"
            )
        if amplitude.num_heads != 1 or phase.num_heads != 2:
            raise ConfigurationError(
                f"the sub-decoders have {amplitude.num_heads} and "
                f"{phase.num_heads} heads, but amplitude needs 1 and phase 2"
            )
        self.ratio = amplitude.ratio
        self.bins = amplitude.bins
        self.latent_dim = latent_dim
        self.input_convolution = weight_norm(
            convolution(
                latent_dim, channels, kernel_size
            ).begin_with_own_frame()
        )
        self.blocks = ResidualBlocks(blocks)
        self.amplitude = amplitude
        self.phase = phase
        self.set_clocks()
        self._initialize_amplitude()

    @torch.no_grad()
    def _initialize_amplitude(self) -> None:
        """Begin near the spectrum of speech."""
        # Speech lies far below amplitude 1, where a bias of zero begins: on
        # the way down every layer would move at once, overshoot, and leave
        # the latent without information.
        heads: list[Any] = list(self.amplitude.heads)
        heads[-1].bias.fill_(INITIAL_LOG_AMPLITUDE)
        if self.amplitude.prior is not None:
            # Begin with a flat spectrum, and with nothing added to it:
            # random mel values would expand to bursts.
            for head in heads:
                head.parametrizations.weight.original0.zero_()
            heads[0].bias.zero_()

    def set_clocks(self) -> None:
        """Set the clock of every layer; anew after folding."""
        self.clock = set_clocks(self, Clock(self.ratio, 1))

    def forward(
        self, latent: Latent, time: Time = WHOLE
    ) -> tuple[Tensor, Tensor]:
        """Decode to log-amplitude and phase, [batch, bins, latents * ratio].

        The phase is in radians, from -pi to pi. In a stream the frames lag
        behind by ``clock.delay``.
        """
        log_amplitude, real, imaginary = self.parts(latent, time)
        # An arc tangent in half precision would ruin the phase.
        with torch.autocast(latent.device.type, enabled=False):
            return log_amplitude, angle(imaginary, real)

    def parts(self, latent: Latent, time: Time = WHOLE) -> list[Tensor]:
        """Decode, but leave the phase in its two parts.

        Gives log-amplitude, pseudo-real and pseudo-imaginary part of the
        phase, at least float32 [batch, bins, latents * ratio] each.
        """
        x = self.input_convolution(latent.transpose(1, 2), time)
        x = self.blocks(x, time)
        parts = [*time.run(self.amplitude, x), *time.run(self.phase, x)]
        dtype = torch.promote_types(parts[0].dtype, torch.float32)
        return [part.to(dtype).transpose(1, 2) for part in parts]
