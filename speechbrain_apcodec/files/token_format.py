"""What the formats for tokens share: limits of fields, and tokens as bits.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import numpy

from speechbrain_apcodec.utils.containers import SAMPLE_RATES
from speechbrain_apcodec.utils.errors import BitstreamError

#: Range of each number that a header may hold.
LIMITS = {
    "codec_rate": SAMPLE_RATES,
    "sample_rate": SAMPLE_RATES,
    "num_samples": (1, 2**40),
    "hop_length": (1, 2**20),
    "num_codebooks": (1, 2**10),
    "codebook_size": (2, 2**24),
    "channels": (1, 2**10),
}

# Packed at once; a multiple of 8 tokens always fills whole bytes.
_BLOCK_TOKENS = 1 << 16


def check_fields(header, kind):
    """Refuse a header that holds what no file may hold.

    Arguments
    ---------
    header : object
        Its attributes are numbers of ``LIMITS``, and strings.
    kind : str
        What the error message calls a file of this format.

    Raises
    ------
    BitstreamError
        If a value is out of its range.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> check_fields(SimpleNamespace(channels=0), "an .apc file")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.BitstreamError: channels is 0, which an \
.apc file cannot hold: it must be from 1 to 1024
    """
    for name, value in vars(header).items():
        if isinstance(value, str):
            if not (value.isprintable() and 1 <= len(value.encode()) <= 255):
                raise BitstreamError(
                    f"{name} {value!r} is not 1 to 255 bytes of printable "
                    "text: rename it"
                )
            continue
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise BitstreamError(
                f"{name} is {value}, which {kind} cannot hold: "
                f"it must be from {low} to {high}"
            )


def bits_per_token(codebook_size):
    """Count the bits of a token.

    Arguments
    ---------
    codebook_size : int
        Codewords in a codebook, C.

    Returns
    -------
    int
        ceil(log2(codebook_size)).

    Example
    -------
    >>> bits_per_token(1024), bits_per_token(1025)
    (10, 11)
    """
    return (codebook_size - 1).bit_length()


def packed_bytes(num_tokens, codebook_size):
    """Count the bytes of packed tokens.

    Arguments
    ---------
    num_tokens : int
        Number of tokens.
    codebook_size : int
        Codewords in a codebook.

    Returns
    -------
    int

    Example
    -------
    >>> packed_bytes(5, 1024)
    7
    """
    return -(-num_tokens * bits_per_token(codebook_size) // 8)


def pack_tokens(tokens, codebook_size):
    """Write each token in its bits, most significant bit first.

    Arguments
    ---------
    tokens : numpy.ndarray
        Integers of any shape, at least one.
    codebook_size : int
        Codewords in a codebook.

    Returns
    -------
    bytes
        Zero bits fill the last byte.

    Raises
    ------
    BitstreamError
        If the tokens are no integers from 0 to codebook_size - 1.

    Example
    -------
    >>> pack_tokens(numpy.array([1, 2, 3]), 16).hex()
    '1230'
    """
    if not numpy.issubdtype(tokens.dtype, numpy.integer):
        raise BitstreamError(f"the tokens are {tokens.dtype}: give integers")
    if tokens.min() < 0 or tokens.max() >= codebook_size:
        raise BitstreamError(
            f"the tokens run from {tokens.min()} to {tokens.max()}, outside "
            f"a codebook of {codebook_size}: give the codec's tokens"
        )
    bits = bits_per_token(codebook_size)
    shifts = numpy.arange(bits - 1, -1, -1, dtype=numpy.uint32)
    tokens = tokens.reshape(-1)
    packed = []
    for start in range(0, len(tokens), _BLOCK_TOKENS):
        block = tokens[start : start + _BLOCK_TOKENS].astype(numpy.uint32)
        packed.append(numpy.packbits((block[:, None] >> shifts) & 1).tobytes())
    return b"".join(packed)


def unpack_tokens(data, shape, codebook_size):
    """Undo ``pack_tokens``.

    Arguments
    ---------
    data : bytes
        What ``pack_tokens`` wrote.
    shape : tuple of int
        Shape of the tokens.
    codebook_size : int
        Codewords in a codebook.

    Returns
    -------
    numpy.ndarray
        int64, of that shape.

    Raises
    ------
    BitstreamError
        If a token is not in the codebook.

    Example
    -------
    >>> unpack_tokens(bytes.fromhex("1230"), (3, 1), 16).tolist()
    [[1], [2], [3]]
    """
    bits, num_tokens = bits_per_token(codebook_size), math.prod(shape)
    weights = 1 << numpy.arange(bits - 1, -1, -1, dtype=numpy.int64)
    block_bytes = _BLOCK_TOKENS * bits // 8
    tokens = numpy.empty(num_tokens, dtype=numpy.int64)
    for start in range(0, num_tokens, _BLOCK_TOKENS):
        block = tokens[start : start + _BLOCK_TOKENS]
        first_byte = start * bits // 8
        digits = numpy.unpackbits(
            numpy.frombuffer(
                data[first_byte : first_byte + block_bytes], numpy.uint8
            ),
            count=len(block) * bits,
        )
        block[:] = digits.reshape(-1, bits) @ weights
    if tokens.max() >= codebook_size:
        raise BitstreamError(f"token {tokens.max()} is in no codebook")
    return tokens.reshape(shape)
