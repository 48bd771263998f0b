"""The loss of the whole codec, from named terms and their weights.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.adversarial import (
    DiscriminatorLoss,
    GeneratorAdversarialLoss,
)
from speechbrain_apcodec.losses.intelligibility import IntelligibilityLoss
from speechbrain_apcodec.losses.multi_resolution import MultiResolutionLoss
from speechbrain_apcodec.losses.spectral import (
    AmplitudeLoss,
    ComplexLoss,
    MelLoss,
    PhaseLoss,
    WeightedAmplitudeLoss,
    WeightedPhaseLoss,
)
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.errors import ConfigurationError

ADVERSARIAL_TERMS = ("_generator", "_feature_matching", "_discriminator")
DISTILLATION = "distillation_"


class QuantizerLoss(Term):
    """Codebook and commitment loss, which the quantiser computes."""

    names = ("codebook", "commitment")
    always_computed = True

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Take both; there are none while the quantiser is left out."""
        if output.quantized is None:
            return {}
        return {
            "codebook": output.quantized.codebook_loss,
            "commitment": output.quantized.commitment_loss,
        }


class CodecLoss(nn.Module):
    """All terms of the generator's and the discriminators' loss.

    Arguments
    ---------
    weights : dict
        From the name of a value to its weight. A term none of whose values
        has a weight other than zero is not computed, unless it is
        ``always_computed``.
    terms : dict, optional
        From any label to a ``Term``. A dictionary, so that a YAML adds one
        to those of the file that it includes.
    mel : speechbrain_apcodec.losses.spectral.MelLoss, optional
        Instead of ``terms``, in YAMLs of version 0.1: the terms of that
        version.

    Raises
    ------
    ConfigurationError
        If a weight names no term, or there are no terms.

    Example
    -------
    >>> loss = CodecLoss({"amplitude": 45.0}, {"amplitude": AmplitudeLoss()})
    >>> loss.total({"amplitude": torch.tensor(2.0), "real": torch.ones(1)})
    tensor(90.)
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        terms: Mapping[str, Term] | None = None,
        mel: MelLoss | None = None,
    ) -> None:
        super().__init__()
        if (terms is None) == (mel is None):
            raise ConfigurationError(
                "CodecLoss takes either terms or mel: give one of them"
            )
        if mel is not None:
            terms = _terms_of_version_0_1(mel)
        terms = dict(terms or {})
        known = {name for term in terms.values() for name in term.names}
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
        self.terms = nn.ModuleList(terms.values())
        self.adversarial = GeneratorAdversarialLoss()
        self.discriminator = DiscriminatorLoss()

    def reconstruction(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compute the terms that need no discriminator, scalars by name."""
        values: dict[str, Tensor] = {}
        # Whatever the precision of the network, losses are in float32.
        with torch.autocast(output.decoded.device.type, enabled=False):
            for term in cast(Iterable[Term], self.terms):
                if term.always_computed or any(
                    map(self.weights.get, term.names)
                ):
                    values |= term.compare(output)
        return values

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Sum the scalars that have a weight, weighted.

        Raises
        ------
        ConfigurationError
            If none has a weight.
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
        return cast(Tensor, sum(weighted))


def _terms_of_version_0_1(mel: MelLoss) -> dict[str, Term]:
    """Make the terms of version 0.1, in their order."""
    return {
        "mel": mel,
        "amplitude": AmplitudeLoss(),
        "weighted_amplitude": WeightedAmplitudeLoss(
            len(mel.bin_weights), mel.sample_rate
        ),
        "phase": PhaseLoss(),
        "weighted_phase": WeightedPhaseLoss(),
        "complex": ComplexLoss(),
        "intelligibility": IntelligibilityLoss(mel.sample_rate),
        "multi_resolution": MultiResolutionLoss(mel.sample_rate),
        "quantizer": QuantizerLoss(),
    }
