"""The packet stream, version 1: tokens on their way, as they are made.

What ``.apc`` is for a recording that has an end, this is for a live stream
through a pipe or a connection: a header, then packets of token frames, then
a packet that ends the stream. Numbers are unsigned and little-endian.

====== ===== ==============================================================
offset bytes header
====== ===== ==============================================================
0      4     magic ``APS`` and 0x1A, at which a terminal stops printing
4      2     version, 1
6      2     flags, 0: reserved
8      4     rate of the codec, Hz
12     4     hop: samples in a frame
16     4     C, codewords in a codebook
20     2     K, codebooks
22     1+    length of the model id and the id in UTF-8,
             ``NAME@`` and the first 16 hex digits of the weights' SHA-256
...    2     checksum
====== ===== ==============================================================

====== ===== ==============================================================
offset bytes packet
====== ===== ==============================================================
0      1     n, frames in the packet, 1 to 255
1      ...   n K tokens, each in ceil(log2 C) bits, most significant bit
             first, ordered by frame, then codebook; zero bits fill the last
             byte
...    2     checksum
====== ===== ==============================================================

====== ===== ==============================================================
offset bytes end packet
====== ===== ==============================================================
0      1     0
1      8     samples of the whole stream; n frames hold up to n hop of them
9      2     checksum
====== ===== ==============================================================

The checksum is the CRC-16 (CCITT, ``binascii.crc_hqx``) of all bytes from the
beginning of the stream but the checksums themselves. As it runs on, it finds
packets that are missing, repeated or exchanged as well as changed ones.
Pipes and TCP deliver what was sent; what is left to find is a wrong or
broken program in between, which 16 bits miss once in 65,536 times. The 32
bits of a file would take a quarter of the 15 bytes that 20 ms have at
6 kbps.

A stream without its end packet was cut off. Reading needs numpy only.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.files.arrivals import Arrivals, Readable
from speechbrain_apcodec.files.token_format import (
    check_fields,
    pack_tokens,
    packed_bytes,
    unpack_tokens,
)
from speechbrain_apcodec.utils.errors import BitstreamError

MAGIC = b"APS\x1a"
VERSION = 1

_START = struct.Struct("<4sHHIIIHB")
_END = struct.Struct("<BQ")
_CHECKSUM = struct.Struct("<H")

_MAX_FRAMES = 255

# Bytes of one read: at 6 kbps a second or two of audio.
_READ_BYTES = 1024


@dataclass(frozen=True)
class StreamHeader:
    """What a packet stream says about its codec; fields as in ``ApcHeader``.

    Example
    -------
    >>> header = StreamHeader("mini@0123456789abcdef", 48000, 320, 1024, 4)
    >>> len(header.pack())
    44
    """

    model_id: str
    codec_rate: int
    hop_length: int
    codebook_size: int
    num_codebooks: int

    def __post_init__(self) -> None:
        check_fields(self, "a packet stream")

    def pack(self) -> bytes:
        """Make the header's bytes, without the checksum."""
        name = self.model_id.encode()
        start = _START.pack(
            MAGIC,
            VERSION,
            0,
            self.codec_rate,
            self.hop_length,
            self.codebook_size,
            self.num_codebooks,
            len(name),
        )
        return start + name


class PacketWriter:
    """Write a packet stream; each packet leaves at once.

    Arguments
    ---------
    file : binary stream
        It gets the header now.
    header : StreamHeader
        What the tokens stand for.

    Attributes
    ----------
    num_frames : int
        Frames written so far.
    num_packets : int
        Packets written so far, header and end not counted.
    num_bytes : int
        Bytes written so far, header and checksums included.

    Example
    -------
    >>> import io
    >>> file = io.BytesIO()
    >>> header = StreamHeader("mini@00", 48000, 320, 1024, 4)
    >>> writer = PacketWriter(file, header)
    >>> writer.write(numpy.arange(12).reshape(3, 4))
    >>> writer.end(num_samples=800)
    >>> reader = PacketReader(io.BytesIO(file.getvalue()))
    >>> [tokens.tolist() for tokens in reader]
    [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]]
    >>> reader.num_samples
    800
    """

    def __init__(self, file: IO[bytes], header: StreamHeader) -> None:
        self._file = file
        self._checksum = 0
        self.header = header
        self.num_frames = 0
        self.num_packets = 0
        self.num_bytes = 0
        self._send(header.pack())

    def write(self, tokens: NDArray[Any]) -> None:
        """Write integers [frames, codebooks], if there are frames."""
        books = self.header.num_codebooks
        if tokens.ndim != 2 or tokens.shape[1] != books:
            raise BitstreamError(
                f"the tokens have shape {tokens.shape}, the stream has "
                f"{books} codebooks: give [frames, codebooks]"
            )
        for start in range(0, len(tokens), _MAX_FRAMES):
            frames = tokens[start : start + _MAX_FRAMES]
            packed = pack_tokens(frames, self.header.codebook_size)
            self._send(bytes([len(frames)]) + packed)
            self.num_packets += 1
            self.num_frames += len(frames)

    def end(self, num_samples: int) -> None:
        """Write the end of a stream of so many samples."""
        needed = -(-num_samples // self.header.hop_length)
        if needed != self.num_frames:
            raise BitstreamError(
                f"{num_samples} samples have {needed} token frames, but "
                f"{self.num_frames} were written: write all of them"
            )
        self._send(_END.pack(0, num_samples))

    def _send(self, body: bytes) -> None:
        self._checksum = binascii.crc_hqx(body, self._checksum)
        data = body + _CHECKSUM.pack(self._checksum)
        self._file.write(data)
        self._file.flush()
        self.num_bytes += len(data)


class PacketReader:
    """Read a packet stream as it arrives.

    Iterating gives int64 [frames, codebooks]: the tokens of all packets that
    are here, and, if there are none, of the next one. Behind the end packet
    nothing is read.

    Arguments
    ---------
    file : binary stream with ``read1``
        The header is read now.

    Attributes
    ----------
    header : StreamHeader
        What the tokens stand for.
    num_frames, num_packets, num_bytes : int
        Read so far, counted as ``PacketWriter`` does.
    num_samples : int or None
        Samples of the whole stream, once it has ended.

    Raises
    ------
    BitstreamError
        If the stream is none of this format or version, damaged, or cut off.
        All that came before has then been handed out.
    """

    def __init__(self, file: Readable) -> None:
        self._arrivals = Arrivals(file, _READ_BYTES)
        self._checksum = 0
        self.num_frames = 0
        self.num_packets = 0
        self.num_bytes = 0
        self.num_samples: int | None = None
        self.header = self._read_header()

    def __iter__(self) -> Iterator[NDArray[numpy.int64]]:
        while self.num_samples is None:
            arrived = []
            try:
                while (tokens := self._next_packet()) is not None:
                    arrived.append(tokens)
            except BitstreamError:
                if arrived:
                    yield numpy.concatenate(arrived)
                raise
            if arrived:
                yield numpy.concatenate(arrived)
            elif self.num_samples is None and not self._arrivals.wait():
                raise BitstreamError(
                    "the stream was cut off without its end packet, after "
                    f"{self.num_frames} token frames: see why the sender or "
                    "the connection ended"
                )

    def _next_packet(self) -> NDArray[numpy.int64] | None:
        """Return the tokens of a packet, None if none is complete."""
        if self.num_samples is not None or not self._arrivals:
            return None
        header = self.header
        (num_frames,) = self._arrivals.peek(1)
        shape = num_frames, header.num_codebooks
        size = _END.size
        if num_frames:
            size = 1 + packed_bytes(math.prod(shape), header.codebook_size)
        size += _CHECKSUM.size
        if len(self._arrivals) < size:
            return None
        packet = f"packet {self.num_packets + 1}"
        body = self._checked(self._arrivals.take(size), packet)
        if num_frames == 0:
            _, num_samples = _END.unpack(body)
            if -(-num_samples // header.hop_length) != self.num_frames:
                raise _damaged(packet, f"{num_samples} samples do not fit")
            self.num_samples = num_samples
            return None
        try:
            tokens = unpack_tokens(body[1:], shape, header.codebook_size)
        except BitstreamError as error:
            raise _damaged(packet, error) from error
        self.num_packets += 1
        self.num_frames += num_frames
        return tokens

    def _read_header(self) -> StreamHeader:
        start = self._arrivals.take(_START.size)
        if not MAGIC.startswith(start[: len(MAGIC)]):
            raise BitstreamError(
                "the input is no packet stream: give one that "
                "'apcodec stream encode' wrote"
            )
        if len(start) == _START.size:
            _, version, flags, *numbers, length = _START.unpack(start)
            if (version, flags) != (VERSION, 0):
                raise BitstreamError(
                    f"the packet stream has version {version} and flags "
                    f"{flags:#06x}, this is version {VERSION}: update "
                    "speechbrain_apcodec"
                )
            start += self._arrivals.take(length + _CHECKSUM.size)
            if len(start) == _START.size + length + _CHECKSUM.size:
                body = self._checked(start, "the header")
                try:
                    name = body[_START.size :].decode()
                    return StreamHeader(name, *numbers)
                except UnicodeDecodeError as error:
                    raise _damaged("the header", "no text") from error
                except BitstreamError as error:
                    what = str(error).split(":")[0]
                    raise _damaged("the header", what) from error
        raise BitstreamError(
            f"the stream was cut off in its header ({len(start)} bytes): see "
            "why the sender or the connection ended"
        )

    def _checked(self, data: bytes, part: str) -> bytes:
        """Strip the checksum from data, and check it."""
        body, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
        self._checksum = binascii.crc_hqx(body, self._checksum)
        if checksum != _CHECKSUM.pack(self._checksum):
            raise _damaged(part, "its checksum does not fit")
        self.num_bytes += len(data)
        return body


def _damaged(part: str, what: object) -> BitstreamError:
    """Make the error for a stream whose bytes have changed."""
    return BitstreamError(
        f"{part} of the stream is damaged ({what}): see what lies between "
        "the encoder and the decoder"
    )
