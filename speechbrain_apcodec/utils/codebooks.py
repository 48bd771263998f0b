"""How much of its codebooks a set of tokens uses.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor


def count_tokens(tokens: Tensor, codebook_size: int) -> Tensor:
    """Count how often each codeword of each codebook occurs.

    Tokens are int64 [..., codebooks]; negative ones stand for no token and are
    not counted. Counts are int64 [codebooks, codewords].

    Example
    -------
    >>> count_tokens(torch.tensor([[0, 2], [0, -1]]), 3)
    tensor([[2, 0, 0],
            [0, 0, 1]])
    """
    if tokens.numel() and tokens.max() >= codebook_size:
        raise ValueError(
            f"a token is {tokens.max()}, but a codebook has only "
            f"{codebook_size} entries: 0 to {codebook_size - 1}"
        )
    # An extra bin counts the negative ones.
    shifted = tokens.flatten(0, -2).clamp(min=-1) + 1
    return torch.stack(
        [
            torch.bincount(index, minlength=codebook_size + 1)[1:]
            for index in shifted.unbind(-1)
        ]
    )


def usage_and_perplexity(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Turn int64 [codebooks, codewords] into two float64 [codebooks].

    Usage is the share of codewords that occur. Perplexity is the exponential of
    the entropy in nats, from 1 (a single codeword, or no tokens) to the number
    of codewords (equal use).

    Example
    -------
    >>> usage_and_perplexity(torch.tensor([[2, 2, 0, 0], [4, 0, 0, 0]]))
    (tensor([0.5000, 0.2500], dtype=torch.float64), \
tensor([2., 1.], dtype=torch.float64))
    """
    shares = counts.double() / counts.sum(-1, keepdim=True).clamp(min=1)
    entropy = -torch.xlogy(shares, shares).sum(-1)
    return (counts > 0).double().mean(-1), entropy.exp()
