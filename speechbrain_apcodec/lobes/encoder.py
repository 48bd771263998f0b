"""The encoder of APCodec: amplitude and phase in parallel.

Two sub-encoders without shared weights, one for the log-amplitude and one
for the phase spectrum, are joined into one latent.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 1)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.lobes.convolutions import (
    Downsample,
    NonCausalConv1d,
    begin_with_own_frame,
)
from speechbrain_apcodec.lobes.layers import Backbone
from speechbrain_apcodec.streams.time import WHOLE, Clock, Time
from speechbrain_apcodec.streams.timing import place_layers
from speechbrain_apcodec.utils.errors import ConfigurationError


class SubEncoder(nn.Module):
    """Encode one spectrum, amplitude or phase, to the latent rate.

    Arguments
    ---------
    bins : int
        Frequency bins of the spectrum.
    channels : int
        Width of the network.
    hidden_channels : int
        Width inside the blocks.
    num_blocks : int
        Number of ConvNeXt v2 blocks.
    kernel_size : int
        Frames that the convolutions see.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    downsample_kernel_size : int
        Frames that the strided convolution sees.
    grn_statistic : str
        See ``lobes.layers.GlobalResponseNorm``.
    convolution : callable
        Class of the convolutions, from ``lobes.convolutions``.
    downsample : callable
        Class of the strided convolution, from ``lobes.convolutions``.
    unit_circle : bool
        Whether the spectrum is one of angles that the network sees as
        cosines and sines. As published it sees the angles themselves, which
        jump where they wrap.
    dense_kernel_size : int
        Frames that the input convolution sees, which joins all bins; default:
        ``kernel_size``.

    Example
    -------
    >>> encoder = SubEncoder(513, 16, 32, 2, 7, 8, ratio=8)
    >>> encoder(torch.randn(2, 200, 513)).shape
    torch.Size([2, 25, 8])
    """

    def __init__(
        self,
        bins: int,
        channels: int = 256,
        hidden_channels: int = 512,
        num_blocks: int = 8,
        kernel_size: int = 7,
        out_channels: int = 128,
        ratio: int = 8,
        downsample_kernel_size: int = 7,
        grn_statistic: str = "utterance",
        convolution: Callable[..., nn.Module] = NonCausalConv1d,
        downsample: Callable[..., nn.Module] = Downsample,
        unit_circle: bool = False,
        dense_kernel_size: int | None = None,
    ):
        super().__init__()
        self.bins = bins
        self.ratio = ratio
        self.unit_circle = unit_circle
        self.backbone = Backbone(
            2 * bins if unit_circle else bins,
            channels,
            hidden_channels,
            num_blocks,
            kernel_size,
            grn_statistic,
            convolution,
            dense_kernel_size or kernel_size,
        )
        self.downsample = weight_norm(
            downsample(channels, out_channels, ratio, downsample_kernel_size)
        )

    def forward(self, spectrum: Tensor, time: Time = WHOLE) -> Tensor:
        """Encode float [batch, frames, bins] to [batch, latents, channels]."""
        if self.unit_circle:
            spectrum = torch.cat([spectrum.cos(), spectrum.sin()], dim=-1)
        return self.downsample(self.backbone(spectrum, time), time)


class Encoder(nn.Module):
    """Two sub-encoders, joined into one latent.

    Arguments
    ---------
    amplitude : SubEncoder
        Sub-encoder of the log-amplitude spectrum.
    phase : SubEncoder
        Sub-encoder of the phase spectrum.
    latent_dim : int
        Channels of the latent.
    kernel_size : int
        Latents that the joining convolution sees.
    convolution : callable
        Class of the joining convolution, from ``lobes.convolutions``.

    Raises
    ------
    ConfigurationError
        If the sub-encoders do not fit each other.

    Example
    -------
    >>> sub = dict(bins=513, channels=16, hidden_channels=32, num_blocks=1)
    >>> encoder = Encoder(
    ...     SubEncoder(**sub, out_channels=8),
    ...     SubEncoder(**sub, out_channels=8),
    ...     latent_dim=4,
    ... )
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
        convolution: Callable[..., nn.Module] = NonCausalConv1d,
    ):
        super().__init__()
        if amplitude.bins != phase.bins or amplitude.ratio != phase.ratio:
            raise ConfigurationError(
                "the sub-encoders of amplitude and phase must have the same "
                "number of bins and the same ratio"
            )
        self.amplitude = amplitude
        self.phase = phase
        self.latent_dim = latent_dim
        joint_channels = (
            amplitude.downsample.out_channels + phase.downsample.out_channels
        )
        self.joint_convolution = weight_norm(
            begin_with_own_frame(
                convolution(joint_channels, latent_dim, kernel_size)
            )
        )
        self.place()

    def place(self) -> None:
        """Give every layer its place in a stream; anew after folding."""
        self.clock = place_layers(self, Clock(self.ratio, self.ratio))

    @property
    def ratio(self):
        """Frames per latent."""
        return self.amplitude.ratio

    @property
    def bins(self):
        """Frequency bins of the spectra."""
        return self.amplitude.bins

    def forward(
        self, log_amplitude: Tensor, phase: Tensor, time: Time = WHOLE
    ) -> Tensor:
        """Encode.

        Arguments
        ---------
        log_amplitude : torch.Tensor
            float [batch, bins, frames].
        phase : torch.Tensor
            float [batch, bins, frames].
        time : Time
            Whole utterances, or the next frames of streams, in whole groups
            of ``ratio``.

        Returns
        -------
        torch.Tensor
            float [batch, latent_dim, ceil(frames / ratio)]; in a stream they
            lag behind by ``clock.delay`` latents.
        """
        joint = torch.cat(
            [
                time.run(branch, x.transpose(1, 2))
                for branch, x in (
                    (self.amplitude, log_amplitude),
                    (self.phase, phase),
                )
            ],
            dim=-1,
        )
        return self.joint_convolution(joint, time).transpose(1, 2)
