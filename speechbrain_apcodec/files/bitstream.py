"""The ``.apc`` file, version 1: a header, packed tokens and a checksum.

A file tells everything that is needed to restore the recording but the
weights, which it names. Numbers are unsigned and little-endian.

====== ===== ==============================================================
offset bytes field
====== ===== ==============================================================
0      4     magic ``APC`` and 0x1A, at which a terminal stops printing
4      2     version, 1
6      2     flags, 0: reserved for entropy coding and damage handling
8      4     H, length of the header in bytes, strings included
12     4     rate of the codec, Hz
16     4     rate of the original recording, Hz
20     8     samples per channel at the original's rate
28     8     samples per channel at the codec's rate: the former times the
             quotient of the rates, rounded up
36     4     hop: samples of the codec's rate in a frame
40     4     N, frames: samples at the codec's rate over hop, rounded up
44     4     C, codewords in a codebook
48     2     K, codebooks
50     2     channels
52     1+    length of the model id and the id in UTF-8,
             ``NAME@`` and the first 16 hex digits of the weights' SHA-256
...    1+    length of the sample format and its name (``PCM_24``...)
H      ...   tokens, each in ceil(log2 C) bits, most significant bit first,
             ordered by channel, then frame, then codebook; zero bits fill
             the last byte
end-4  4     CRC-32 (zlib's) of all bytes before it
====== ===== ==============================================================

The length follows from the header, so that a file that is too short or too
long is refused before anything is allocated. Reading needs numpy only.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy
from numpy.typing import ArrayLike, NDArray

from speechbrain_apcodec.files.token_format import (
    bits_per_token,
    check_fields,
    pack_tokens,
    packed_bytes,
    unpack_tokens,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import BitstreamError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

MAGIC = b"APC\x1a"
VERSION = 1

_START = struct.Struct("<4sHHI")
_FIELDS = struct.Struct("<IIQQIIIHH")
_FIELD_NAMES = (
    "codec_rate",
    "sample_rate",
    "num_samples",
    "codec_samples",
    "hop_length",
    "num_frames",
    "codebook_size",
    "num_codebooks",
    "channels",
)
_CHECKSUM = struct.Struct("<I")
_MAX_HEADER_BYTES = _START.size + _FIELDS.size + 2 * (1 + 255)


@dataclass(frozen=True)
class ApcHeader:
    """What an ``.apc`` file says about its recording.

    Arguments
    ---------
    model_id : str
        ``NAME@`` and the first 16 hex digits of the weights' SHA-256.
    codec_rate : int
        Rate of the codec in Hz.
    sample_rate : int
        Rate of the original recording in Hz.
    num_samples : int
        Samples per channel at the original's rate.
    hop_length : int
        Samples of the codec's rate in a frame.
    num_codebooks : int
        Codebooks used.
    codebook_size : int
        Codewords in each codebook.
    channels : int
        Channels, each of which has tokens of its own.
    subtype : str
        Sample format of the original, in soundfile's names.

    Raises
    ------
    BitstreamError
        If a value is out of its range.

    Example
    -------
    >>> header = ApcHeader(
    ...     model_id="mini@0123456789abcdef", codec_rate=48000,
    ...     sample_rate=44100, num_samples=44101, hop_length=320,
    ...     num_codebooks=4, codebook_size=1024, channels=2,
    ...     subtype="PCM_16",
    ... )
    >>> header.codec_samples, header.num_frames, header.bits_per_token
    (48002, 151, 10)
    >>> header.bitrate
    12000.0
    """

    model_id: str
    codec_rate: int
    sample_rate: int
    num_samples: int
    hop_length: int
    num_codebooks: int
    codebook_size: int
    channels: int
    subtype: str

    def __post_init__(self) -> None:
        check_fields(self, "an .apc file")

    @property
    def codec_samples(self) -> int:
        """Samples per channel at the codec's rate."""
        return -(-self.num_samples * self.codec_rate // self.sample_rate)

    @property
    def num_frames(self) -> int:
        """Frames per channel."""
        return -(-self.codec_samples // self.hop_length)

    @property
    def bits_per_token(self) -> int:
        """Bits of a token, ceil(log2(codebook_size))."""
        return bits_per_token(self.codebook_size)

    @property
    def tokens_shape(self) -> tuple[int, int, int]:
        """Shape of the tokens, (channels, num_frames, num_codebooks)."""
        return self.channels, self.num_frames, self.num_codebooks

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.codec_rate / self.hop_length

    @property
    def seconds(self) -> float:
        """Length of the recording in seconds."""
        return self.num_samples / self.sample_rate

    @property
    def bitrate(self) -> float:
        """Bits of tokens per second of the recording, all channels."""
        bits = self.channels * self.num_codebooks * self.bits_per_token
        return bits * self.frame_rate

    @property
    def payload_bytes(self) -> int:
        """Bytes of the packed tokens."""
        return packed_bytes(math.prod(self.tokens_shape), self.codebook_size)


def measured_kbps(num_bytes: int, header: ApcHeader) -> float:
    """Compute the bitrate of a file of so many bytes, in kilobits per second.

    Header and checksum count too, unlike in ``ApcHeader.bitrate``.
    """
    return 8 * num_bytes / header.seconds / 1000


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
    >>> round(measured_kbps(len(data), header), 1)
    48.6
    """
    tokens = numpy.asarray(tokens)
    if tokens.shape != header.tokens_shape:
        raise BitstreamError(
            f"the tokens have shape {tokens.shape}, the header says "
            f"{header.tokens_shape}: give [channels, frames, codebooks]"
        )
    strings = b"".join(
        bytes([len(text.encode())]) + text.encode()
        for text in (header.model_id, header.subtype)
    )
    header_length = _START.size + _FIELDS.size + len(strings)
    body = b"".join(
        [
            _START.pack(MAGIC, VERSION, 0, header_length),
            _FIELDS.pack(*(getattr(header, name) for name in _FIELD_NAMES)),
            strings,
            pack_tokens(tokens, header.codebook_size),
        ]
    )
    return body + _CHECKSUM.pack(zlib.crc32(body))


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
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source), "the data")
    path = Path(source)
    if path.is_dir():
        raise BitstreamError(f"{path} is a folder: give an .apc file")
    if not path.exists():
        raise BitstreamError(f"{path} does not exist: check the path")
    with path.open("rb") as file:
        return _read(file, path.stat().st_size, str(path))


def _read(
    file: IO[bytes], size: int, name: str
) -> tuple[ApcHeader, NDArray[numpy.int64]]:
    """Read a file of ``size`` bytes that errors call ``name``."""
    start = file.read(_MAX_HEADER_BYTES)
    header, header_length = _parse_header(start, name)
    expected = header_length + header.payload_bytes + _CHECKSUM.size
    if size != expected:
        state = "truncated" if size < expected else "too long"
        raise BitstreamError(
            f"{name} is {state} ({size} bytes, {expected} expected): "
            "copy it again from its source"
        )
    body = start + file.read(size - len(start))
    body, checksum = body[: -_CHECKSUM.size], body[-_CHECKSUM.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(body)):
        raise _damaged(name, "its checksum does not fit")
    try:
        tokens = unpack_tokens(
            body[header_length:], header.tokens_shape, header.codebook_size
        )
    except BitstreamError as error:
        raise _damaged(name, error) from error
    return header, tokens


def _parse_header(start: bytes, name: str) -> tuple[ApcHeader, int]:
    """Read the header from the first bytes; also give its length."""
    if start[: len(MAGIC)] != MAGIC:
        raise BitstreamError(
            f"{name} is no .apc file: give one that 'apcodec encode' wrote"
        )
    try:
        _, version, flags, header_length = _START.unpack_from(start)
        if version != VERSION:
            raise BitstreamError(
                f"{name} has version {version} of the .apc format, this is "
                f"version {VERSION}: update speechbrain_apcodec"
            )
        if flags != 0:
            raise BitstreamError(
                f"{name} uses options {flags:#06x} that this version does "
                "not know: update speechbrain_apcodec"
            )
        numbers = _FIELDS.unpack_from(start, _START.size)
        fields = dict(zip(_FIELD_NAMES, numbers, strict=True))
        texts, end = [], _START.size + _FIELDS.size
        for _ in range(2):
            text = start[end + 1 : end + 1 + start[end]]
            end += 1 + start[end]
            texts.append(text.decode())
    except (struct.error, IndexError) as error:
        raise BitstreamError(
            f"{name} is truncated in its header ({len(start)} bytes): "
            "copy it again from its source"
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(name, "its model id is no text") from error
    lengths = fields.pop("codec_samples"), fields.pop("num_frames")
    try:
        header = ApcHeader(model_id=texts[0], subtype=texts[1], **fields)
    except BitstreamError as error:
        raise _damaged(name, str(error).split(":")[0]) from error
    counted = header.codec_samples, header.num_frames
    if lengths != counted or header_length != end:
        raise _damaged(name, "its header contradicts itself")
    return header, header_length


def _damaged(name: str, what: object) -> BitstreamError:
    """Make the error for a file whose bytes have changed."""
    return BitstreamError(
        f"{name} is damaged ({what}): copy it again from its source"
    )
