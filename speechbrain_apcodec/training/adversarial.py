"""The passes of the two players of the GAN.

Nothing is computed in vain: the discriminators' weights are frozen in the
generator's pass, and the features of real speech carry no gradient there.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from speechbrain_apcodec.utils.types import Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.losses.codec import CodecLoss


def discriminator_terms(
    discriminators: nn.Module, loss: CodecLoss, wavs: Wavs, decoded: Wavs
) -> dict[str, Tensor]:
    """Judge real and decoded speech, to train the discriminators.

    They are ``lobes.discriminators.Discriminators``, wrapped by DDP or not.
    """
    discriminators.requires_grad_(True)
    # One pass over both, as DDP needs and as is faster.
    outputs = discriminators(torch.cat([wavs, decoded.detach()]))
    real, fake = (
        {
            name: [
                (score[items], [feature_map[items] for feature_map in maps])
                for score, maps in sub_outputs
            ]
            for name, sub_outputs in outputs.items()
        }
        for items in (slice(None, len(wavs)), slice(len(wavs), None))
    )
    return loss.discriminator(real, fake)


def adversarial_terms(
    discriminators: nn.Module, loss: CodecLoss, wavs: Wavs, decoded: Wavs
) -> dict[str, Tensor]:
    """Judge with frozen discriminators, to train the generator."""
    if isinstance(discriminators, DistributedDataParallel):
        # Past DDP, whose hooks would wait for gradients that never come.
        discriminators = discriminators.module
    discriminators.requires_grad_(False)
    with torch.no_grad():
        real = discriminators(wavs)
    return loss.adversarial(real, discriminators(decoded))


def level_gain(wavs: Wavs, level_db: float | None) -> Tensor:
    """Find the gains, [batch, 1], that bring all items to one RMS level.

    To a discriminator that begins near zero, quiet speech and its decoding
    look alike: it learns several times faster from items of one level, dBFS.
    None leaves the levels alone. Silence is raised by 60 dB at most.

    Example
    -------
    >>> level_gain(torch.full((1, 8), 0.01), level_db=-20.0)
    tensor([[10.]])
    """
    if level_db is None:
        return torch.ones_like(wavs[:, :1])
    level = wavs.square().mean(dim=1, keepdim=True).sqrt()
    target = 10 ** (level_db / 20)
    return target / level.clamp(min=target / 1000)
