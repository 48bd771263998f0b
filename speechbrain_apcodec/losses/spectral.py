"""Spectral terms of the training loss.

The terms carry the names of figure 3 of the paper and are not weighted. All
spectra are float [batch, bins, frames], phases in radians; a complex spectrum
is a pair of real and imaginary part.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term

Complex: TypeAlias = tuple[Tensor, Tensor]
"""Real and imaginary part of a spectrum."""


def anti_wrapped(difference: Tensor) -> Tensor:
    """Absolute difference of two angles, however often they are wrapped.

    f(x) = abs(x - 2 pi round(x / 2 pi)), from 0 to pi.
    """
    turns = torch.round(difference / (2 * math.pi))
    return (difference - 2 * math.pi * turns).abs()


def auditory_weights(bins: int, sample_rate: int) -> Tensor:
    """Weight bins as the ear resolves them: float [bins, 1], 1 on average.

    ``bins`` reach from 0 to half the sampling rate. The weights are the
    density of equivalent rectangular bandwidths, half of which lie below
    2.2 kHz.

    Source: Glasberg and Moore, Hearing Research 47, 1990, equation 3

    Example
    -------
    >>> auditory_weights(3, 48000)[:, 0]
    tensor([2.9178, 0.0546, 0.0276])
    """
    kilohertz = torch.linspace(0, sample_rate / 2000, bins)
    density = 1 / (4.37 * kilohertz + 1)
    return (density / density.mean())[:, None]


class AmplitudeLoss(Term):
    """MSE of the log-amplitude.

    Example
    -------
    >>> loss = AmplitudeLoss()
    >>> loss(torch.zeros(1, 3, 4), torch.ones(1, 3, 4))
    {'amplitude': tensor(1.)}
    """

    names: tuple[str, ...] = ("amplitude",)

    def forward(self, natural: Tensor, predicted: Tensor) -> dict[str, Tensor]:
        """Compare log-amplitudes."""
        return {"amplitude": F.mse_loss(predicted, natural)}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare log-amplitudes; see ``Term``."""
        return self(
            output.natural.log_amplitude, output.predicted.log_amplitude
        )


class WeightedAmplitudeLoss(AmplitudeLoss):
    """MSE of the log-amplitude, each bin weighted as the ear resolves it.

    Four bins out of five lie above 5 kHz, where little is understood: with
    equal weights the network spends its tokens there. Not in the paper.

    Arguments
    ---------
    bins : int
        Number of bins.
    sample_rate : int
        Hz.

    Example
    -------
    >>> loss = WeightedAmplitudeLoss(3, 48000)
    >>> loss(torch.zeros(1, 3, 4), torch.ones(1, 3, 4))
    {'weighted_amplitude': tensor(1.0000)}
    """

    names = ("weighted_amplitude",)
    bin_weights: Tensor

    def __init__(self, bins: int, sample_rate: int) -> None:
        super().__init__()
        weights = auditory_weights(bins, sample_rate)
        self.register_buffer("bin_weights", weights, persistent=False)

    def forward(self, natural: Tensor, predicted: Tensor) -> dict[str, Tensor]:
        """Compare log-amplitudes."""
        error = self.bin_weights * (predicted - natural).square()
        return {"weighted_amplitude": error.mean()}


class PhaseLoss(Term):
    """Anti-wrapped phase losses: AW-IP, AW-GD and AW-IAF.

    The group delay is the difference of the phase along frequency, the
    angular frequency that along time. The published operators keep a border
    term: the first bin (frame) enters as it is.

    Example
    -------
    >>> loss = PhaseLoss()
    >>> phase = torch.randn(1, 5, 4)
    >>> terms = loss(phase, phase + 2 * math.pi)
    >>> all(value < 1e-5 for value in terms.values())
    True
    """

    names = (
        "instantaneous_phase",
        "group_delay",
        "instantaneous_angular_frequency",
    )

    def forward(self, natural: Tensor, predicted: Tensor) -> dict[str, Tensor]:
        """Compare phases."""
        # All three are linear up to the anti-wrapping: take one difference.
        difference = predicted - natural
        along_frequency = torch.cat(
            [difference[:, :1], difference.diff(dim=1)], dim=1
        )
        along_time = torch.cat(
            [difference[..., :1], difference.diff(dim=2)], dim=2
        )
        return {
            "instantaneous_phase": anti_wrapped(difference).mean(),
            "group_delay": anti_wrapped(along_frequency).mean(),
            "instantaneous_angular_frequency": anti_wrapped(along_time).mean(),
        }

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare phases; see ``Term``."""
        return self(output.natural.phase, output.predicted.phase)


class WeightedPhaseLoss(Term):
    """Phase error where the energy is: mean of A (1 - cos) over mean of A.

    A is the natural amplitude; each item counts the same, however loud it is.
    The anti-wrapped losses count every bin the same, and most bins hold noise
    whose phase no one can predict: their gradients drown those of the few
    harmonics whose phases decide whether the frames add up to a waveform. From
    0 to 2; 1 for random phases. Not in the paper.

    Example
    -------
    >>> loss = WeightedPhaseLoss()
    >>> phase, amplitude = torch.zeros(1, 2, 1), torch.tensor([[[3.0], [1.0]]])
    >>> opposite = torch.tensor([[[0.0], [math.pi]]])
    >>> loss(phase, opposite, amplitude.log())
    {'weighted_phase': tensor(0.5000)}
    """

    names = ("weighted_phase",)

    def forward(
        self, natural: Tensor, predicted: Tensor, log_amplitude: Tensor
    ) -> dict[str, Tensor]:
        """Compare phases, weighted by the natural amplitude."""
        weight = log_amplitude.flatten(1).softmax(dim=1)
        error = 1 - torch.cos(predicted - natural)
        return {"weighted_phase": (weight * error.flatten(1)).sum(dim=1).mean()}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare phases; see ``Term``."""
        return self(
            output.natural.phase,
            output.predicted.phase,
            output.natural.log_amplitude,
        )


class ComplexLoss(Term):
    """MAE of real and imaginary parts, and STFT consistency.

    The consistency is the mean squared distance between the predicted
    spectrum and the STFT of the waveform made from it.

    Example
    -------
    >>> loss = ComplexLoss()
    >>> natural = predicted = (torch.zeros(1, 3, 4), torch.zeros(1, 3, 4))
    >>> consistent = (torch.ones(1, 3, 4), torch.ones(1, 3, 4))
    >>> loss(natural, predicted, consistent)["consistency"]
    tensor(2.)
    """

    names = ("consistency", "real", "imaginary")

    def forward(
        self, natural: Complex, predicted: Complex, consistent: Complex
    ) -> dict[str, Tensor]:
        """Compare spectra; ``consistent`` is that of the decoded waveform."""
        return {
            "consistency": F.mse_loss(predicted[0], consistent[0])
            + F.mse_loss(predicted[1], consistent[1]),
            "real": F.l1_loss(predicted[0], natural[0]),
            "imaginary": F.l1_loss(predicted[1], natural[1]),
        }

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare complex spectra; see ``Term``."""
        return self(
            (output.natural.real, output.natural.imaginary),
            (output.predicted.real, output.predicted.imaginary),
            output.consistent,
        )


class MelLoss(Term):
    """MAE and MSE of log-mel spectra of the decoded waveform.

    The mel bands are Slaney's, on the codec's own STFT; magnitude
    sqrt(power + 1e-9), floor 1e-5, natural logarithm. With
    ``decoded_amplitude`` the log-amplitude of every bin of the decoded
    waveform is compared, too, weighted by ``auditory_weights``: phases that
    do not agree cancel in the overlap-add, which no loss before the ISTFT can
    see.

    Arguments
    ---------
    sample_rate : int
        Hz.
    n_fft : int
        FFT size of the codec's STFT, samples.
    num_mels : int
        Number of mel bands, from 0 to half the sampling rate.
    decoded_amplitude : bool
        Add the term ``decoded_amplitude``, which is not in the paper.

    Example
    -------
    >>> loss = MelLoss(48000, 1024)
    >>> parts = (torch.randn(1, 513, 4), torch.randn(1, 513, 4))
    >>> loss(parts, parts)["mel_mae"]
    tensor(0.)
    """

    names: tuple[str, ...] = ("mel_mae", "mel_mse")
    always_computed = True
    bank: Tensor
    bin_weights: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        num_mels: int = 80,
        decoded_amplitude: bool = False,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.decoded_amplitude = decoded_amplitude
        if decoded_amplitude:
            self.names = (*self.names, "decoded_amplitude")
        bank = melscale_fbanks(
            n_fft // 2 + 1,
            f_min=0.0,
            f_max=sample_rate / 2,
            n_mels=num_mels,
            sample_rate=sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("bank", bank.t().contiguous(), persistent=False)
        weights = auditory_weights(n_fft // 2 + 1, sample_rate)
        self.register_buffer("bin_weights", weights, persistent=False)

    def forward(
        self, natural: Complex, consistent: Complex
    ) -> dict[str, Tensor]:
        """Compare the STFT of the input with that of the decoded waveform."""
        magnitudes = [
            torch.sqrt(real.square() + imaginary.square() + 1e-9)
            for real, imaginary in (consistent, natural)
        ]
        decoded, target = (
            torch.log((self.bank @ magnitude).clamp(min=1e-5))
            for magnitude in magnitudes
        )
        terms = {
            "mel_mae": F.l1_loss(decoded, target),
            "mel_mse": F.mse_loss(decoded, target),
        }
        if self.decoded_amplitude:
            error = (magnitudes[0].log() - magnitudes[1].log()).abs()
            terms["decoded_amplitude"] = (self.bin_weights * error).mean()
        return terms

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare input and decoded waveform; see ``Term``."""
        natural = (output.natural.real, output.natural.imaginary)
        return self(natural, output.consistent)
