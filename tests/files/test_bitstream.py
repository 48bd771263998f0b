"""The .apc container: exact both ways, and every change is noticed."""

import dataclasses
import struct
import zlib

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechbrain_apcodec.files import token_format
from speechbrain_apcodec.files.apc_header import ApcHeader, measured_kbps
from speechbrain_apcodec.files.bitstream import (
    file_bytes,
    pack_apc,
    read_apc,
    write_apc,
)
from speechbrain_apcodec.files.salvage import salvage_apc
from speechbrain_apcodec.utils.errors import BitstreamError
from tests.installed import ROOT

HEADER = ApcHeader(
    model_id="tiny@0123456789abcdef",
    codec_rate=48000,
    sample_rate=44100,
    num_samples=1000,
    hop_length=320,
    num_codebooks=3,
    codebook_size=1024,
    channels=2,
    subtype="PCM_24",
)


def random_tokens(header, seed=0):
    return numpy.random.default_rng(seed).integers(
        0, header.codebook_size, header.tokens_shape
    )


HEADER_BYTES = 54 + len("tiny@0123456789abcdef" + "PCM_24")
#: As each is in ``HEADER``.
PAYLOAD_BYTES = 2 * 4 * 3 * 10 // 8


def crc(data):
    return struct.pack("<I", zlib.crc32(data))


def reseal(body, header_bytes=HEADER_BYTES):
    """Give a file of one block, without its checksums, those that fit."""
    header, packed = body[:header_bytes], body[header_bytes:]
    body = header + crc(header) + packed + crc(bytes(4) + packed)
    return body + crc(body)


def unsealed(data, header_bytes=HEADER_BYTES):
    """Undo ``reseal``."""
    return data[:header_bytes] + data[header_bytes + 4 : -8]


@settings(max_examples=200, deadline=None)
@given(
    codebook_size=st.integers(2, 5000),
    num_codebooks=st.integers(1, 17),
    channels=st.integers(1, 4),
    num_samples=st.integers(1, 30_000),
    sample_rate=st.sampled_from([8000, 22050, 44100, 48000, 96000]),
    hop_length=st.sampled_from([1, 40, 320]),
    model_id=st.text(
        st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_reading_undoes_packing(model_id, seed, **fields):
    if fields["hop_length"] == 1:
        fields["num_samples"] = min(fields["num_samples"], 500)
    header = ApcHeader(
        model_id=model_id, codec_rate=48000, subtype="PCM_16", **fields
    )
    tokens = random_tokens(header, seed)
    read_header, read_tokens = read_apc(pack_apc(header, tokens))
    assert read_header == header
    assert read_tokens.dtype == numpy.int64
    assert numpy.array_equal(read_tokens, tokens)


@pytest.mark.parametrize("codebook_size", [2, 3, 1000, 1024, 1025, 2**24])
def test_blocks_of_tokens_join_without_a_seam(monkeypatch, codebook_size):
    monkeypatch.setattr(token_format, "_BLOCK_TOKENS", 8)
    header = dataclasses.replace(HEADER, codebook_size=codebook_size)
    tokens = random_tokens(header)
    joined = pack_apc(header, tokens)
    assert numpy.array_equal(read_apc(joined)[1], tokens)
    monkeypatch.undo()
    assert joined == pack_apc(header, tokens)


def test_tokens_take_exactly_their_bits_in_the_documented_order():
    header = dataclasses.replace(
        HEADER, sample_rate=48000, num_samples=640, num_codebooks=2
    )
    tokens = numpy.arange(8).reshape(2, 2, 2) + 1000
    data = pack_apc(header, tokens)
    payload = data[HEADER_BYTES + 4 : -8]
    assert len(payload) == 8 * 10 // 8
    bits = "".join(f"{byte:08b}" for byte in payload)
    assert bits == "".join(f"{token:010b}" for token in range(1000, 1008))


def test_header_has_the_documented_layout():
    data = pack_apc(HEADER, random_tokens(HEADER))
    length = 54 + len(HEADER.model_id) + len("PCM_24")
    assert data[:12] == b"APC\x1a" + struct.pack("<HHI", 2, 0, length)
    assert struct.unpack_from("<IIQQIIIHH", data, 12) == (
        (48000, 44100, 1000, 1089, 320, 4, 1024, 3, 2)
    )
    assert data[52:74] == b"\x15tiny@0123456789abcdef"
    assert data[74:81] == b"\x06PCM_24"
    assert length == HEADER_BYTES
    assert len(data) == length + 4 + PAYLOAD_BYTES + 4 + 4
    assert data == reseal(unsealed(data))


def documented_examples():
    """Return the two files whose bytes docs/bitstream.md shows."""
    text = (ROOT / "docs" / "bitstream.md").read_text(encoding="utf-8")
    for block in text.split("```text\n")[1:]:
        lines = block.split("```")[0].splitlines()
        # Bytes, three spaces or more, and what they are.
        yield bytes.fromhex("".join(line.split("   ")[0] for line in lines))


def test_the_documented_example_is_a_file_of_both_versions():
    second, first = documented_examples()
    header = ApcHeader("a@1", 2000, 2000, 2500, 1000, 2, 16, 1, "PCM_16")
    tokens = numpy.array([[[1, 2], [3, 4], [15, 0]]])
    assert pack_apc(header, tokens) == second
    for data, version in ((first, 1), (second, 2)):
        assert data[4] == version
        read_header, read_tokens = read_apc(data)
        assert read_header == header
        assert numpy.array_equal(read_tokens, tokens)


def test_a_file_that_version_1_wrote():
    path = ROOT / "tests" / "files" / "version_1.apc"
    header, tokens = read_apc(path)
    assert path.read_bytes()[4] == 1
    assert header == dataclasses.replace(
        HEADER, num_samples=88_200, codebook_size=1000
    )
    expected = numpy.arange(2 * 300 * 3).reshape(2, 300, 3) * 7 % 1000
    assert numpy.array_equal(tokens, expected)
    salvaged = salvage_apc(path)
    assert numpy.array_equal(salvaged.tokens, expected)
    assert salvaged.gaps == []
    changed = bytearray(path.read_bytes())
    for index in range(0, len(changed), 3):
        changed[index] ^= 1
        for read in (read_apc, salvage_apc):
            with pytest.raises(BitstreamError) as raised:
                read(bytes(changed))
            assert "--salvage" not in str(raised.value)
        changed[index] ^= 1


def test_every_truncation_is_noticed():
    data = pack_apc(HEADER, random_tokens(HEADER))
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            read_apc(data[:length])


def test_every_flipped_bit_is_noticed():
    data = pack_apc(HEADER, random_tokens(HEADER))
    for index in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[index] ^= 1 << bit
            with pytest.raises(BitstreamError):
                read_apc(bytes(flipped))


def test_bytes_at_the_end_are_noticed():
    data = pack_apc(HEADER, random_tokens(HEADER))
    with pytest.raises(BitstreamError, match="too long"):
        read_apc(data + b"\0")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_noise_is_no_file(data):
    for start in (b"", b"APC\x1a", b"APC\x1a\x01\0\0\0", b"APC\x1a\x02\0\0\0"):
        with pytest.raises(BitstreamError):
            read_apc(start + data)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "words"),
    [
        (0, "4s", b"RIFF", "no .apc file"),
        (4, "H", 3, "update"),
        (6, "H", 1, "update"),
        (8, "I", 2**32 - 1, "too long"),
        (8, "I", 60, "checksum"),
        (12, "I", 0, "codec_rate"),
        (16, "I", 2**32 - 1, "sample_rate"),
        (20, "Q", 0, "num_samples"),
        (20, "Q", 2**64 - 1, "num_samples"),
        (28, "Q", 2**40, "contradicts"),
        (36, "I", 0, "hop_length"),
        (40, "I", 2**32 - 1, "contradicts"),
        (44, "I", 1, "codebook_size"),
        (48, "H", 2**16 - 1, "num_codebooks"),
        (50, "H", 0, "channels"),
        (50, "H", 1000, "truncated"),
        (52, "B", 255, "damaged|truncated"),
        (53, "B", 0x1B, "printable"),
    ],
)
def test_hostile_headers_are_refused_by_what_they_claim(
    offset, layout, value, words
):
    body = bytearray(unsealed(pack_apc(HEADER, random_tokens(HEADER))))
    struct.pack_into(f"<{layout}", body, offset, value)
    with pytest.raises(BitstreamError, match=words) as raised:
        read_apc(reseal(bytes(body)))
    assert "\n" not in str(raised.value)


def test_a_giant_claim_allocates_nothing(monkeypatch):
    header = dataclasses.replace(HEADER, num_samples=2**40, channels=1000)
    claimed = bytearray(unsealed(pack_apc(HEADER, random_tokens(HEADER))))
    struct.pack_into("<Q", claimed, 20, header.num_samples)
    struct.pack_into("<Q", claimed, 28, header.codec_samples)
    struct.pack_into("<I", claimed, 40, header.num_frames)
    struct.pack_into("<H", claimed, 50, header.channels)
    monkeypatch.setattr(numpy, "empty", None)
    monkeypatch.setattr(numpy, "zeros", None)
    for read, word in ((read_apc, "truncated"), (salvage_apc, "too little")):
        with pytest.raises(BitstreamError, match=word):
            read(reseal(bytes(claimed)))


def test_token_beyond_a_codebook_that_is_no_power_of_two():
    header = dataclasses.replace(HEADER, codebook_size=1000)
    body = bytearray(unsealed(pack_apc(header, random_tokens(header))))
    body[HEADER_BYTES:] = b"\xff" * PAYLOAD_BYTES
    with pytest.raises(BitstreamError, match="token 1023"):
        read_apc(reseal(bytes(body)))


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (numpy.zeros((2, 4, 2), dtype=int), "shape"),
        (numpy.zeros((2, 4, 3)), "integers"),
        (numpy.full((2, 4, 3), 1024), "1024"),
        (numpy.full((2, 4, 3), -1), "-1"),
    ],
)
def test_tokens_that_do_not_fit_the_header(tokens, words):
    with pytest.raises(BitstreamError, match=words):
        pack_apc(HEADER, tokens)


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate": 999},
        {"sample_rate": 768_001},
        {"num_samples": 0},
        {"channels": 1025},
        {"model_id": ""},
        {"model_id": "x" * 256},
        {"model_id": "\x1b[2J"},
    ],
)
def test_headers_that_no_file_can_hold(change):
    with pytest.raises(BitstreamError):
        dataclasses.replace(HEADER, **change)


def test_a_file_on_disk(tmp_path):
    path = tmp_path / "tokens.apc"
    tokens = random_tokens(HEADER)
    num_bytes = write_apc(path, HEADER, tokens)
    assert path.stat().st_size == num_bytes
    header, read_tokens = read_apc(path)
    assert header == HEADER
    assert numpy.array_equal(read_tokens, tokens)
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.apc"]


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "longer"])
def test_paths_that_hold_no_file(tmp_path, kind):
    path = tmp_path / "tokens.apc"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "longer":
        path.write_bytes(pack_apc(HEADER, random_tokens(HEADER)) + b"\0" * 9)
    with pytest.raises(BitstreamError) as raised:
        read_apc(path)
    assert str(path) in str(raised.value)


def test_bitrates():
    header = dataclasses.replace(
        HEADER,
        sample_rate=48000,
        num_samples=480_000,
        num_codebooks=4,
        channels=1,
    )
    assert header.bitrate == 6000
    data = pack_apc(header, random_tokens(header))
    assert len(data) == file_bytes(header, HEADER_BYTES + 4, 2)
    assert measured_kbps(7500, header) == 6


@pytest.mark.parametrize("seconds", [60, 3600])
def test_blocks_cost_less_than_a_per_cent(seconds):
    header = dataclasses.replace(
        HEADER,
        sample_rate=48000,
        num_samples=48000 * seconds,
        num_codebooks=4,
        channels=1,
    )
    packed = 750 * seconds
    size = file_bytes(header, HEADER_BYTES + 4, 2)
    assert packed < size < 1.01 * packed


def test_the_block_that_is_damaged_is_named():
    header = dataclasses.replace(HEADER, num_samples=5 * 44100)
    data = bytearray(pack_apc(header, random_tokens(header)))
    size = 2 * 150 * 3 * 10 // 8 + 4
    data[HEADER_BYTES + 4 + 2 * size + 9] ^= 1
    with pytest.raises(BitstreamError, match=r"block 3 of 5.*--salvage"):
        read_apc(bytes(data))


def test_blocks_that_changed_places_are_noticed():
    header = dataclasses.replace(HEADER, num_samples=2 * 44100)
    data = pack_apc(header, random_tokens(header))
    start, size = HEADER_BYTES + 4, 2 * 150 * 3 * 10 // 8 + 4
    first, second = data[start : start + size], data[start + size : -4]
    body = data[:start] + second + first
    with pytest.raises(BitstreamError, match="block 1 of 2"):
        read_apc(body + crc(body))
