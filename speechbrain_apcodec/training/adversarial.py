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


def level_gain(wavs: torch.Tensor, level_db: float | None) -> torch.Tensor:
    """Find the gain with which discriminators hear every item equally loud.

    To a discriminator that begins near zero, quiet speech and its decoding
    look alike: it learns several times faster from items of one level.

    Arguments
    ---------
    wavs : torch.Tensor
        float [batch, samples], real.
    level_db : float or None
        RMS level to reach, dBFS; None: the level stays.

    Returns
    -------
    torch.Tensor
        float [batch, 1], for the real and for the decoded waveforms. Silence
        is raised by 60 dB at most.

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


def _part(outputs, items):
    """Take some items of every score and feature map."""
    return {
        name: [
            (score[items], [feature_map[items] for feature_map in maps])
            for score, maps in sub_outputs
        ]
        for name, sub_outputs in outputs.items()
    }
