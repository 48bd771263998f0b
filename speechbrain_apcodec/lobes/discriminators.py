"""Discriminators of folded waveforms and of spectra.

SpeechBrain's HiFi-GAN lobe has a multi-period discriminator of fixed width;
here the widths are arguments, since full discriminators take over 80 % of a
training step and a CPU needs narrow ones.

Papers: https://arxiv.org/abs/2010.05646 (HiFi-GAN, section 2.3),
https://arxiv.org/abs/2106.07889 (UnivNet, section 2.3),
https://arxiv.org/abs/2210.13438 (EnCodec, section 3.4)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.utils.types import Wavs

Scores: TypeAlias = list[tuple[Tensor, list[Tensor]]]
"""Score, float [batch, positions], and feature maps of each sub-discriminator,
float [batch, channels, rows, columns] each."""

Size: TypeAlias = tuple[int, int]
"""Rows and columns."""


class _ConvolutionStack(nn.Module):
    """2-D convolutions whose outputs all serve as feature maps.

    ``kernel_sizes`` has one more, for the output convolution.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernel_sizes: list[Size],
        strides: list[Size],
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        *layers, output = [
            weight_norm(
                nn.Conv2d(
                    fan_in,
                    fan_out,
                    kernel,
                    stride,
                    padding=(kernel[0] // 2, kernel[1] // 2),
                )
            )
            for fan_in, fan_out, kernel, stride in zip(
                [in_channels, *channels],
                [*channels, 1],
                kernel_sizes,
                [*strides, (1, 1)],
                strict=True,
            )
        ]
        self.convolutions = nn.ModuleList(layers)
        self.output_convolution = output

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge images [batch, in_channels, rows, columns]."""
        # Transposed, if need be: PyTorch's kernels want the long axis last.
        transposed = x.shape[2] > x.shape[3]
        x = x.transpose(2, 3).contiguous() if transposed else x
        feature_maps = []
        for convolution in cast(Iterable[nn.Conv2d], self.convolutions):
            x = _convolve(x, convolution, transposed)
            x = F.leaky_relu(x, 0.1, inplace=True)
            feature_maps.append(x)
        feature_maps.append(_convolve(x, self.output_convolution, transposed))
        if transposed:
            feature_maps = [x.transpose(2, 3) for x in feature_maps]
        return feature_maps[-1].flatten(1), feature_maps


def _convolve(x: Tensor, convolution: nn.Conv2d, transposed: bool) -> Tensor:
    """Convolve an image, or a transposed one."""
    if not transposed:
        return convolution(x)
    return F.conv2d(
        x,
        convolution.weight.transpose(2, 3),
        convolution.bias,
        convolution.stride[::-1],
        convolution.padding[::-1],
    )


class _Discriminator(nn.Module):
    """Sub-discriminators of one kind, each with a view of its own."""

    discriminators: nn.ModuleList

    def _images(self, wavs: Wavs) -> Iterator[Tensor]:
        """Yield the image that each sub-discriminator sees."""
        raise NotImplementedError

    def forward(self, wavs: Wavs) -> Scores:
        """Judge waveforms."""
        return [
            discriminator(image)
            for discriminator, image in zip(
                self.discriminators, self._images(wavs), strict=True
            )
        ]


class MultiPeriodDiscriminator(_Discriminator):
    """HiFi-GAN's discriminators of samples folded at several periods.

    Arguments
    ---------
    periods : list of int
        Samples per period, one sub-discriminator each.
    channels : list of int
        Output channels of the convolutions of each.

    Example
    -------
    >>> discriminator = MultiPeriodDiscriminator([2, 3], [4, 8])
    >>> outputs = discriminator(torch.randn(2, 800))
    >>> len(outputs), len(outputs[0][1])
    (2, 3)
    """

    def __init__(
        self,
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        channels: Sequence[int] = (32, 128, 512, 1024, 1024),
    ) -> None:
        super().__init__()
        self.periods = list(periods)
        depth = len(channels)
        self.discriminators = nn.ModuleList(
            _ConvolutionStack(
                channels,
                kernel_sizes=[(5, 1)] * depth + [(3, 1)],
                strides=[(3, 1)] * (depth - 1) + [(1, 1)],
            )
            for _ in self.periods
        )

    def _images(self, wavs: Wavs) -> Iterator[Tensor]:
        for period in self.periods:
            missing = -wavs.shape[-1] % period
            x = F.pad(wavs[:, None], (0, missing), mode="reflect")
            yield x.unflatten(-1, (-1, period))


class MultiResolutionDiscriminator(_Discriminator):
    """Discriminators of magnitude spectrograms at several resolutions.

    Arguments
    ---------
    resolutions : list of tuple
        (n_fft, hop_length, window_length) in samples, one
        sub-discriminator each. The window is rectangular.
    channels : int
        Channels of every convolution.

    Example
    -------
    >>> discriminator = MultiResolutionDiscriminator([(512, 20, 160)], 4)
    >>> ((score, feature_maps),) = discriminator(torch.randn(2, 800))
    >>> len(feature_maps)
    6
    """

    def __init__(
        self,
        resolutions: Sequence[Sequence[int]] = (
            (512, 20, 160),
            (1024, 40, 320),
            (2048, 80, 640),
        ),
        channels: int = 64,
    ) -> None:
        super().__init__()
        self.resolutions = [tuple(r) for r in resolutions]
        self.discriminators = nn.ModuleList(
            _ConvolutionStack(
                [channels] * 5,
                kernel_sizes=[(7, 5), (5, 3), (5, 3), (3, 3), (3, 3), (3, 3)],
                strides=[(2, 2), (2, 1), (2, 2), (2, 1), (2, 2)],
            )
            for _ in self.resolutions
        )

    def _images(self, wavs: Wavs) -> Iterator[Tensor]:
        return (self._magnitude(wavs, *sizes) for sizes in self.resolutions)

    @staticmethod
    def _magnitude(
        wavs: Wavs, n_fft: int, hop_length: int, window_length: int
    ) -> Tensor:
        with torch.autocast(wavs.device.type, enabled=False):
            spectrum = torch.stft(
                wavs.float(),
                n_fft,
                hop_length,
                window_length,
                window=wavs.new_ones(window_length, dtype=torch.float32),
                return_complex=True,
            )
            return spectrum.abs()[:, None]


class MultiScaleSTFTDiscriminator(_Discriminator):
    """EnCodec's discriminators of complex spectra, compressed as the ear does.

    Speech has a thousandth of its amplitude above 8 kHz, which a network does
    not see beside the rest. So a bin's magnitude is raised to the power of
    0.3, and its phase kept. The convolutions are narrower than EnCodec's.

    Arguments
    ---------
    windows : list of int
        Samples of the STFT window of each sub-discriminator. Windows overlap
        by three quarters.
    channels : int
        Output channels of the first two convolutions; the others have twice
        as many.

    Example
    -------
    >>> discriminator = MultiScaleSTFTDiscriminator([256, 512], 4)
    >>> outputs = discriminator(torch.randn(2, 8000))
    >>> len(outputs), len(outputs[0][1])
    (2, 6)
    """

    EXPONENT = 0.3
    QUIETEST = 1e-8  # power; the root has no gradient at zero

    def __init__(
        self, windows: Sequence[int] = (512, 1024, 2048), channels: int = 16
    ) -> None:
        super().__init__()
        self.windows = list(windows)
        wide = 2 * channels
        self.discriminators = nn.ModuleList(
            _ConvolutionStack(
                [channels, channels, wide, wide, wide],
                kernel_sizes=[(7, 3), (5, 3), (5, 3), (3, 3), (3, 3), (3, 3)],
                strides=[(2, 1), (2, 1), (2, 2), (2, 1), (2, 2)],
                in_channels=2,
            )
            for _ in self.windows
        )

    def _images(self, wavs: Wavs) -> Iterator[Tensor]:
        return (self._compress(wavs, window) for window in self.windows)

    def _compress(self, wavs: Wavs, window: int) -> Tensor:
        with torch.autocast(wavs.device.type, enabled=False):
            spectrum = torch.stft(
                wavs.float(),
                window,
                window // 4,
                window=torch.hann_window(window, device=wavs.device),
                normalized=True,
                return_complex=True,
            )
            parts = torch.stack([spectrum.real, spectrum.imag], dim=1)
            power = parts.square().sum(1, keepdim=True) + self.QUIETEST
            return parts * power ** ((self.EXPONENT - 1) / 2)


class Discriminators(nn.ModuleDict):
    """All discriminators as one module, so that DDP sees one forward.

    Arguments
    ---------
    discriminators : dict
        From a name, by which its losses are called, to a module.

    Example
    -------
    >>> discriminators = Discriminators(
    ...     {"mpd": MultiPeriodDiscriminator([2, 3], [4, 8])}
    ... )
    >>> list(discriminators(torch.randn(2, 800)))
    ['mpd']
    """

    def __init__(self, discriminators: Mapping[str, nn.Module]) -> None:
        super().__init__(discriminators)

    def forward(self, wavs: Wavs) -> dict[str, Scores]:
        """Judge waveforms, discriminator by discriminator."""
        return {name: module(wavs) for name, module in self.items()}
