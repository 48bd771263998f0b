"""Hinge GAN and feature-matching losses.

SpeechBrain's HiFi-GAN recipe has least-squares losses of this kind; the
codec's are hinge losses and summed over the discriminators. Both losses take
the ``Scores`` of each discriminator by its name, of real and of decoded
waveforms, and return scalars by name.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable, Mapping
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.discriminators import Scores


class GeneratorAdversarialLoss(nn.Module):
    """Hinge and feature-matching loss of the generator.

    ``NAME_generator`` is the mean of max(0, 1 - D), summed over the
    sub-discriminators, and ``NAME_feature_matching`` the mean L1 distance of
    each feature map, summed over all maps.

    Example
    -------
    >>> import torch
    >>> fake = {"mpd": [(torch.zeros(1, 5), [torch.ones(1, 2)])]}
    >>> real = {"mpd": [(torch.ones(1, 5), [torch.zeros(1, 2)])]}
    >>> GeneratorAdversarialLoss()(real, fake)
    {'mpd_generator': tensor(1.), 'mpd_feature_matching': tensor(1.)}
    """

    def forward(
        self, real: Mapping[str, Scores], fake: Mapping[str, Scores]
    ) -> dict[str, Tensor]:
        """Compute the loss; ``real`` has no gradient."""
        terms = {}
        for name, outputs in fake.items():
            terms[f"{name}_generator"] = _sum(
                F.relu(1 - score.float()).mean() for score, _ in outputs
            )
            terms[f"{name}_feature_matching"] = _sum(
                F.l1_loss(fake_map.float(), real_map.float())
                for (_, fake_maps), (_, real_maps) in zip(
                    outputs, real[name], strict=True
                )
                for fake_map, real_map in zip(fake_maps, real_maps, strict=True)
            )
        return terms


class DiscriminatorLoss(nn.Module):
    """Hinge loss of each discriminator.

    ``NAME_discriminator`` is the mean of max(0, 1 - D(real)) plus the mean of
    max(0, 1 + D(fake)), summed over the sub-discriminators.

    Example
    -------
    >>> import torch
    >>> fake = {"mpd": [(torch.zeros(1, 5), [])]}
    >>> real = {"mpd": [(torch.ones(1, 5), [])]}
    >>> DiscriminatorLoss()(real, fake)
    {'mpd_discriminator': tensor(1.)}
    """

    def forward(
        self, real: Mapping[str, Scores], fake: Mapping[str, Scores]
    ) -> dict[str, Tensor]:
        """Compute the loss."""
        return {
            f"{name}_discriminator": _sum(
                F.relu(1 - real_score.float()).mean()
                + F.relu(1 + fake_score.float()).mean()
                for (real_score, _), (fake_score, _) in zip(
                    real[name], fake[name], strict=True
                )
            )
            for name in fake
        }


def _sum(values: Iterable[Tensor]) -> Tensor:
    return cast(Tensor, sum(values))
