"""Checks of waveforms, tokens and lengths at the interface.

A wrong shape or value gets one clear line here, instead of an error from
deep inside the network or, worse, none.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from numbers import Integral
from typing import TypeGuard

import torch
from torch import Tensor

from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.levels import peak_level, warn_of_level
from speechbrain_apcodec.utils.types import Lengths, Tokens, Wavs


def check_wavs(wavs: Wavs) -> None:
    """Refuse all but a batch of finite waveforms; warn of too loud ones."""
    if not (
        isinstance(wavs, torch.Tensor)
        and wavs.dim() == 2
        and len(wavs) > 0
        and wavs.is_floating_point()
    ):
        raise APCodecError(
            "wavs must be a float tensor [batch, samples], not "
            f"{_describe(wavs)}"
        )
    peak = peak_level(wavs)
    if not math.isfinite(peak):
        raise APCodecError("wavs holds NaN or infinite samples")
    warn_of_level(peak)


def check_tokens(tokens: Tokens, most_codebooks: int) -> None:
    """Refuse all but a batch of integers of 1 to so many codebooks."""
    if not (
        isinstance(tokens, torch.Tensor)
        and tokens.dim() == 3
        and len(tokens) > 0
        and not tokens.is_floating_point()
        and tokens.dtype != torch.bool
    ):
        raise APCodecError(
            "tokens must be an integer tensor [batch, frames, codebooks], "
            f"not {_describe(tokens)}"
        )
    check_num_codebooks(tokens.shape[2], most_codebooks)


def whole_number(value: object, name: str) -> int:
    """Take an integer, of Python or NumPy, and nothing else."""
    if not _is_whole_number(value):
        raise APCodecError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def check_num_samples(num_samples: int | None, covered: int) -> int:
    """Refuse a length that tokens do not cover; the default is all."""
    if num_samples is None:
        return covered
    num_samples = whole_number(num_samples, "num_samples")
    if not 0 <= num_samples <= covered:
        raise APCodecError(
            f"the tokens hold up to {covered} samples, but num_samples is "
            f"{num_samples}"
        )
    return num_samples


def _is_whole_number(value: object) -> TypeGuard[int]:
    """Accept the integers of Python and NumPy, but not ``True``."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_num_codebooks(num_codebooks: int | None, most_codebooks: int) -> int:
    """Refuse a number of codebooks that the model lacks; the default is all."""
    if num_codebooks is None:
        return most_codebooks
    if not (
        _is_whole_number(num_codebooks) and 1 <= num_codebooks <= most_codebooks
    ):
        raise APCodecError(
            f"the model has 1 to {most_codebooks} codebooks, not "
            f"{num_codebooks}"
        )
    return int(num_codebooks)


def tokens_without_padding(
    tokens: Tokens, num_frames: Tensor | None, codebook_size: int
) -> Tokens:
    """Put 0 into the padding beyond ``num_frames``; other tokens must exist."""
    if num_frames is not None:
        frames = torch.arange(tokens.shape[1], device=tokens.device)
        tokens = tokens * (frames < num_frames[:, None])[:, :, None]
    if ((tokens < 0) | (tokens >= codebook_size)).any():
        raise APCodecError(
            f"tokens must be from 0 to {codebook_size - 1}, but go from "
            f"{tokens.min().item()} to {tokens.max().item()}"
        )
    return tokens


def absolute_lengths(
    lengths: Lengths | None, batch: Tensor, name: str
) -> Tensor | None:
    """Turn relative lengths into int64: round(length * longest).

    None stays None. ``batch`` is [batch, longest, ...], and the error message
    calls the lengths ``name``.
    """
    if lengths is None:
        return None
    lengths = torch.as_tensor(lengths, device=batch.device)
    # NaN fails the comparison too.
    if (
        lengths.shape != batch.shape[:1]
        or not ((lengths >= 0) & (lengths <= 1)).all()
    ):
        raise APCodecError(
            f"{name} must hold {len(batch)} relative lengths from 0 to 1"
        )
    # In float32 the product itself would be rounded.
    return torch.round(lengths.double() * batch.shape[1]).long()


def relative_lengths(lengths: Tensor, longest: int) -> Lengths:
    """Turn int64 [batch] into relative lengths, all 1 if the longest is 0."""
    if longest == 0:
        return torch.ones(lengths.shape, device=lengths.device)
    return (lengths.double() / longest).float()


def _describe(value: object) -> str:
    """Describe a value that is not the tensor asked for."""
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype} {list(value.shape)}"
    return type(value).__name__
