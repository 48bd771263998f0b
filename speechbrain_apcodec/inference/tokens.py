"""Tokens for models that predict them.

What a recipe needs of a codec whose tokens are its targets: their embeddings,
one vocabulary for all codebooks, and silence. How tokens become sequences is
in ``speechbrain_apcodec.tokens``. Nothing here changes its input.

These functions are methods of ``APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.inference.checks import (
    check_num_codebooks,
    check_tokens,
    tokens_without_padding,
)
from speechbrain_apcodec.tokens import flattening
from speechbrain_apcodec.utils.types import Tokens

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


def embeddings(codec: APCodec, tokens: Tokens) -> Tensor:
    """Look up the codeword of each token.

    Arguments
    ---------
    codec : APCodec
        The codec.
    tokens : torch.Tensor
        Integers [batch, frames, codebooks] from 0 to C - 1.

    Returns
    -------
    torch.Tensor
        float [batch, frames, codebooks, latent_dim]; the sum over the
        codebooks is ``latents(tokens)``.

    Raises
    ------
    APCodecError
        If the tokens have a wrong shape, type or value.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams(run_opts={"device": "cpu"})
    >>> tokens, _ = codec.encode(torch.zeros(1, 960))
    >>> codec.embeddings(tokens).shape, codec.vocabulary.shape
    (torch.Size([1, 3, 4, 32]), torch.Size([4, 1024, 32]))
    >>> torch.equal(codec.embeddings(tokens).sum(2), codec.latents(tokens))
    True
    >>> torch.equal(codec.unflatten(codec.flatten(tokens)), tokens)
    True
    >>> codec.special_tokens.pad, codec.special_tokens.vocabulary_size
    (1024, 1027)
    """
    tokens = _checked(codec, tokens)
    return codec.mods["codec"].quantizer.embeddings(tokens)


def latents(codec: APCodec, tokens: Tokens) -> Tensor:
    """Compute the quantised latent, which the decoder reads.

    Arguments
    ---------
    codec : APCodec
        The codec.
    tokens : torch.Tensor
        As for ``embeddings``.

    Returns
    -------
    torch.Tensor
        float [batch, frames, latent_dim].
    """
    tokens = _checked(codec, tokens)
    return codec.mods["codec"].quantizer.decode(tokens).transpose(1, 2)


def flatten(codec: APCodec, tokens: Tokens) -> Tensor:
    """Put the codebooks' tokens into one vocabulary, frame by frame.

    Arguments
    ---------
    codec : APCodec
        The codec.
    tokens : torch.Tensor
        int64 [batch, frames, K].

    Returns
    -------
    torch.Tensor
        int64 [batch, frames * K], ids below K * C, and special ones from
        K * C on.

    Raises
    ------
    APCodecError
        If the tokens are no integers [batch, frames, K].
    """
    check_tokens(tokens, codec.num_codebooks)
    return flattening.flatten(tokens, codec.codebook_size)


def unflatten(
    codec: APCodec, flat: Tensor, num_codebooks: int | None = None
) -> Tokens:
    """Undo ``flatten``.

    Arguments
    ---------
    codec : APCodec
        The codec.
    flat : torch.Tensor
        int64 [batch, frames * codebooks].
    num_codebooks : int, optional
        Codebooks of the tokens that were flattened; default: all.

    Returns
    -------
    torch.Tensor
        int64 [batch, frames, codebooks].

    Raises
    ------
    APCodecError
        If the ids are not those of flattened tokens.
    """
    num_codebooks = check_num_codebooks(num_codebooks, codec.num_codebooks)
    return flattening.unflatten(flat, num_codebooks, codec.codebook_size)


def silence_tokens(codec: APCodec, num_frames: int) -> Tensor:
    """Encode digital silence.

    Arguments
    ---------
    codec : APCodec
        The codec.
    num_frames : int
        Frames wanted.

    Returns
    -------
    torch.Tensor
        int64 [frames, K].
    """
    silence = torch.zeros(1, num_frames * codec.hop_length)
    return codec.encode(silence)[0][0]


def _checked(codec: APCodec, tokens: Tokens) -> Tokens:
    check_tokens(tokens, codec.num_codebooks)
    tokens = tokens.to(codec.device, torch.int64)
    return tokens_without_padding(tokens, None, codec.codebook_size)
