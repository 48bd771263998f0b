"""Quantiser dropout: some items are coded with fewer codebooks.

So a model learns to decode fewer codebooks than it has.

Source: https://arxiv.org/abs/2107.03312 (SoundStream, section III-C)

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
