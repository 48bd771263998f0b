"""The tokens of all codebooks as one vocabulary.

Codebook ``k`` gets the ids ``k * C`` to ``k * C + C - 1``, so that one
embedding table serves all; the special ids follow the last codebook.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import APCodecError


def token_index_offsets(num_codebooks, codebook_size, device=None):
    """Compute where each codebook begins in the flat vocabulary.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C.
    device : torch.device, optional
        Where the result shall be.

    Returns
    -------
    torch.Tensor
        int64 [codebooks]: 0, C, 2 C...

    Example
    -------
    >>> token_index_offsets(4, 1024)
    tensor([   0, 1024, 2048, 3072])
    """
    return codebook_size * torch.arange(num_codebooks, device=device)


def flatten(tokens, codebook_size):
    """Put the tokens of a frame one behind the other, with offsets.

    Arguments
    ---------
    tokens : torch.Tensor
        int64 [batch, frames, codebooks]; special ids may be among them.
    codebook_size : int
        C.

    Returns
    -------
    torch.Tensor
        int64 [batch, frames * codebooks]: ids below K * C, and the special
        ones of ``SpecialTokens(K * C)``.

    Example
    -------
    >>> flatten(torch.tensor([[[5, 6], [7, 8]]]), codebook_size=10)
    tensor([[ 5, 16,  7, 18]])
    """
    num_codebooks = tokens.shape[-1]
    offsets = token_index_offsets(num_codebooks, codebook_size, tokens.device)
    # All codebooks share the special ids.
    offsets = torch.where(
        tokens < codebook_size, offsets, (num_codebooks - 1) * codebook_size
    )
    return (tokens + offsets).flatten(1)


def unflatten(flat, num_codebooks, codebook_size):
    """Undo ``flatten``.

    Arguments
    ---------
    flat : torch.Tensor
        int64 [batch, frames * codebooks].
    num_codebooks : int
        K.
    codebook_size : int
        C.

    Returns
    -------
    torch.Tensor
        int64 [batch, frames, codebooks].

    Raises
    ------
    APCodecError
        If an id stands where another codebook's belongs, or a frame is
        incomplete.

    Example
    -------
    >>> unflatten(torch.tensor([[5, 16, 7, 18]]), 2, codebook_size=10)
    tensor([[[5, 6],
             [7, 8]]])
    """
    if flat.shape[1] % num_codebooks:
        raise APCodecError(
            f"{flat.shape[1]} flat tokens are no whole frames of "
            f"{num_codebooks} codebooks: cut or complete the last frame"
        )
    tokens = flat.unflatten(1, (-1, num_codebooks))
    offsets = token_index_offsets(num_codebooks, codebook_size, flat.device)
    special = tokens - (num_codebooks - 1) * codebook_size
    is_special = special >= codebook_size
    tokens = torch.where(is_special, special, tokens - offsets)
    belongs = (tokens >= 0) & (tokens < codebook_size)
    last = SpecialTokens(codebook_size).eos
    if not torch.where(is_special, tokens <= last, belongs).all():
        raise APCodecError(
            "flat tokens stand at the place of another codebook: position n "
            f"must hold a token of codebook n modulo {num_codebooks}"
        )
    return tokens
