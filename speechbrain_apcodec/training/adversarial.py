"""The passes of the two players of the GAN.

Nothing is computed that is thrown away: the discriminators' weights are
frozen in the generator's pass, and the features of real speech carry no
gradient there.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch.nn.parallel import DistributedDataParallel


def discriminator_terms(discriminators, loss, wavs, decoded):
    """Let the discriminators judge, to train them.

    Arguments
    ---------
    discriminators : torch.nn.Module
        ``lobes.discriminators.Discriminators``, wrapped by DDP or not.
    loss : speechbrain_apcodec.losses.codec.CodecLoss
        The loss.
    wavs : torch.Tensor
        float [batch, samples], real.
    decoded : torch.Tensor
        float [batch, samples].

    Returns
    -------
    dict
        From a term's name to a scalar.
    """
    discriminators.requires_grad_(True)
    # One pass over both, which DDP wants and kernels like.
    both = discriminators(torch.cat([wavs, decoded.detach()]))
    real = _part(both, slice(None, len(wavs)))
    fake = _part(both, slice(len(wavs), None))
    return loss.discriminator(real, fake)


def adversarial_terms(discriminators, loss, wavs, decoded):
    """Let the frozen discriminators judge, to train the generator.

    Arguments
    ---------
    discriminators : torch.nn.Module
        ``lobes.discriminators.Discriminators``, wrapped by DDP or not.
    loss : speechbrain_apcodec.losses.codec.CodecLoss
        The loss.
    wavs : torch.Tensor
        float [batch, samples], real.
    decoded : torch.Tensor
        float [batch, samples], with gradient.

    Returns
    -------
    dict
        From a term's name to a scalar.
    """
    if isinstance(discriminators, DistributedDataParallel):
        # Past DDP, whose hooks would wait for gradients that never come.
        discriminators = discriminators.module
    discriminators.requires_grad_(False)
    with torch.no_grad():
        real = discriminators(wavs)
    return loss.adversarial(real, discriminators(decoded))


def _part(outputs, items):
    """Take some items of every score and feature map."""
    return {
        name: [
            (score[items], [feature_map[items] for feature_map in maps])
            for score, maps in sub_outputs
        ]
        for name, sub_outputs in outputs.items()
    }
