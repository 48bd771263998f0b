"""The tokens of all codebooks as one vocabulary.

Codebook ``k`` gets the ids ``k * C`` to ``k * C + C - 1``, so that one
embedding table serves all; the special ids follow the last codebook.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor

from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import Tokens


def token_index_offsets(
    num_codebooks: int,
    codebook_size: int,
    device: torch.device | str | None = None,
) -> Tensor:
    """Compute the first id of each codebook in the flat vocabulary.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C.
    device : torch.device, optional
        Device of the result.

    Returns
    -------
    int64 [codebooks]
        0, C, 2 C...

    Example
    -------
    >>> token_index_offsets(4, 1024)
    tensor([   0, 1024, 2048, 3072])
    """
    return codebook_size * torch.arange(num_codebooks, device=device)


def flatten(tokens: Tokens, codebook_size: int) -> Tensor:
    """Put the tokens of a frame one after the other, with offsets.

    Arguments
    ---------
    tokens : int64 [batch, frames, codebooks]
        Special ids may be among them.
    codebook_size : int
        C.

    Returns
    -------
    int64 [batch, frames * codebooks]
        Ids below K * C, and the special ones of ``SpecialTokens(K * C)``.

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


def unflatten(flat: Tensor, num_codebooks: int, codebook_size: int) -> Tokens:
    """Undo ``flatten``.

    Arguments
    ---------
    flat : int64 [batch, frames * codebooks]
    num_codebooks : int
        K.
    codebook_size : int
        C.

    Returns
    -------
    int64 [batch, frames, codebooks]

    Raises
    ------
    APCodecError
        If an id stands in the position of another codebook, or a frame is
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
    is_ordinary = (tokens >= 0) & (tokens < codebook_size)
    last = SpecialTokens(codebook_size).eos
    if not torch.where(is_special, tokens <= last, is_ordinary).all():
        raise APCodecError(
            "flat tokens stand at the place of another codebook: position n "
            f"must hold a token of codebook n modulo {num_codebooks}"
        )
    return tokens
