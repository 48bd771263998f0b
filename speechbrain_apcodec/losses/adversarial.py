"""Hinge GAN and feature-matching losses.

SpeechBrain's HiFi-GAN recipe has least-squares losses of this kind; the
codec's are hinge losses and summed over the discriminators.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from torch import nn
from torch.nn import functional as F


class GeneratorAdversarialLoss(nn.Module):
    """What the generator is told by each discriminator.

    Example
    -------
    >>> import torch
    >>> fake = {"mpd": [(torch.zeros(1, 5), [torch.ones(1, 2)])]}
    >>> real = {"mpd": [(torch.ones(1, 5), [torch.zeros(1, 2)])]}
    >>> GeneratorAdversarialLoss()(real, fake)
    {'mpd_generator': tensor(1.), 'mpd_feature_matching': tensor(1.)}
    """

    def forward(self, real, fake):
        """Compare what the discriminators say of real and decoded speech.

        Arguments
        ---------
        real : dict
            From a discriminator's name to its list of (score, feature
            maps) for real waveforms, without gradient.
        fake : dict
            The same for decoded waveforms.

        Returns
        -------
        dict
            ``NAME_generator``: mean max(0, 1 - D), summed over the
            sub-discriminators; ``NAME_feature_matching``: mean L1 of each
            feature map, summed over all maps; scalars.
        """
        terms = {}
        for name, outputs in fake.items():
            terms[f"{name}_generator"] = sum(
                F.relu(1 - score.float()).mean() for score, _ in outputs
            )
            terms[f"{name}_feature_matching"] = sum(
                F.l1_loss(fake_map.float(), real_map.float())
                for (_, fake_maps), (_, real_maps) in zip(
                    outputs, real[name], strict=True
                )
                for fake_map, real_map in zip(fake_maps, real_maps, strict=True)
            )
        return terms


class DiscriminatorLoss(nn.Module):
    """Hinge loss of each discriminator.

    Example
    -------
    >>> import torch
    >>> fake = {"mpd": [(torch.zeros(1, 5), [])]}
    >>> real = {"mpd": [(torch.ones(1, 5), [])]}
    >>> DiscriminatorLoss()(real, fake)
    {'mpd_discriminator': tensor(1.)}
    """

    def forward(self, real, fake):
        """Judge the judges.

        Arguments
        ---------
        real : dict
            From a discriminator's name to its list of (score, feature
            maps) for real waveforms.
        fake : dict
            The same for decoded waveforms.

        Returns
        -------
        dict
            ``NAME_discriminator``: mean max(0, 1 - D(real)) plus mean
            max(0, 1 + D(fake)), summed over the sub-discriminators; scalars.
        """
        return {
            f"{name}_discriminator": sum(
                F.relu(1 - real_score.float()).mean()
                + F.relu(1 + fake_score.float()).mean()
                for (real_score, _), (fake_score, _) in zip(
                    real[name], fake[name], strict=True
                )
            )
            for name in fake
        }
