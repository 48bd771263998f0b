"""Whether an audio file is whole: its containers promise how much it holds.

libsndfile takes what is there. Half a WAV is to it a shorter one, and of two
streams in one file, which Ogg, FLAC and MP3 may have, it reads the first. So
what a file promises is compared here with what it has, before it is decoded.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

#: Sampling rates that a header may name, Hz. The quotient of two rates
#: stretches a small file into a large recording, so it has to be sensible.
SAMPLE_RATES = (1000, 768_000)

_Data: TypeAlias = bytes | mmap.mmap

# Lengths that programs write into a pipe, where they cannot go back to
# correct them: nearly 2 GiB (arecord, sox) or nearly 4 GiB (ffmpeg).
_GUESSES = (range(0x7FFF0000, 0x80010000), range(0xFFFF0000, 0x100000000))

# MPEG audio: thousands of bits a second by (is MPEG 1, layer), from 1 on.
_LOW_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MIDDLE_BITRATES = (*range(64, 128, 16), *range(128, 257, 32))
_BITRATES: dict[tuple[bool, int], Sequence[int]] = {
    (True, 1): range(32, 449, 32),
    (True, 2): (32, 48, 56, *_MIDDLE_BITRATES, 320, 384),
    (True, 3): (32, 40, 48, 56, *_MIDDLE_BITRATES, 320),
    (False, 1): (32, 48, 56, *range(64, 177, 16), 192, 224, 256),
    (False, 2): _LOW_BITRATES,
    (False, 3): _LOW_BITRATES,
}
_MPEG_RATES = (44100, 48000, 32000)

_TRUNCATED = "is truncated ({}): replace the file"
_JOINED = (
    "holds several recordings one after the other, of which only the first "
    "would be read: split it, or decode each and join them as WAV"
)


def is_guess(num_bytes: int) -> bool:
    """Tell whether a header of 32 bits gives a length that it does not know.

    Example
    -------
    >>> is_guess(0xFFFFFFFF), is_guess(96000)
    (True, False)
    """
    return num_bytes == 0 or any(num_bytes in guess for guess in _GUESSES)


def find_fault(data: _Data) -> str | None:
    r"""Compare the length that a file states with its own.

    The result says what is wrong and what to do, after the file's name; it is
    None if nothing is, or if the format promises nothing.

    Example
    -------
    >>> header = b"RIFF\x2c\0\0\0WAVEdata" + struct.pack("<I", 8)
    >>> find_fault(header + bytes(4))
    'is truncated (4 of 8 bytes of audio): replace the file'
    >>> find_fault(header + bytes(8))
    """
    start = _skip_id3(data, 0)
    for pattern, find in _FORMATS:
        if re.match(pattern, data[start : start + 16], re.DOTALL):
            return find(data, start)
    return None


def _truncated(
    present: int, promised: int, what: str = "bytes of audio"
) -> str | None:
    if present < promised:
        return _TRUNCATED.format(f"{present} of {promised} {what}")
    return None


def _skip_id3(data: _Data, start: int) -> int:
    """Return where a tag that may stand at ``start`` ends."""
    while data[start : start + 3] == b"ID3":
        size = 0
        for byte in data[start + 6 : start + 10]:
            size = size * 128 + (byte & 127)
        footer = 10 * (data[start + 5 : start + 6] >= b"\x10")
        start += 10 + size + footer
    return start


def _find_in_iff(data: _Data, start: int) -> str | None:
    """WAV, RF64, AIFF and 8SVX: chunks of a name and 32 bits of length."""
    order = ">" if data[start : start + 4] in (b"FORM", b"RIFX") else "<"
    position, long_size = start + 12, None
    while position + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, position)
        position += 8
        if name == b"ds64" and position + 16 <= len(data):
            (long_size,) = struct.unpack_from("<Q", data, position + 8)
        if name in (b"data", b"SSND", b"BODY"):
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            elif is_guess(size):
                return None
            end = position + size + size % 2
            if data[end : end + 4] == data[start : start + 4]:
                return _JOINED
            return _truncated(len(data) - position, size)
        position += size + size % 2
    return None


def _find_in_w64(data: _Data, start: int) -> str | None:
    """Sony Wave64: chunks of a GUID and 64 bits of length, both included."""
    position = start + 40
    while position + 24 <= len(data):
        name, size = struct.unpack_from("<4s12xQ", data, position)
        if name == b"data":
            return _truncated(len(data) - position - 24, size - 24)
        position += max(24, size + -size % 8)
    return None


def _find_in_caf(data: _Data, start: int) -> str | None:
    """Core Audio: chunks of a name and 64 bits of length, -1 if unknown."""
    position = start + 8
    while position + 12 <= len(data):
        name, size = struct.unpack_from(">4sq", data, position)
        position += 12
        if name == b"data":
            return _truncated(len(data) - position, size)
        position += max(0, size)
    return None


def _find_in_au(data: _Data, start: int) -> str | None:
    if len(data) < start + 12:
        return None
    order = ">" if data[start : start + 1] == b"." else "<"
    offset, size = struct.unpack_from(f"{order}II", data, start + 4)
    return None if is_guess(size) else _truncated(len(data) - offset, size)


def _find_in_nist(data: _Data, start: int) -> str | None:
    """SPHERE: a text header, which states its own length."""
    try:
        header = data[start : start + int(data[start + 8 : start + 16])]
        fields = {
            words[0]: int(words[2])
            for words in map(bytes.split, header.splitlines())
            if len(words) == 3 and words[1] == b"-i"
        }
        promised = fields[b"sample_count"] * fields[b"sample_n_bytes"]
        promised *= fields.get(b"channel_count", 1)
    except (KeyError, ValueError):
        return None
    if b"shorten" in header:
        return None
    return _truncated(len(data) - start - len(header), promised)


def _find_in_flac(data: _Data, start: int) -> str | None:
    """FLAC: the decoder knows its end; another header may follow."""
    return _JOINED if data.find(b"fLaC\0\0\0\x22", start + 4) >= 0 else None


def _find_in_ogg(data: _Data, start: int) -> str | None:
    """Ogg: pages (RFC 3533), those of each stream numbered."""
    following: dict[int, int] = {}
    began = False
    for page in _ogg_pages(data, start):
        if page.kind & _FIRST_PAGE and began:
            return _JOINED
        began = began or not page.kind & _FIRST_PAGE
        if page.end > len(data):
            return _TRUNCATED.format("its last page is not whole")
        if page.number != following.get(page.serial, page.number):
            return "is damaged (a page of it is missing): replace the file"
        following[page.serial] = page.number + 1
    if not began:
        return _TRUNCATED.format("its first page of audio is missing")
    return None


def lacks_end_mark(data: _Data) -> bool:
    r"""Tell whether an Ogg file, without a fault, lacks the mark of its end.

    It may have gone on behind its last page. Recorders that are stopped, and
    some programs always, leave no mark there; what the pages hold is whole
    nonetheless. Files of other formats lack nothing.

    Example
    -------
    >>> page = b"OggS\0" + bytes([4]) + bytes(20) + b"\1\0"
    >>> lacks_end_mark(page), lacks_end_mark(page.replace(b"\4", b"\0"))
    (False, True)
    """
    unended = set()
    for page in _ogg_pages(data, _skip_id3(data, 0)):
        unended.add(page.serial)
        if page.kind & _LAST_PAGE:
            unended.remove(page.serial)
    return bool(unended)


class _OggPage(NamedTuple):
    kind: int
    serial: int
    number: int
    end: int


_FIRST_PAGE, _LAST_PAGE = 2, 4


def _ogg_pages(data: _Data, position: int) -> Iterator[_OggPage]:
    """Yield pages up to the first bytes that are none."""
    while position + 27 <= len(data):
        magic, kind, serial, number, segments = struct.unpack_from(
            "<4sxB8xII4xB", data, position
        )
        if magic != b"OggS":
            break
        position += 27 + segments
        position += sum(data[position - segments : position])
        yield _OggPage(kind, serial, number, position)
    else:
        if position < len(data):  # a page's header that is not whole
            yield _OggPage(0, -1, 0, len(data) + 1)


def _find_in_mpeg(data: _Data, start: int) -> str | None:
    """MP3: frames; the first one may state their number."""
    size = _frame_size(data, start)
    if not size:
        return None
    kind = _frame_kind(data, start)
    promised = _promised_frames(data[start : start + size])
    count, position = 0, start
    while position + 4 <= len(data):
        size = _frame_size(data, position, kind)
        if size:
            position, count = position + size, count + 1
        else:
            position = _next_frame(data, position, kind)
    if position > len(data):
        return _TRUNCATED.format("its last frame is not whole")
    if promised is None:
        return None
    count -= 1  # the frame that promises holds no audio
    if count > promised + 1:  # which some encoders count nonetheless
        return _JOINED
    return _truncated(count, promised - 1, "frames")


def _frame_kind(data: _Data, position: int) -> int:
    """Return version, layer and rate, which all frames of a stream share."""
    return struct.unpack_from(">I", data, position)[0] & 0xFFFE0C00


def _frame_size(data: _Data, position: int, kind: int | None = None) -> int:
    """Return the bytes of the MPEG frame at a position, 0 if there is none."""
    if position + 4 > len(data):
        return 0
    (header,) = struct.unpack_from(">I", data, position)
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    if (
        header >> 21 != 0x7FF
        or version == 1
        or layer == 4
        or bitrate in (0, 15)
        or rate == 3
        or kind not in (None, header & 0xFFFE0C00)
    ):
        return 0
    bits = 1000 * _BITRATES[version == 3, layer][bitrate - 1]
    rate = _MPEG_RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    padding = header >> 9 & 1
    if layer == 1:
        return 4 * (12 * bits // rate + padding)
    factor = 72 if layer == 3 and version != 3 else 144
    return factor * bits // rate + padding


def _promised_frames(frame: bytes) -> int | None:
    """Read the number of frames that an encoder put into the first one."""
    for name, offset in ((b"Xing", 4), (b"Info", 4), (b"VBRI", 10)):
        found = frame.find(name, 4, 64)
        if found < 0 or found + offset + 8 > len(frame):
            continue
        if name == b"VBRI" or frame[found + 7] & 1:
            offset += 4
            return struct.unpack_from(">I", frame, found + offset)[0]
    return None


def _next_frame(data: _Data, position: int, kind: int) -> int:
    """Skip a tag, or other bytes, up to the next two frames."""
    behind = _skip_id3(data, position)
    if behind > position:
        return min(behind, len(data))
    while (position := data.find(b"\xff", position + 1)) >= 0:
        size = _frame_size(data, position, kind)
        if size and _frame_size(data, position + size, kind):
            return position
    return len(data)


# How a file begins, and the function for its format.
_FORMATS = (
    (rb"(RIF[FX]|RF64)....WAVE|FORM....(AIF[FC]|8SVX|16SV)", _find_in_iff),
    (rb"riff\x2e\x91\xcf\x11", _find_in_w64),
    (rb"caff", _find_in_caf),
    (rb"\.snd|dns\.", _find_in_au),
    (rb"NIST_1A\n", _find_in_nist),
    (rb"fLaC", _find_in_flac),
    (rb"OggS", _find_in_ogg),
    (rb"\xff[\xe0-\xff]", _find_in_mpeg),
)
