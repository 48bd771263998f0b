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

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


class _ConvolutionStack(nn.Module):
    """2-D convolutions whose outputs all serve as feature maps.

    Arguments
    ---------
    channels : list of int
        Output channels of each convolution.
    kernel_sizes : list of tuple
        Kernel of each convolution, and of the output convolution.
    strides : list of tuple
        Stride of each convolution.
    slope : float
        Negative slope of the leaky ReLU.
    in_channels : int
        Channels of a picture.
    """

    def __init__(
        self, channels, kernel_sizes, strides, slope=0.1, in_channels=1
    ):
        super().__init__()
        self.slope = slope
        widths = [in_channels, *channels]
        self.convolutions = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    widths[i],
                    widths[i + 1],
                    kernel_sizes[i],
                    strides[i],
                    padding=tuple(k // 2 for k in kernel_sizes[i]),
                )
            )
            for i in range(len(channels))
        )
        self.output_convolution = weight_norm(
            nn.Conv2d(
                widths[-1],
                1,
                kernel_sizes[-1],
                padding=tuple(k // 2 for k in kernel_sizes[-1]),
            )
        )

    def forward(self, x):
        """Judge pictures.

        They are laid on their side: the kernels of PyTorch want the long
        dimension last.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, rows, columns].

        Returns
        -------
        score : torch.Tensor
            float [batch, positions].
        feature_maps : list of torch.Tensor
            float [batch, channels, rows, columns] each.
        """
        side = x.shape[2] > x.shape[3]
        x = x.transpose(2, 3).contiguous() if side else x
        feature_maps = []
        for convolution in self.convolutions:
            x = _convolved(x, convolution, side)
            x = F.leaky_relu(x, self.slope, inplace=True)
            feature_maps.append(x)
        feature_maps.append(_convolved(x, self.output_convolution, side))
        if side:
            feature_maps = [x.transpose(2, 3) for x in feature_maps]
        return feature_maps[-1].flatten(1), feature_maps


def _convolved(x, convolution, side):
    """Convolve a picture, or one that lies on its side."""
    if not side:
        return convolution(x)
    return F.conv2d(
        x,
        convolution.weight.transpose(2, 3),
        convolution.bias,
        convolution.stride[::-1],
        convolution.padding[::-1],
    )


class MultiPeriodDiscriminator(nn.Module):
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
        self, periods=(2, 3, 5, 7, 11), channels=(32, 128, 512, 1024, 1024)
    ):
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

    def forward(self, wavs):
        """Judge waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].

        Returns
        -------
        list of tuple
            For each sub-discriminator its score, float [batch, positions],
            and the list of its feature maps.
        """
        outputs = []
        for period, discriminator in zip(
            self.periods, self.discriminators, strict=True
        ):
            missing = -wavs.shape[-1] % period
            x = F.pad(wavs[:, None], (0, missing), mode="reflect")
            outputs.append(discriminator(x.unflatten(-1, (-1, period))))
        return outputs


class MultiResolutionDiscriminator(nn.Module):
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
        resolutions=((512, 20, 160), (1024, 40, 320), (2048, 80, 640)),
        channels=64,
    ):
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

    def forward(self, wavs):
        """Judge waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].

        Returns
        -------
        list of tuple
            For each sub-discriminator its score, float [batch, positions],
            and the list of its feature maps.
        """
        return [
            discriminator(self._magnitude(wavs, *resolution))
            for resolution, discriminator in zip(
                self.resolutions, self.discriminators, strict=True
            )
        ]

    @staticmethod
    def _magnitude(wavs, n_fft, hop_length, window_length):
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


class MultiScaleSTFTDiscriminator(nn.Module):
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

    def __init__(self, windows=(512, 1024, 2048), channels=16):
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

    def forward(self, wavs):
        """Judge waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].

        Returns
        -------
        list of tuple
            For each sub-discriminator its score, float [batch, positions],
            and the list of its feature maps.
        """
        return [
            discriminator(self._compressed(wavs, window))
            for window, discriminator in zip(
                self.windows, self.discriminators, strict=True
            )
        ]

    def _compressed(self, wavs, window):
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

    def __init__(self, discriminators):
        super().__init__(discriminators)

    def forward(self, wavs):
        """Judge waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].

        Returns
        -------
        dict
            From a discriminator's name to its list of (score, feature maps).
        """
        return {name: module(wavs) for name, module in self.items()}
