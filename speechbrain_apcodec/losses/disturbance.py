"""A differentiable PESQ: the disturbance that ITU-T P.862.2 measures.

PESQ compares loudness in critical bands, forgives what the louder of two
sounds masks, and blames more what was added than what is missing. Left out
is what corrects for a telephone line: the alignment in time and the
equalisation of the whole file.

Source: ITU-T P.862 (02/2001) and P.862.2 (11/2007), whose constants these are

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.errors import ConfigurationError

BIN_HZ = 31.25  # of a window of 32 ms
BINS_PER_BAND = [
    *(1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2),
    *(2, 3, 3, 3, 3, 4, 3, 4, 5, 4, 5, 6, 6, 7, 8, 9, 9, 12, 12, 15, 16, 18),
    *(21, 25, 20),
]
WIDTHS_BARK = [
    *(0.157344, 0.317994, 0.322441, 0.326934, 0.331474, 0.336061, 0.340697),
    *(0.345381, 0.350114, 0.354897, 0.359729, 0.364611, 0.369544, 0.374529),
    *(0.379565, 0.384653, 0.389794, 0.394989, 0.400236, 0.405538, 0.410894),
    *(0.416306, 0.421773, 0.427297, 0.432877, 0.438514, 0.444209, 0.449962),
    *(0.455774, 0.461645, 0.467577, 0.473569, 0.479621, 0.485736, 0.491912),
    *(0.498151, 0.504454, 0.510819, 0.517250, 0.523745, 0.530308, 0.536934),
    *(0.543629, 0.550390, 0.557220, 0.564119, 0.571085, 0.578125, 0.585232),
]
POWER_CORRECTIONS = [
    *(100, 100, 100, 100, 100, 100, 100, 100, 50, 100, 100, 100, 100, 100),
    *(53.0471, 110, 117.992, 65, 68.7601, 70, 71.4288, 75, 76.8434, 80.9688),
    *(88.6461, 63.8644, 68.1553, 72.5478, 75.5848, 58.3792, 80.9508, 64.1357),
    *(54.3848, 73.8219, 64.4371, 59.1765, 65.5213, 61.3998, 58.144, 57.0045),
    *(64.1263, 54.311, 61.115, 55.0778, 56.8493, 55.6289, 53.1371, 54.9858),
    79.547,
]
THRESHOLDS = [
    *(51286152, 2454709.5, 70794.6, 4897.79, 1174.9, 389.045, 104.713),
    *(45.7088, 17.7828, 9.77237, 4.89779, 3.0903, 1.90546, 1.25893, 0.977237),
    *(0.724436, 0.562341, 0.457088, 0.389045, 0.331131, 0.295121, 0.269153),
    *(0.25704, 0.251189, 0.251189, 0.251189, 0.251189, 0.263027, 0.288403),
    *(0.30903, 0.338844, 0.371535, 0.398107, 0.436516, 0.467735, 0.489779),
    *(0.501187, 0.501187, 0.512861, 0.524807, 0.524807, 0.524807, 0.512861),
    *(0.47863, 0.42658, 0.371535, 0.363078, 0.416869, 0.537032),
]
POWER_SCALE = 6.910853e-6
LOUDNESS_SCALE = 0.1866055
# An item of less than -50 dBFS is not made as loud as speech.
QUIETEST = 1e-5


class DisturbanceLoss(Term):
    """By how much PESQ falls below its best, before its last mapping.

    Arguments
    ---------
    sample_rate : int
        Hz, at least 16000 and a multiple of 125, so that a window of 32 ms
        has bins at multiples of 31.25 Hz.

    Raises
    ------
    ConfigurationError
        If the sampling rate is another.

    Example
    -------
    >>> loss = DisturbanceLoss(48000)
    >>> wavs = torch.randn(2, 8000)
    >>> bool(loss(wavs, wavs)["disturbance"] < 1e-3)
    True
    """

    names = ("disturbance",)
    window: Tensor
    bank: Tensor
    speech: Tensor
    widths: Tensor
    thresholds: Tensor
    exponents: Tensor

    def __init__(self, sample_rate: int):
        super().__init__()
        if sample_rate < 16000 or sample_rate % 125:
            raise ConfigurationError(
                f"PESQ's bands do not fit {sample_rate} Hz: take at least "
                "16000 Hz and a multiple of 125"
            )
        self.window_length = int(sample_rate / BIN_HZ)
        window = torch.hann_window(self.window_length)
        self.register_buffer("window", window, False)
        bins = sum(BINS_PER_BAND)
        band_of_bin = torch.repeat_interleave(torch.tensor(BINS_PER_BAND))
        bank = torch.zeros(bins, len(BINS_PER_BAND))
        bank[torch.arange(bins), band_of_bin] = 1.0
        bank[0] = 0.0
        # The constants are those of windows of 512 samples.
        scale = POWER_SCALE * (512 / self.window_length) ** 2
        bank *= scale * torch.tensor(POWER_CORRECTIONS)
        bank *= _pre_emphasis(bins)[:, None]
        self.register_buffer("bank", bank, False)
        hertz = BIN_HZ * torch.arange(bins)
        speech = ((hertz >= 325) & (hertz <= 3250)).float()
        # By Parseval's theorem, the mean square of what lies in the band.
        speech *= 2 / (self.window_length * window.square().sum())
        self.register_buffer("speech", speech, False)
        widths = torch.tensor(WIDTHS_BARK)
        self.register_buffer("widths", widths, False)
        self.register_buffer("thresholds", torch.tensor(THRESHOLDS), False)
        centres = widths.cumsum(0) - widths / 2
        exponents = 0.23 * (6 / (centres + 2)).clamp(1, 2) ** 0.15
        self.register_buffer("exponents", exponents, False)

    def forward(self, wavs: Tensor, decoded: Tensor) -> dict[str, Tensor]:
        """Compare.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples], at least a window of 32 ms.
        decoded : torch.Tensor
            Same shape.

        Returns
        -------
        dict
            ``disturbance``, a scalar; PESQ's raw score is 4.5 less this.
        """
        powers = [self._power(x.to(decoded.dtype)) for x in (wavs, decoded)]
        level = (powers[0] @ self.speech).mean(1).clamp(min=QUIETEST)
        natural, decoded = (
            (power @ self.bank) * (1e7 / level)[:, None, None]
            for power in powers
        )
        audible = self._audible(natural)
        gain = (audible + 5e3) / (self._audible(decoded) + 5e3)
        decoded = decoded * gain.clamp(3e-4, 5.0)[..., None]
        loudness = self._loudness(natural), self._loudness(decoded)
        difference = loudness[1] - loudness[0]
        masked = 0.25 * torch.minimum(*loudness)
        heard = (difference.abs() - masked).clamp(min=0.0)
        ratio = ((decoded + 50) / (natural + 50)) ** 1.2
        added = ratio.clamp(max=12.0) * (ratio >= 3)
        quiet = ((audible + 1e5) / 1e7) ** 0.04
        symmetric = self._norm(heard, 2) / quiet
        asymmetric = self._norm(heard * added, 1) / quiet
        total = 0.1 * _over_time(symmetric) + 0.0309 * _over_time(asymmetric)
        return {"disturbance": total.mean()}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare what a codec made of a batch; see ``Term``."""
        return self(output.wavs, output.decoded)

    def _power(self, wavs: Tensor) -> Tensor:
        """Power spectra up to 8 kHz, [batch, frames, bins]."""
        spectrum = torch.stft(
            wavs,
            self.window_length,
            self.window_length // 4,
            window=self.window,
            center=False,
            return_complex=True,
        )[:, : len(self.bank)].transpose(1, 2)
        return spectrum.real.square() + spectrum.imag.square()

    def _audible(self, bands: Tensor) -> Tensor:
        """Power above the threshold of hearing, [batch, frames]."""
        return (bands * (bands > self.thresholds))[..., 1:].sum(-1)

    def _loudness(self, bands: Tensor) -> Tensor:
        """Zwicker's loudness, in sone per bark."""
        excess = (bands / self.thresholds).clamp(min=1.0)
        growth = (0.5 + 0.5 * excess) ** self.exponents - 1
        scale = LOUDNESS_SCALE * (2 * self.thresholds) ** self.exponents
        return scale * growth

    def _norm(self, bands: Tensor, power: int) -> Tensor:
        """Norm over the bands, weighed by their widths, [batch, frames]."""
        widths = self.widths[1:]
        total = widths.sum()
        weighted = (bands[..., 1:] * widths) ** power
        mean = weighted.sum(-1) / total
        return total * (mean + 1e-12) ** (1 / power)


def _over_time(frames: Tensor) -> Tensor:
    """Root mean square of the frames of each item, [batch]."""
    return (frames.clamp(max=45).square().mean(1) + 1e-8).sqrt()


def _pre_emphasis(bins: int) -> Tensor:
    """Power response of the input filter of P.862.2, at 16 kHz."""
    turn = torch.exp(-2j * torch.pi * BIN_HZ / 16000 * torch.arange(bins))
    above = 2.740826 - 5.4816519 * turn + 2.740826 * turn**2
    below = 1 - 1.9444777 * turn + 0.94597794 * turn**2
    return (above / below).abs().square()
