"""The header of an ``.apc`` file: what it says about its recording.

``docs/bitstream.md`` tells its bytes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from speechbrain_apcodec.files.token_format import (
    bits_per_token,
    check_fields,
)
from speechbrain_apcodec.utils.errors import BitstreamError

#: The version that is written; version 1 is read.
VERSION = 2

CHECKSUM = struct.Struct("<I")

_MAGIC = b"APC\x1a"
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

#: Most bytes of a header, its checksum included.
MAX_HEADER_BYTES = _START.size + _FIELDS.size + 2 * (1 + 255) + CHECKSUM.size


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
    def block_frames(self) -> int:
        """Frames of a block of version 2: a second, rounded up to frames."""
        return -(-self.codec_rate // self.hop_length)

    @property
    def num_blocks(self) -> int:
        """Blocks of version 2; the last one may be shorter."""
        return -(-self.num_frames // self.block_frames)

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


def measured_kbps(num_bytes: int, header: ApcHeader) -> float:
    """Compute the bitrate of a file of so many bytes, in kilobits per second.

    Header and checksum count too, unlike in ``ApcHeader.bitrate``.
    """
    return 8 * num_bytes / header.seconds / 1000


def pack_header(header: ApcHeader) -> bytes:
    """Make the bytes of a header, its checksum included."""
    strings = b"".join(
        bytes([len(text.encode())]) + text.encode()
        for text in (header.model_id, header.subtype)
    )
    length = _START.size + _FIELDS.size + len(strings)
    fields = _FIELDS.pack(*(getattr(header, name) for name in _FIELD_NAMES))
    packed = _START.pack(_MAGIC, VERSION, 0, length) + fields + strings
    return packed + CHECKSUM.pack(zlib.crc32(packed))


def parse_header(start: bytes, name: str) -> tuple[ApcHeader, int, int]:
    """Read the header from the first bytes of a file.

    Arguments
    ---------
    start : bytes
        The first ``MAX_HEADER_BYTES`` of the file, or all of it.
    name : str
        What errors call the file.

    Returns
    -------
    header : ApcHeader
        What it says.
    size : int
        Its length in bytes, checksum included.
    version : int
        1 or 2.
    """
    if start[: len(_MAGIC)] != _MAGIC:
        raise BitstreamError(
            f"{name} is no .apc file: give one that 'apcodec encode' wrote"
        )
    try:
        _, version, flags, length = _START.unpack_from(start)
        if version not in (1, VERSION):
            raise BitstreamError(
                f"{name} has version {version} of the .apc format, this is "
                f"version {VERSION}: update speechbrain_apcodec"
            )
        if version > 1:
            _check_sum(start, length, name)
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
        raise damaged(name, "its model id is no text") from error
    lengths = fields.pop("codec_samples"), fields.pop("num_frames")
    try:
        header = ApcHeader(model_id=texts[0], subtype=texts[1], **fields)
    except BitstreamError as error:
        raise damaged(name, str(error).split(":")[0]) from error
    counted = header.codec_samples, header.num_frames
    if lengths != counted or length != end:
        raise damaged(name, "its header contradicts itself")
    return header, length + (CHECKSUM.size if version > 1 else 0), version


def damaged(name: str, what: object) -> BitstreamError:
    """Make the error for a file whose bytes have changed."""
    return BitstreamError(
        f"{name} is damaged ({what}): copy it again from its source"
    )


def _check_sum(start: bytes, length: int, name: str) -> None:
    """Check the checksum behind a header of so many bytes."""
    if length > MAX_HEADER_BYTES - CHECKSUM.size:
        raise damaged(name, f"its header of {length} bytes is too long")
    (checksum,) = CHECKSUM.unpack_from(start, length)
    if checksum != zlib.crc32(start[:length]):
        raise damaged(name, "the checksum of its header does not fit")
