"""The packet stream: exact both ways, and every change is noticed."""

import binascii
import dataclasses
import io
import struct

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechbrain_apcodec.files.packets import (
    PacketReader,
    PacketWriter,
    StreamHeader,
)
from speechbrain_apcodec.utils.errors import BitstreamError
from tests.files.trickle import Pieces, Trickle

HEADER = StreamHeader(
    model_id="tiny@0123456789abcdef",
    codec_rate=48000,
    hop_length=320,
    codebook_size=1024,
    num_codebooks=4,
)

HEADER_BYTES = 23 + len(HEADER.model_id) + 2


def random_tokens(frames, header=HEADER, seed=0):
    return numpy.random.default_rng(seed).integers(
        0, header.codebook_size, (frames, header.num_codebooks)
    )


def stream_of(*counts, header=HEADER, missing=1):
    """Write packets; return their tokens and the parts of the stream."""
    file = io.BytesIO()
    writer = PacketWriter(file, header)
    tokens, ends = random_tokens(sum(counts), header), [file.tell()]
    for stop, count in zip(numpy.cumsum(counts), counts, strict=True):
        writer.write(tokens[stop - count : stop])
        ends.append(file.tell())
    writer.end(max(0, sum(counts) * header.hop_length - missing))
    ends.append(file.tell())
    assert writer.num_bytes == file.tell()
    data = file.getvalue()
    starts = [0, *ends[:-1]]
    return tokens, [data[a:b] for a, b in zip(starts, ends, strict=True)]


def read_until_fault(data):
    """Read a faulty stream; return the tokens and what was said of it."""
    frames = [numpy.zeros((0, HEADER.num_codebooks), dtype=int)]
    with pytest.raises(BitstreamError) as raised:
        for tokens in PacketReader(io.BytesIO(data)):
            frames.append(tokens)
    return numpy.concatenate(frames), str(raised.value)


@settings(max_examples=100, deadline=None)
@given(
    codebook_size=st.integers(2, 5000),
    num_codebooks=st.integers(1, 17),
    counts=st.lists(st.integers(0, 300), max_size=5),
    missing=st.integers(0, 39),
    most=st.integers(1, 3000),
    model_id=st.text(
        st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60
    ),
)
def test_reading_undoes_writing(
    codebook_size, num_codebooks, counts, missing, most, model_id
):
    header = StreamHeader(model_id, 48000, 40, codebook_size, num_codebooks)
    tokens, parts = stream_of(*counts, header=header, missing=missing)
    reader = PacketReader(Trickle(b"".join(parts), most))
    assert reader.header == header
    read = [numpy.zeros((0, num_codebooks), dtype=int), *reader]
    assert all(len(part) for part in read[1:])
    assert numpy.array_equal(numpy.concatenate(read), tokens)
    assert reader.num_samples == max(0, 40 * len(tokens) - missing)
    assert reader.num_frames == len(tokens)
    assert reader.num_bytes == sum(map(len, parts))


def test_the_stream_has_the_documented_layout():
    tokens, (header, packet, end) = stream_of(3)
    fields = (b"APS\x1a", 1, 0, 48000, 320, 1024, 4, len(HEADER.model_id))
    body = struct.pack("<4sHHIIIHB", *fields) + HEADER.model_id.encode()
    crc = binascii.crc_hqx(body, 0)
    assert header == body + struct.pack("<H", crc)
    bits = "".join(f"{token:010b}" for token in tokens.reshape(-1))
    body = bytes([3]) + int(bits, 2).to_bytes(15, "big")
    crc = binascii.crc_hqx(body, crc)
    assert packet == body + struct.pack("<H", crc)
    body = struct.pack("<BQ", 0, 3 * 320 - 1)
    assert end == body + struct.pack("<H", binascii.crc_hqx(body, crc))


def test_a_packet_holds_up_to_255_frames():
    _, parts = stream_of(511)
    reader = PacketReader(io.BytesIO(b"".join(parts)))
    assert sum(map(len, reader)) == 511
    assert reader.num_packets == 3


def test_what_has_arrived_comes_at_once_and_together():
    tokens, parts = stream_of(3, 4, 5, 6)
    pipe = Pieces(
        parts[0] + parts[1],
        parts[2] + parts[3] + parts[4][:7],
        parts[4][7:] + parts[5],
    )
    arrived = [len(frames) for frames in PacketReader(pipe)]
    assert arrived == [3, 9, 6]


def test_nothing_is_read_behind_the_end():
    _, parts = stream_of(3)
    pipe = Pieces(b"".join(parts) + b"more")
    assert sum(map(len, PacketReader(pipe))) == 3


def test_an_empty_stream():
    _, parts = stream_of()
    reader = PacketReader(io.BytesIO(b"".join(parts)))
    assert list(reader) == []
    assert reader.num_samples == 0


def test_every_truncation_is_noticed_and_what_came_is_handed_out():
    tokens, parts = stream_of(3, 2, 4)
    data = b"".join(parts)
    complete = numpy.cumsum([len(part) for part in parts])
    for length in range(len(data)):
        read, message = read_until_fault(data[:length])
        frames = [0, 0, 3, 5, 9][sum(complete <= length)]
        assert numpy.array_equal(read, tokens[:frames])
        assert "cut off" in message


def test_every_flipped_bit_is_noticed():
    tokens, parts = stream_of(3, 2)
    data = b"".join(parts)
    for index in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[index] ^= 1 << bit
            read, _ = read_until_fault(bytes(flipped))
            assert numpy.array_equal(read, tokens[: len(read)])


@pytest.mark.parametrize(
    "order", [(0, 2, 3, 4), (0, 1, 1, 2, 3, 4), (0, 2, 1, 3, 4), (0, 1, 4)]
)
def test_packets_must_come_each_once_and_in_order(order):
    tokens, parts = stream_of(3, 3, 3)
    read, message = read_until_fault(b"".join(parts[place] for place in order))
    assert "damaged" in message
    assert numpy.array_equal(read, tokens[: len(read)])


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=100))
def test_noise_is_no_stream(data):
    for start in (b"", b"APS\x1a", b"APS\x1a\x01\x00\x00\x00"):
        with pytest.raises(BitstreamError):
            PacketReader(io.BytesIO(start + data))


def resealed(body, crc=0):
    return body + struct.pack("<H", binascii.crc_hqx(body, crc))


@pytest.mark.parametrize(
    ("offset", "layout", "value", "words"),
    [
        (0, "4s", b"APC\x1a", "no packet stream"),
        (0, "4s", b"RIFF", "no packet stream"),
        (4, "H", 2, "update"),
        (6, "H", 1, "update"),
        (8, "I", 0, "codec_rate is 0"),
        (12, "I", 0, "hop_length is 0"),
        (16, "I", 1, "codebook_size is 1"),
        (20, "H", 0, "num_codebooks is 0"),
        (23, "B", 0xFF, "no text"),
        (23, "B", 7, "printable"),
    ],
)
def test_headers_of_others(offset, layout, value, words):
    _, parts = stream_of(3)
    header = bytearray(parts[0][:-2])
    struct.pack_into("<" + layout, header, offset, value)
    _, message = read_until_fault(resealed(bytes(header)))
    assert words in message
    assert "\n" not in message


def test_an_end_that_does_not_fit_the_frames():
    _, parts = stream_of(3)
    crc = struct.unpack("<H", parts[1][-2:])[0]
    for num_samples in (0, 640, 961, 2**64 - 1):
        end = resealed(struct.pack("<BQ", 0, num_samples), crc)
        read, message = read_until_fault(parts[0] + parts[1] + end)
        assert len(read) == 3
        assert f"{num_samples} samples do not fit" in message


def test_a_token_beyond_a_codebook_that_is_no_power_of_two():
    header = dataclasses.replace(HEADER, codebook_size=1000)
    data = stream_of(header=header)[1][0]
    crc = binascii.crc_hqx(data[:-2], 0)
    data += resealed(b"\x01" + b"\xff" * 5, crc)
    assert "token 1023" in read_until_fault(data)[1]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (numpy.zeros((2, 3), dtype=int), "shape"),
        (numpy.zeros(4, dtype=int), "shape"),
        (numpy.zeros((2, 4)), "integers"),
        (numpy.full((2, 4), 1024), "1024"),
        (numpy.full((2, 4), -1), "-1"),
    ],
)
def test_tokens_that_do_not_fit_the_header(tokens, words):
    file = io.BytesIO()
    writer = PacketWriter(file, HEADER)
    with pytest.raises(BitstreamError, match=words):
        writer.write(tokens)
    assert file.tell() == HEADER_BYTES


@pytest.mark.parametrize("num_samples", [0, 640, 961])
def test_a_stream_ends_within_its_last_frame(num_samples):
    writer = PacketWriter(io.BytesIO(), HEADER)
    writer.write(random_tokens(3))
    with pytest.raises(BitstreamError, match="3 were written"):
        writer.end(num_samples)
