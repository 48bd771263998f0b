"""What waveforms, tokens and lengths must be like at the interface.

A wrong shape or value gets one clear line here, instead of an error from
deep inside the network or, worse, none.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from numbers import Integral

import torch

from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.levels import peak_level, warn_of_level


def check_wavs(wavs):
    """Refuse what is no batch of waveforms.

    Arguments
    ---------
    wavs : torch.Tensor
        float [batch, samples], finite; full scale is -1 to 1.

    Raises
    ------
    APCodecError
        If it is anything else.

    Example
    -------
    >>> check_wavs(torch.zeros(100))
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.APCodecError: wavs must be a float \
tensor [batch, samples], not float32 [100]
    """
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


def check_tokens(tokens, most_codebooks):
    """Refuse what is no batch of tokens.

    Arguments
    ---------
    tokens : torch.Tensor
        Integers [batch, frames, codebooks].
    most_codebooks : int
        Codebooks of the model.

    Raises
    ------
    APCodecError
        If it is anything else.

    Example
    -------
    >>> check_tokens(torch.zeros(1, 3, 5).long(), 4)
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.APCodecError: the model has 1 to 4 \
codebooks, not 5
    """
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


def whole_number(value, name):
    """Take an integer, of Python or NumPy, and nothing else.

    Arguments
    ---------
    value : int or numpy.integer
        What a caller gave.
    name : str
        What it is, for the message.

    Returns
    -------
    int

    Raises
    ------
    APCodecError
        If it is a float, a bool or no number at all.

    Example
    -------
    >>> import numpy
    >>> whole_number(numpy.int64(3), "num_codebooks")
    3
    """
    if not is_whole_number(value):
        raise APCodecError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def check_num_samples(num_samples: int, covered: int) -> int:
    """Refuse lengths of waveforms that the tokens do not cover.

    Arguments
    ---------
    num_samples : int
        Length wanted.
    covered : int
        Samples of the tokens' frames.

    Returns
    -------
    int

    Raises
    ------
    APCodecError
        If it is longer, negative or no integer.
    """
    num_samples = whole_number(num_samples, "num_samples")
    if not 0 <= num_samples <= covered:
        raise APCodecError(
            f"the tokens hold up to {covered} samples, but num_samples is "
            f"{num_samples}"
        )
    return num_samples


def is_whole_number(value):
    """Tell Python's and NumPy's integers from everything else.

    Arguments
    ---------
    value : object
        ``True`` is none, though Python counts it among them.

    Returns
    -------
    bool

    Example
    -------
    >>> is_whole_number(3), is_whole_number(True), is_whole_number(3.0)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_num_codebooks(num_codebooks: int | None, most_codebooks: int) -> int:
    """Refuse numbers of codebooks that the model does not have.

    Arguments
    ---------
    num_codebooks : int, optional
        Codebooks to use; default: all.
    most_codebooks : int
        Codebooks of the model.

    Returns
    -------
    int

    Raises
    ------
    APCodecError
        If there are not so many, or none.

    Example
    -------
    >>> check_num_codebooks(2, 4), check_num_codebooks(None, 4)
    (2, 4)
    """
    if num_codebooks is None:
        return most_codebooks
    if not (
        is_whole_number(num_codebooks) and 1 <= num_codebooks <= most_codebooks
    ):
        raise APCodecError(
            f"the model has 1 to {most_codebooks} codebooks, not "
            f"{num_codebooks}"
        )
    return int(num_codebooks)


def tokens_without_padding(tokens, num_frames, codebook_size):
    """Put 0 into the padding; every other token must exist.

    Arguments
    ---------
    tokens : torch.Tensor
        int64 [batch, frames, codebooks].
    num_frames : torch.Tensor or None
        int64 [batch], frames of each item; None: all.
    codebook_size : int
        Codewords of a codebook.

    Returns
    -------
    torch.Tensor
        int64 [batch, frames, codebooks].

    Raises
    ------
    APCodecError
        If a token is not from 0 to codebook_size - 1.

    Example
    -------
    >>> tokens = torch.tensor([[[5], [9]]])
    >>> tokens_without_padding(tokens, torch.tensor([1]), 8).flatten()
    tensor([5, 0])
    """
    if num_frames is not None:
        frames = torch.arange(tokens.shape[1], device=tokens.device)
        tokens = tokens * (frames < num_frames[:, None])[:, :, None]
    if ((tokens < 0) | (tokens >= codebook_size)).any():
        raise APCodecError(
            f"tokens must be from 0 to {codebook_size - 1}, but go from "
            f"{tokens.min().item()} to {tokens.max().item()}"
        )
    return tokens


def absolute_lengths(lengths, batch, name):
    """Turn relative lengths into integers: round(length * longest).

    Arguments
    ---------
    lengths : torch.Tensor or None
        float [batch], from 0 to 1.
    batch : torch.Tensor
        [batch, longest, ...].
    name : str
        What the error message calls the lengths.

    Returns
    -------
    torch.Tensor or None
        int64 [batch], on the device of the batch; None stays None.

    Raises
    ------
    APCodecError
        If there is not one length from 0 to 1 for each item.

    Example
    -------
    >>> absolute_lengths(torch.tensor([0.5, 1]), torch.zeros(2, 7), "lengths")
    tensor([4, 7])
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


def relative_lengths(lengths, longest):
    """Turn integers into relative lengths.

    Arguments
    ---------
    lengths : torch.Tensor
        int64 [batch].
    longest : int
        What is 1; if that is 0, so is everything, and each length is 1.

    Returns
    -------
    torch.Tensor
        float32 [batch].

    Example
    -------
    >>> relative_lengths(torch.tensor([1, 4]), 4)
    tensor([0.2500, 1.0000])
    """
    if longest == 0:
        return torch.ones(lengths.shape, device=lengths.device)
    return (lengths.double() / longest).float()


def _describe(value):
    """Say what was given instead of the tensor asked for."""
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype} {list(value.shape)}"
    return type(value).__name__
