"""The loss of the whole codec, from named terms and their weights.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import nn

from speechbrain_apcodec.losses.adversarial import (
    DiscriminatorLoss,
    GeneratorAdversarialLoss,
)
from speechbrain_apcodec.losses.intelligibility import IntelligibilityLoss
from speechbrain_apcodec.losses.multi_resolution import MultiResolutionLoss
from speechbrain_apcodec.losses.spectral import (
    AmplitudeLoss,
    ComplexLoss,
    PhaseLoss,
    WeightedAmplitudeLoss,
    WeightedPhaseLoss,
)
from speechbrain_apcodec.utils.errors import ConfigurationError

PHASE_TERMS = (
    "instantaneous_phase",
    "group_delay",
    "instantaneous_angular_frequency",
)
TERMS = {
    "amplitude",
    *PHASE_TERMS,
    "weighted_amplitude",
    "weighted_phase",
    "intelligibility",
    "multi_resolution",
    "consistency",
    "real",
    "imaginary",
    "mel_mae",
    "mel_mse",
    "codebook",
    "commitment",
}
ADVERSARIAL_TERMS = ("_generator", "_feature_matching", "_discriminator")
DISTILLATION = "distillation_"


class CodecLoss(nn.Module):
    """All terms of the generator's and the discriminators' loss.

    Arguments
    ---------
    mel : speechbrain_apcodec.losses.spectral.MelLoss
        Loss of the decoded waveform.
    weights : dict
        From the name of a term to its weight. What has no weight, or a
        weight of zero, is not computed, but for the mel terms.

    Raises
    ------
    ConfigurationError
        If a weight names no term.

    Example
    -------
    >>> from speechbrain_apcodec.losses.spectral import MelLoss
    >>> loss = CodecLoss(MelLoss(48000, 1024), {"amplitude": 45.0})
    >>> loss.total({"amplitude": torch.tensor(2.0), "real": torch.ones(1)})
    tensor(90.)
    """

    def __init__(self, mel, weights):
        super().__init__()
        known = TERMS | (
            {"decoded_amplitude"} if mel.decoded_amplitude else set()
        )
        for name in weights:
            if (
                name not in known
                and not name.endswith(ADVERSARIAL_TERMS)
                and not name.startswith(DISTILLATION)
            ):
                raise ConfigurationError(
                    f"loss_weights names {name}, which is no term of this "
                    f"loss; those are {', '.join(sorted(known))} and "
                    f"NAME{', NAME'.join(ADVERSARIAL_TERMS)} of each "
                    f"discriminator, and {DISTILLATION}GROUP of each group of "
                    "distilled layers"
                )
        self.weights = dict(weights)
        self.amplitude = AmplitudeLoss()
        self.phase = PhaseLoss()
        self.weighted_amplitude = WeightedAmplitudeLoss(
            len(mel.bin_weights), mel.sample_rate
        )
        self.weighted_phase = WeightedPhaseLoss()
        self.intelligibility = IntelligibilityLoss(mel.sample_rate)
        self.multi_resolution = MultiResolutionLoss(mel.sample_rate)
        self.complex = ComplexLoss()
        self.mel = mel
        self.adversarial = GeneratorAdversarialLoss()
        self.discriminator = DiscriminatorLoss()

    def reconstruction(self, output):
        """Compute the spectral and the quantisation terms.

        Arguments
        ---------
        output : speechbrain_apcodec.lobes.codec.CodecOutput
            What the codec made of a batch.

        Returns
        -------
        dict
            From a term's name to a scalar. ``codebook`` and ``commitment``
            are missing while the quantiser is left out.
        """
        natural = (output.natural.real, output.natural.imaginary)
        predicted = (output.predicted.real, output.predicted.imaginary)
        # Whatever the precision of the network, losses are in float32.
        with torch.autocast(output.decoded.device.type, enabled=False):
            # Always: it is what validation watches.
            terms = self.mel(natural, output.consistent)
            if self._weighs("amplitude"):
                terms |= self.amplitude(
                    output.natural.log_amplitude,
                    output.predicted.log_amplitude,
                )
            if self._weighs("weighted_amplitude"):
                terms |= self.weighted_amplitude(
                    output.natural.log_amplitude,
                    output.predicted.log_amplitude,
                )
            if self._weighs(*PHASE_TERMS):
                terms |= self.phase(
                    output.natural.phase, output.predicted.phase
                )
            if self._weighs("weighted_phase"):
                terms |= self.weighted_phase(
                    output.natural.phase,
                    output.predicted.phase,
                    output.natural.log_amplitude,
                )
            if self._weighs("real", "imaginary", "consistency"):
                terms |= self.complex(natural, predicted, output.consistent)
            if self._weighs("intelligibility"):
                terms |= self.intelligibility(output.wavs, output.decoded)
            if self._weighs("multi_resolution"):
                terms |= self.multi_resolution(output.wavs, output.decoded)
        if output.quantized is not None:
            terms["codebook"] = output.quantized.codebook_loss
            terms["commitment"] = output.quantized.commitment_loss
        return terms

    def _weighs(self, *names):
        """Tell whether any of these terms trains."""
        return any(self.weights.get(name) for name in names)

    def total(self, terms):
        """Weight and sum the terms that have a weight.

        Arguments
        ---------
        terms : dict
            From a term's name to a scalar.

        Returns
        -------
        torch.Tensor
            Scalar.

        Raises
        ------
        ConfigurationError
            If no term has a weight.
        """
        weighted = [
            self.weights[name] * value
            for name, value in terms.items()
            if name in self.weights
        ]
        if not weighted:
            raise ConfigurationError(
                f"none of the terms {sorted(terms)} has a weight; the "
                f"weights name {sorted(self.weights)}"
            )
        return sum(weighted)
