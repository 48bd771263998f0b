"""Quantiser dropout: some items are coded with fewer codebooks, or none.

With fewer, a model learns to decode fewer codebooks than it has. Without any,
the decoder learns to use what is too faint in the latent to be quantised, and
then asks the encoder for more of it.

Sources: https://arxiv.org/abs/2107.03312 (SoundStream, section III-C),
https://arxiv.org/abs/2508.05207 (SpectroStream)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor


def draw_num_codebooks(
    batch_size: int, most: int, share: float, seed: int
) -> Tensor | None:
    """Choose the number of codebooks of each item, int64 [batch].

    On average a share of the items draws from 1 to ``most``; the others have
    ``most``. None stands for all codebooks of all items.

    Example
    -------
    >>> draw_num_codebooks(6, most=4, share=0.5, seed=0)
    tensor([4, 4, 2, 4, 2, 4])
    """
    if not share:
        return None
    generator = torch.Generator().manual_seed(seed)
    fewer = torch.rand(batch_size, generator=generator) < share
    number = torch.randint(1, most + 1, (batch_size,), generator=generator)
    return torch.where(fewer, number, most)


def draw_quantized(batch_size: int, bypass: float, seed: int) -> Tensor | bool:
    """Choose the items that are quantised, bool [batch].

    On average all but a share of ``bypass``. True stands for all.

    Example
    -------
    >>> draw_quantized(6, bypass=0.5, seed=0)
    tensor([False,  True, False, False, False,  True])
    """
    if not bypass:
        return True
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch_size, generator=generator) >= bypass
