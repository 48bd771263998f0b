"""How much of its codebooks a set of tokens uses.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch


def count_tokens(tokens, codebook_size):
    """Count how often each codeword of each codebook occurs.

    Arguments
    ---------
    tokens : torch.Tensor
        int64 [..., codebooks]; negative numbers stand for no token.
    codebook_size : int
        Codewords of a codebook.

    Returns
    -------
    torch.Tensor
        int64 [codebooks, codewords].

    Raises
    ------
    ValueError
        If a token is larger than the codebook.

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
    # One bin more takes what is no token.
    shifted = tokens.flatten(0, -2).clamp(min=-1) + 1
    return torch.stack(
        [
            torch.bincount(index, minlength=codebook_size + 1)[1:]
            for index in shifted.unbind(-1)
        ]
    )


def usage_and_perplexity(counts):
    """Turn counts into usage and perplexity.

    Arguments
    ---------
    counts : torch.Tensor
        int64 [codebooks, codewords].

    Returns
    -------
    usage : torch.Tensor
        float64 [codebooks]: the share of codewords that occur, 0 to 1.
    perplexity : torch.Tensor
        float64 [codebooks]: the exponential of the entropy in nats, from 1
        (a single codeword) to the number of codewords (equal use); 1 where
        there are no tokens.

    Example
    -------
    >>> usage_and_perplexity(torch.tensor([[2, 2, 0, 0], [4, 0, 0, 0]]))
    (tensor([0.5000, 0.2500], dtype=torch.float64), \
tensor([2., 1.], dtype=torch.float64))
    """
    shares = counts.double() / counts.sum(-1, keepdim=True).clamp(min=1)
    entropy = -torch.xlogy(shares, shares).sum(-1)
    return (counts > 0).double().mean(-1), entropy.exp()
