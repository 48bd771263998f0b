"""Quantiser dropout: some items are coded with fewer codebooks.

So a model learns to decode fewer codebooks than it has.

Source: https://arxiv.org/abs/2107.03312 (SoundStream, section III-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch


def draw_num_codebooks(
    batch_size: int, most: int, share: float, seed: int
) -> torch.Tensor | None:
    """Choose the number of codebooks of each item.

    Arguments
    ---------
    batch_size : int
        Number of items.
    most : int
        Codebooks of the model.
    share : float
        Share of the items, on average, that draw from 1 to ``most``; the
        others have ``most``.
    seed : int
        The same numbers for the same seed.

    Returns
    -------
    torch.Tensor or None
        int64 [batch]; None if all items have all codebooks.

    Example
    -------
    >>> draw_num_codebooks(3, most=4, share=0.0, seed=0) is None
    True
    >>> draw_num_codebooks(6, most=4, share=0.5, seed=0)
    tensor([4, 4, 2, 4, 2, 4])
    """
    if not share:
        return None
    generator = torch.Generator().manual_seed(seed)
    fewer = torch.rand(batch_size, generator=generator) < share
    number = torch.randint(1, most + 1, (batch_size,), generator=generator)
    return torch.where(fewer, number, most)
