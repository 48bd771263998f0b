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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
    with opened(source) as apc:
        return apc.header, _read(apc)


@dataclass
class OpenedApc:
    """An ``.apc`` file whose header has been read."""

    #: At its beginning.
    file: IO[bytes]
    #: Bytes that it has, and those that it ought to have.
    size: int
    expected: int
    #: What errors call it.
    name: str
    header: ApcHeader
    header_size: int
    version: int


@contextmanager
def opened(source: AnyPath | bytes) -> Iterator[OpenedApc]:
    """Open a file, or what it holds, and read its header."""
    with ExitStack() as stack:
        file: IO[bytes]
        if isinstance(source, bytes):
            file, size, name = io.BytesIO(source), len(source), "the data"
        else:
            path = Path(source)
            if path.is_dir():
                raise BitstreamError(f"{path} is a folder: give an .apc file")
            if not path.exists():
                raise BitstreamError(f"{path} does not exist: check the path")
            file = stack.enter_context(path.open("rb"))
            size, name = path.stat().st_size, str(path)
        parsed = parse_header(file.read(MAX_HEADER_BYTES), name)
        file.seek(0)
        yield OpenedApc(file, size, file_bytes(*parsed), name, *parsed)


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
        raise BitstreamError(
            f"block {index + 1} of {header.num_blocks}, its checksum does not "
            "fit"
        )
    shape = _block_shape(header, index)
    return unpack_tokens(packed, shape, header.codebook_size)


def _block_shape(header: ApcHeader, index: int) -> tuple[int, int, int]:
    """Return the shape of a block's tokens."""
    left = header.num_frames - index * header.block_frames
    return header.channels, min(header.block_frames, left), header.num_codebooks


def _checksum(packed: bytes, index: int) -> int:
    """Compute a block's checksum, which also tells the block's place."""
    return zlib.crc32(packed, zlib.crc32(index.to_bytes(4, "little")))


def _read(apc: OpenedApc) -> NDArray[numpy.int64]:
    """Check a whole file, and unpack its tokens."""
    mend = "copy it again from its source"
    if apc.version > 1:
        mend += ", or decode the rest of it with --salvage"
    if apc.size != apc.expected:
        state = "truncated" if apc.size < apc.expected else "too long"
        raise BitstreamError(
            f"{apc.name} is {state} ({apc.size} bytes, {apc.expected} "
            f"expected): {mend}"
        )
    data, header = apc.file.read(apc.size), apc.header
    packed = data[apc.header_size : -CHECKSUM.size]
    try:
        if apc.version > 1:
            # First the blocks, which tell where the damage is.
            tokens = _unpack_blocks(packed, header)
            _check_sum(data)
            return tokens
        _check_sum(data)
        return unpack_tokens(packed, header.tokens_shape, header.codebook_size)
    except BitstreamError as error:
        raise BitstreamError(
            f"{apc.name} is damaged ({error}): {mend}"
        ) from error


def _unpack_blocks(data: bytes, header: ApcHeader) -> NDArray[numpy.int64]:
    """Unpack all blocks; name the first that is damaged."""
    size = block_bytes(header, 0)
    blocks = [
        unpack_block(
            data[index * size :][: block_bytes(header, index)], index, header
        )
        for index in range(header.num_blocks)
    ]
    return numpy.concatenate(blocks, axis=1)


def _check_sum(data: bytes) -> None:
    """Check the checksum at the end of a file."""
    body, checksum = data[: -CHECKSUM.size], data[-CHECKSUM.size :]
    if checksum != CHECKSUM.pack(zlib.crc32(body)):
        raise BitstreamError("its checksum does not fit")
