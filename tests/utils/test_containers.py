"""What a file promises is compared with what is there."""

import io
import os
import re
import struct
import sys
import threading

import numpy
import pytest
import soundfile

from speechbrain_apcodec.utils.audio import read_audio, read_recording
from speechbrain_apcodec.utils.containers import find_fault
from speechbrain_apcodec.utils.errors import NOTICE, AudioFileError
from speechbrain_apcodec.utils.levels import notice_once

SAMPLES = numpy.random.default_rng(0).normal(0, 0.1, 24000)

#: Every kind of file that the reader knows more of than libsndfile does.
KINDS = {
    "wav": {},
    "aiff": {},
    "caf": {},
    "au": {},
    "w64": {},
    "rf64": {},
    "sph": {"format": "NIST"},
    "svx": {"format": "SVX"},
    "mp3": {},
    "flac": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """From a kind to the bytes of a whole file."""
    folder = tmp_path_factory.mktemp("whole")
    files = {}
    for kind, options in KINDS.items():
        path = folder / f"a.{kind}"
        options = {"format": kind.upper(), **options}
        soundfile.write(path, SAMPLES, 48000, **options)
        files[kind] = path.read_bytes()
    return files


def refused(path):
    """Return the one line by which a file is refused."""
    with pytest.raises(AudioFileError) as raised:
        read_audio(path)
    message = str(raised.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def tagged(data):
    """Put an ID3 tag before, and one behind a file."""
    return b"ID3\4\0\0\0\0\0\x14" + bytes(20) + data + b"TAG" + bytes(125)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read(kind, whole, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(whole[kind])
    assert read_audio(path)[0].shape == (1, 24000)


@pytest.mark.parametrize("share", [0.35, 0.5, 0.99])
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_refused(kind, share, whole, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(whole[kind][: int(share * len(whole[kind]))])
    refused(path)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3"])
def test_joined_files_are_refused(kind, whole, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(2 * whole[kind])
    assert "several recordings" in refused(path)


@pytest.mark.parametrize("kind", ["mp3", "flac"])
def test_tags_are_no_audio(kind, whole):
    assert find_fault(tagged(whole[kind])) is None
    half = whole[kind][: len(whole[kind]) // 2]
    if kind == "mp3":
        assert "truncated" in find_fault(tagged(half))
    assert "several recordings" in find_fault(2 * tagged(whole[kind]))


def test_frames_of_an_mp3_without_a_count_are_walked(whole):
    data = whole["mp3"]
    plain = data[data.index(data[:2], 4) :]
    assert find_fault(plain) is None
    assert "last frame" in find_fault(plain[:-10])


def test_an_mp3_cut_between_frames_has_fewer_than_it_says(whole):
    data = whole["mp3"]
    last = data.rindex(data[:2])
    assert "frames" in find_fault(data[: data.rindex(data[:2], 0, last)])


def pages_of(ogg):
    """Split an Ogg file into its pages."""
    starts = [found.start() for found in re.finditer(b"OggS", ogg)]
    return [
        ogg[start:end]
        for start, end in zip(starts, [*starts[1:], len(ogg)], strict=True)
    ]


def position_of(page):
    """Return the number of samples up to the end of a page."""
    return struct.unpack_from("<q", page, 6)[0]


def without_end_mark(page):
    """Unmark a page, as a recorder that was stopped does."""
    page = bytearray(page)
    page[5] &= ~4
    page[22:26] = bytes(4)
    struct.pack_into("<I", page, 22, ogg_checksum(page))
    return bytes(page)


def ogg_checksum(page):
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            carry = register >> 31
            register = (register << 1 & 0xFFFFFFFF) ^ carry * 0x04C11DB7
    return register


@pytest.fixture
def notices(caplog):
    notice_once.cache_clear()
    caplog.set_level(NOTICE)
    return caplog


def test_an_ogg_without_an_end_mark_is_read_to_its_last_sample(
    whole, tmp_path, notices
):
    path = tmp_path / "a.ogg"
    *others, last = pages_of(whole["ogg"])
    path.write_bytes(b"".join([*others, without_end_mark(last)]))
    wav, _ = read_audio(path)
    assert wav.shape == (1, position_of(last)) == (1, 24000)
    assert "no mark at its end" in notices.text
    assert str(path) in notices.text


def test_an_ogg_that_ends_with_a_page_is_read_to_there(
    whole, tmp_path, notices
):
    """Nothing in it tells such a file from one of a stopped recorder."""
    path = tmp_path / "a.ogg"
    pages = pages_of(whole["ogg"])[:-1]
    path.write_bytes(b"".join(pages))
    wav, _ = read_audio(path)
    assert wav.shape == (1, position_of(pages[-1]))
    assert 1000 < wav.shape[1] < 24000
    assert "may be missing" in notices.text


@pytest.mark.parametrize("num_bytes", [1, 20, 26, 27, 30, 300])
@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_an_ogg_cut_within_a_page_is_refused(kind, num_bytes, whole, tmp_path):
    path = tmp_path / "a.ogg"
    *others, last = pages_of(whole[kind])
    path.write_bytes(b"".join([*others, last[:num_bytes]]))
    assert "last page" in refused(path)


def test_an_ogg_without_a_page_between_is_refused(whole, tmp_path):
    path = tmp_path / "a.ogg"
    *others, _, last = pages_of(whole["ogg"])
    path.write_bytes(b"".join([*others, last]))
    assert "page of it is missing" in refused(path)


def test_an_ogg_marked_at_its_end_is_read_without_a_word(
    whole, tmp_path, notices
):
    path = tmp_path / "a.ogg"
    path.write_bytes(whole["ogg"])
    read_audio(path)
    assert notices.messages == []


@pytest.mark.parametrize("size", [0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_lengths_of_a_pipe_are_guesses(size, whole, tmp_path):
    data = bytearray(whole["wav"])
    struct.pack_into("<I", data, data.index(b"data") + 4, size)
    (tmp_path / "a.wav").write_bytes(data)
    assert read_audio(tmp_path / "a.wav")[0].shape == (1, 24000)


def of_unknown_length(flac):
    """Do as an encoder that writes into a pipe."""
    data = bytearray(flac)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return data


def test_a_flac_of_unknown_length_is_read(whole, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(of_unknown_length(whole["flac"]))
    wav, audio_format = read_recording(path)
    assert wav.shape == (1, 24000)
    assert audio_format.num_samples == 24000
    path.write_bytes(of_unknown_length(whole["flac"])[:9000])
    refused(path)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg"])
def test_a_pipe_is_read(kind, whole, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[whole[kind]])
    writer.start()
    wav, audio_format = read_recording(pipe)
    writer.join()
    assert wav.shape == (1, 24000)
    assert audio_format.sample_rate == 48000


def test_standard_input_is_read(whole, monkeypatch):
    for data, words in ((whole["wav"], None), (b"", "ended"), (b"no", "not")):
        stream = io.TextIOWrapper(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", stream)
        if words is None:
            assert read_audio("-")[0].shape == (1, 24000)
        else:
            with pytest.raises(
                AudioFileError, match=f"standard input.*{words}"
            ):
                read_audio("-")


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
def test_an_absurd_rate_is_refused(rate, whole, tmp_path):
    data = bytearray(whole["wav"])
    struct.pack_into("<I", data, 24, rate)
    (tmp_path / "a.wav").write_bytes(data)
    refused(tmp_path / "a.wav")


def test_a_device_is_no_recording():
    assert "device" in refused("/dev/zero")


def test_a_name_that_is_no_utf8_is_read_and_shown(whole, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(whole["wav"])
    assert read_audio(path)[0].shape == (1, 24000)
    path.write_bytes(whole["wav"][:100])
    with pytest.raises(AudioFileError, match=r"caf\\xe9.wav is truncated"):
        read_audio(path)


def test_what_is_no_audio_has_no_fault_of_ours():
    generator = numpy.random.default_rng(0)
    for start in (b"", b"RIFF", b"OggS", b"\xff\xfb\x94\xc4", b"caff", b".snd"):
        for length in (0, 4, 40, 400):
            find_fault(start + generator.bytes(length))
