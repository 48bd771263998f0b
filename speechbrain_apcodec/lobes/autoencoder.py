"""Encoder and decoder of APCodec: amplitude and phase in parallel.

Two sub-encoders without shared weights, one for the log-amplitude and one
for the phase spectrum, are joined into one latent; two sub-decoders take it
apart again.

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
    Upsample,
    begin_with_own_frame,
)
from speechbrain_apcodec.lobes.layers import Backbone
from speechbrain_apcodec.lobes.spectrum import angle
from speechbrain_apcodec.lobes.temporal import WHOLE, Time
from speechbrain_apcodec.utils.errors import ConfigurationError

# About the mean log-amplitude of speech at full scale.
INITIAL_LOG_AMPLITUDE = -6.0


def _same(amplitude, phase):
    """Return what both sub-networks have in common."""
    if amplitude != phase:
        raise ConfigurationError(
            "a codec whose networks of amplitude and phase do not look "
            "equally far ahead cannot be streamed: give them the same kernels "
            "and the same number of blocks"
        )
    return amplitude


def _callable(branch: nn.Module, time: Time) -> Callable:
    """Leave a compiled form out in a stream, whose state it cannot know."""
    return branch if time.compiles else branch.forward


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
        bins,
        channels=256,
        hidden_channels=512,
        num_blocks=8,
        kernel_size=7,
        out_channels=128,
        ratio=8,
        downsample_kernel_size=7,
        grn_statistic="utterance",
        convolution=NonCausalConv1d,
        downsample=Downsample,
        unit_circle=False,
        dense_kernel_size=None,
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

    def place(self, path):
        """Give every layer its place in a stream.

        Arguments
        ---------
        path : str
            Name of this sub-encoder.

        Returns
        -------
        delay : int
            Latents by which the output lags behind the input in a stream.
        lookahead : int
            Frames, after the first one of a latent, that it depends on.
        """
        frames = self.backbone.place(f"{path}.backbone", self.ratio, 0)
        delay = self.downsample.place(f"{path}.downsample", self.ratio, frames)
        return delay, frames + self.downsample.lookahead

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

    def __init__(
        self,
        amplitude,
        phase,
        latent_dim=32,
        kernel_size=7,
        convolution=NonCausalConv1d,
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

    def place(self):
        """Give every layer its place in a stream; anew after folding."""
        self._places = (
            self.amplitude.place("amplitude"),
            self.phase.place("phase"),
        )
        self.joint_convolution.place("joint_convolution", 1, self._places[0][0])

    @property
    def ratio(self):
        """Frames per latent."""
        return self.amplitude.ratio

    @property
    def bins(self):
        """Frequency bins of the spectra."""
        return self.amplitude.bins

    @property
    def delay(self):
        """Latents by which the output lags behind the input in a stream."""
        return _same(*self._places)[0] + self.joint_convolution.right

    @property
    def lookahead(self):
        """Frames after its own first one that a latent depends on."""
        _, frames = _same(*self._places)
        return frames + self.ratio * self.joint_convolution.right

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
            lag behind by ``delay`` latents.
        """
        joint = torch.cat(
            [
                _callable(branch, time)(x.transpose(1, 2), time)
                for branch, x in (
                    (self.amplitude, log_amplitude),
                    (self.phase, phase),
                )
            ],
            dim=-1,
        )
        return self.joint_convolution(joint, time).transpose(1, 2)


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
        bins,
        num_heads,
        channels=256,
        hidden_channels=512,
        num_blocks=8,
        kernel_size=7,
        ratio=8,
        upsample_kernel_size=16,
        grn_statistic="utterance",
        convolution=NonCausalConv1d,
        upsample=Upsample,
        dense_kernel_size=None,
        prior=None,
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
        self.heads = nn.ModuleList(
            weight_norm(
                begin_with_own_frame(
                    convolution(
                        channels, size, dense_kernel_size or kernel_size
                    )
                )
            )
            for size in self.head_sizes
        )

    def place(self, path, delay):
        """Give every layer its place in a stream.

        Arguments
        ---------
        path : str
            Name of this sub-decoder.
        delay : int
            Latents by which the input lags behind.

        Returns
        -------
        delay : int
            Frames by which the output lags behind in a stream.
        lookahead : int
            Frames, after its own, whose latents an output frame depends on.
        """
        delay = self.upsample.place(f"{path}.upsample", 1, delay) * self.ratio
        end = self.backbone.place(f"{path}.backbone", self.ratio, delay)
        for number, head in enumerate(self.heads):
            last = head.place(f"{path}.heads.{number}", self.ratio, end)
        return last, last - delay + self.upsample.lookahead

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

    def __init__(
        self,
        amplitude,
        phase,
        latent_dim=32,
        kernel_size=7,
        convolution=NonCausalConv1d,
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

    def place(self):
        """Give every layer its place in a stream; anew after folding."""
        delay = self.input_convolution.place("input_convolution", 1, 0)
        self._places = (
            self.amplitude.place("amplitude", delay),
            self.phase.place("phase", delay),
        )

    @property
    def delay(self):
        """Frames by which the output lags behind the input in a stream."""
        return _same(*self._places)[0]

    @property
    def lookahead(self):
        """Frames after its own whose latents an output frame depends on."""
        _, frames = _same(*self._places)
        return frames + self.ratio * self.input_convolution.right

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
            frames lag behind by ``delay``.
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
            for part in _callable(branch, time)(x, time)
        ]
        dtype = torch.promote_types(parts[0].dtype, torch.float32)
        return [part.to(dtype).transpose(1, 2) for part in parts]
