"""The common part of the formats: limits of fields, and tokens as bits.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from typing import Any

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.utils.containers import SAMPLE_RATES
from speechbrain_apcodec.utils.errors import BitstreamError

# Range of each number that a header may hold.
_LIMITS = {
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


def check_fields(header: object, kind: str) -> None:
    """Refuse a header whose strings or numbers no such file can hold."""
    for name, value in vars(header).items():
        if isinstance(value, str):
            if not (value.isprintable() and 1 <= len(value.encode()) <= 255):
                raise BitstreamError(
                    f"{name} {value!r} is not 1 to 255 bytes of printable "
                    "text: rename it"
                )
            continue
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise BitstreamError(
                f"{name} is {value}, which {kind} cannot hold: "
                f"it must be from {low} to {high}"
            )


def bits_per_token(codebook_size: int) -> int:
    """Count the bits of a token, ceil(log2(codebook_size)).

    Example
    -------
    >>> bits_per_token(1024), bits_per_token(1025)
    (10, 11)
    """
    return (codebook_size - 1).bit_length()


def packed_bytes(num_tokens: int, codebook_size: int) -> int:
    """Count the bytes of packed tokens."""
    return -(-num_tokens * bits_per_token(codebook_size) // 8)


def pack_tokens(tokens: NDArray[Any], codebook_size: int) -> bytes:
    """Write each token in its bits, the most significant bit first.

    There must be at least one; zero bits fill the last byte.

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


def unpack_tokens(
    data: bytes, shape: tuple[int, ...], codebook_size: int
) -> NDArray[numpy.int64]:
    """Undo ``pack_tokens``.

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
