"""The decoder of APCodec: two sub-decoders that take one latent apart.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 1)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.lobes.convolutions import (
    NonCausalConv1d,
    Upsample,
    begin_with_own_frame,
)
from speechbrain_apcodec.lobes.layers import Backbone
from speechbrain_apcodec.lobes.mel_prior import MelPrior
from speechbrain_apcodec.lobes.spectrum import angle
from speechbrain_apcodec.streams.time import WHOLE, Clock, Time
from speechbrain_apcodec.streams.timing import place_layers
from speechbrain_apcodec.utils.errors import ConfigurationError

# About the mean log-amplitude of speech at full scale.
INITIAL_LOG_AMPLITUDE = -6.0


class _Heads(nn.ModuleList):
    """Layers that take the same input."""

    @property
    def branches(self) -> tuple[str, ...]:
        """All of them; see ``place_layers``."""
        return tuple(self._modules)


class SubDecoder(nn.Module):
    """Decode one spectrum, amplitude or phase, from the latent rate.

    Arguments
    ---------
    bins : int
        Frequency bins of the spectrum.
    num_heads : int
        1 for the log-amplitude; 2 for the pseudo-real and the
        pseudo-imaginary part of the phase.
    channels : int
        Width of the network.
    hidden_channels : int
        Width inside the blocks.
    num_blocks : int
        Number of ConvNeXt v2 blocks.
    kernel_size : int
        Frames that the convolutions see.
    ratio : int
        Frames per latent.
    upsample_kernel_size : int
        Frames that the transposed convolution reaches.
    grn_statistic : str
        See ``lobes.layers.GlobalResponseNorm``.
    convolution : callable
        Class of the convolutions, from ``lobes.convolutions``.
    upsample : callable
        Class of the transposed convolution, from ``lobes.convolutions``.
    dense_kernel_size : int
        Frames that the input convolution and the heads see; default:
        ``kernel_size``.
    prior : speechbrain_apcodec.lobes.mel_prior.MelPrior, optional
        Of the log-amplitude: one more head predicts its mel values, and what
        they expand to is added to the first head's output.

    Example
    -------
    >>> decoder = SubDecoder(513, 2, 16, 32, num_blocks=2)
    >>> [head.shape for head in decoder(torch.randn(2, 25, 16))]
    [torch.Size([2, 200, 513]), torch.Size([2, 200, 513])]
    """

    def __init__(
        self,
        bins: int,
        num_heads: int,
        channels: int = 256,
        hidden_channels: int = 512,
        num_blocks: int = 8,
        kernel_size: int = 7,
        ratio: int = 8,
        upsample_kernel_size: int = 16,
        grn_statistic: str = "utterance",
        convolution: Callable[..., nn.Module] = NonCausalConv1d,
        upsample: Callable[..., nn.Module] = Upsample,
        dense_kernel_size: int | None = None,
        prior: MelPrior | None = None,
    ):
        super().__init__()
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
        self.backbone = Backbone(
            channels,
            channels,
            hidden_channels,
            num_blocks,
            kernel_size,
            grn_statistic,
            convolution,
            dense_kernel_size or kernel_size,
        )
        self.heads = _Heads(
            weight_norm(
                begin_with_own_frame(
                    convolution(
                        channels, size, dense_kernel_size or kernel_size
                    )
                )
            )
            for size in self.head_sizes
        )

    def forward(self, x: Tensor, time: Time = WHOLE) -> list[Tensor]:
        """Decode [batch, latents, ...] to [batch, frames, bins] a head."""
        x = self.backbone(self.upsample(x, time), time)
        outputs = [head(x, time) for head in self.heads]
        # Folded, the heads are one.
        if len(outputs) < len(self.head_sizes):
            outputs = outputs[0].split(self.head_sizes, dim=-1)
        if self.prior is None:
            return list(outputs)
        residual, *others, log_mels = outputs
        return [residual + self.prior(log_mels), *others]


class Decoder(nn.Module):
    """Two sub-decoders that take one latent apart.

    Arguments
    ---------
    amplitude : SubDecoder
        Sub-decoder of the log-amplitude spectrum, with one head.
    phase : SubDecoder
        Sub-decoder of the phase spectrum, with two heads.
    latent_dim : int
        Channels of the latent.
    kernel_size : int
        Latents that the input convolution sees.
    convolution : callable
        Class of the input convolution, from ``lobes.convolutions``.

    Raises
    ------
    ConfigurationError
        If the sub-decoders do not fit each other, or have another number of
        heads.

    Example
    -------
    >>> sub = dict(bins=513, channels=16, hidden_channels=32, num_blocks=1)
    >>> decoder = Decoder(
    ...     SubDecoder(**sub, num_heads=1),
    ...     SubDecoder(**sub, num_heads=2),
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
        convolution: Callable[..., nn.Module] = NonCausalConv1d,
    ):
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
            begin_with_own_frame(convolution(latent_dim, channels, kernel_size))
        )
        self.amplitude = amplitude
        self.phase = phase
        self.place()
        # Speech lies far below amplitude 1, where a bias of zero begins: on
        # the way down every layer would move at once, overshoot, and leave
        # the latent without information.
        nn.init.constant_(amplitude.heads[-1].bias, INITIAL_LOG_AMPLITUDE)
        if amplitude.prior is not None:
            # Begin with a flat spectrum, and with nothing added to it:
            # random mel values would expand to bursts.
            for head in amplitude.heads:
                nn.init.zeros_(head.parametrizations.weight.original0)
            nn.init.zeros_(amplitude.heads[0].bias)

    def place(self) -> None:
        """Give every layer its place in a stream; anew after folding."""
        self.clock = place_layers(self, Clock(self.ratio, 1))

    def forward(
        self, latent: Tensor, time: Time = WHOLE
    ) -> tuple[Tensor, Tensor]:
        """Decode.

        Arguments
        ---------
        latent : torch.Tensor
            float [batch, latent_dim, latents].
        time : Time
            Whole utterances, or the next latents of streams.

        Returns
        -------
        log_amplitude : torch.Tensor
            At least float32 [batch, bins, latents * ratio]; in a stream the
            frames lag behind by ``clock.delay``.
        phase : torch.Tensor
            At least float32 [batch, bins, latents * ratio], radians in
            [-pi, pi].
        """
        log_amplitude, *pseudo = self.parts(latent, time)
        # An arc tangent in half precision would ruin the phase.
        with torch.autocast(latent.device.type, enabled=False):
            pseudo_real, pseudo_imaginary = pseudo
            return log_amplitude, angle(pseudo_imaginary, pseudo_real)

    def parts(self, latent: Tensor, time: Time = WHOLE) -> list[Tensor]:
        """Decode, but leave the phase in its two parts.

        Arguments
        ---------
        latent : torch.Tensor
            float [batch, latent_dim, latents].
        time : Time
            Whole utterances, or the next latents of streams.

        Returns
        -------
        list of torch.Tensor
            Log-amplitude, pseudo-real and pseudo-imaginary part of the
            phase, at least float32 [batch, bins, latents * ratio] each.
        """
        x = self.input_convolution(latent.transpose(1, 2), time)
        parts = [
            part
            for branch in (self.amplitude, self.phase)
            for part in time.run(branch, x)
        ]
        dtype = torch.promote_types(parts[0].dtype, torch.float32)
        return [part.to(dtype).transpose(1, 2) for part in parts]
