"""The ``.apc`` file: a header, tokens in blocks of a second, and checksums.

Each block has a checksum of its own, so that damage is local: blocks can be
found, read and checked one by one (``files/salvage.py``). Version 1, which had
none, is still read. ``docs/bitstream.md`` tells the bytes of both.

The length follows from the header, so that a file that is too short or too
long is refused before anything is allocated. Reading needs numpy only.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy
from numpy.typing import ArrayLike, NDArray

from speechbrain_apcodec.files.apc_header import (
    CHECKSUM,
    MAX_HEADER_BYTES,
    ApcHeader,
    pack_header,
    parse_header,
)
from speechbrain_apcodec.files.token_format import (
    pack_tokens,
    packed_bytes,
    unpack_tokens,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import BitstreamError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath


def pack_apc(header: ApcHeader, tokens: ArrayLike) -> bytes:
    """Make the bytes of an ``.apc`` file.

    Arguments
    ---------
    header : ApcHeader
        What the tokens stand for.
    tokens : numpy.ndarray
        Integers ``[channels, num_frames, num_codebooks]``.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    BitstreamError
        If the tokens do not have the header's shape or range.

    Example
    -------
    >>> header = ApcHeader("mini@00", 48000, 48000, 640, 320, 4, 1024, 1,
    ...                    "PCM_16")
    >>> data = pack_apc(header, numpy.arange(8).reshape(1, 2, 4))
    >>> read_apc(data)[1].tolist()
    [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    >>> len(data)  # 67 of the header, 10 of the tokens, three checksums
    89
    """
    tokens = numpy.asarray(tokens)
    if tokens.shape != header.tokens_shape:
        raise BitstreamError(
            f"the tokens have shape {tokens.shape}, the header says "
            f"{header.tokens_shape}: give [channels, frames, codebooks]"
        )
    blocks = []
    for index in range(header.num_blocks):
        start = index * header.block_frames
        block = tokens[:, start : start + header.block_frames]
        packed = pack_tokens(block, header.codebook_size)
        blocks.append(packed + CHECKSUM.pack(_checksum(packed, index)))
    body = b"".join([pack_header(header), *blocks])
    return body + CHECKSUM.pack(zlib.crc32(body))


def write_apc(path: AnyPath, header: ApcHeader, tokens: ArrayLike) -> int:
    """Write an ``.apc`` file, whole or not at all; return its length."""
    data = pack_apc(header, tokens)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def read_apc(source: AnyPath | bytes) -> tuple[ApcHeader, NDArray[numpy.int64]]:
    """Read and check an ``.apc`` file.

    Arguments
    ---------
    source : str or pathlib.Path or bytes
        The file, or what it holds.

    Returns
    -------
    header : ApcHeader
        What the tokens stand for.
    tokens : numpy.ndarray
        int64 ``[channels, num_frames, num_codebooks]``.

    Raises
    ------
    BitstreamError
        If the file is missing, of another kind or version, truncated or
        damaged.

    Example
    -------
    >>> read_apc(b"RIFF....WAVE")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.BitstreamError: the data is no .apc \
file: give one that 'apcodec encode' wrote
    """
    with opened(source) as (file, size, name):
        return _read(file, size, name)


@contextmanager
def opened(source: AnyPath | bytes) -> Iterator[tuple[IO[bytes], int, str]]:
    """Open a file, or what it holds; tell its size and its name in errors."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source), "the data"
        return
    path = Path(source)
    if path.is_dir():
        raise BitstreamError(f"{path} is a folder: give an .apc file")
    if not path.exists():
        raise BitstreamError(f"{path} does not exist: check the path")
    with path.open("rb") as file:
        yield file, path.stat().st_size, str(path)


def block_bytes(header: ApcHeader, index: int) -> int:
    """Count the bytes of a block, its checksum included."""
    shape = _block_shape(header, index)
    return packed_bytes(math.prod(shape), header.codebook_size) + CHECKSUM.size


def file_bytes(header: ApcHeader, header_size: int, version: int) -> int:
    """Count the bytes of a whole file."""
    if version == 1:
        num_tokens = math.prod(header.tokens_shape)
        blocks = packed_bytes(num_tokens, header.codebook_size)
    else:
        last = header.num_blocks - 1
        blocks = last * block_bytes(header, 0) + block_bytes(header, last)
    return header_size + blocks + CHECKSUM.size


def unpack_block(
    data: bytes, index: int, header: ApcHeader
) -> NDArray[numpy.int64]:
    """Check a block, and unpack it to [channels, frames, codebooks]."""
    packed, checksum = data[: -CHECKSUM.size], data[-CHECKSUM.size :]
    if checksum != CHECKSUM.pack(_checksum(packed, index)):
        raise BitstreamError("its checksum does not fit")
    shape = _block_shape(header, index)
    return unpack_tokens(packed, shape, header.codebook_size)


def _block_shape(header: ApcHeader, index: int) -> tuple[int, int, int]:
    """Return the shape of a block's tokens."""
    left = header.num_frames - index * header.block_frames
    return header.channels, min(header.block_frames, left), header.num_codebooks


def _checksum(packed: bytes, index: int) -> int:
    """Compute a block's checksum, which also tells the block's place."""
    return zlib.crc32(packed, zlib.crc32(index.to_bytes(4, "little")))


def _read(
    file: IO[bytes], size: int, name: str
) -> tuple[ApcHeader, NDArray[numpy.int64]]:
    """Read a file of ``size`` bytes that errors call ``name``."""
    start = file.read(MAX_HEADER_BYTES)
    header, header_size, version = parse_header(start, name)
    mend = "copy it again from its source"
    if version > 1:
        mend += ", or decode the rest of it with --salvage"
    expected = file_bytes(header, header_size, version)
    if size != expected:
        state = "truncated" if size < expected else "too long"
        raise BitstreamError(
            f"{name} is {state} ({size} bytes, {expected} expected): {mend}"
        )
    data = start + file.read(size - len(start))
    try:
        if version > 1:
            tokens = _unpack_blocks(data[header_size:], header)
        _check_sum(data)
        if version == 1:
            tokens = unpack_tokens(
                data[header_size : -CHECKSUM.size],
                header.tokens_shape,
                header.codebook_size,
            )
    except BitstreamError as error:
        raise BitstreamError(f"{name} is damaged ({error}): {mend}") from error
    return header, tokens


def _unpack_blocks(data: bytes, header: ApcHeader) -> NDArray[numpy.int64]:
    """Unpack all blocks; name the first that is damaged."""
    blocks, size = [], block_bytes(header, 0)
    for index in range(header.num_blocks):
        start = index * size
        block = data[start : start + block_bytes(header, index)]
        try:
            blocks.append(unpack_block(block, index, header))
        except BitstreamError as error:
            raise BitstreamError(
                f"block {index + 1} of {header.num_blocks}, {error}"
            ) from error
    return numpy.concatenate(blocks, axis=1)


def _check_sum(data: bytes) -> None:
    """Check the checksum at the end of a file."""
    body, checksum = data[: -CHECKSUM.size], data[-CHECKSUM.size :]
    if checksum != CHECKSUM.pack(zlib.crc32(body)):
        raise BitstreamError("its checksum does not fit")
