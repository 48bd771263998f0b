"""Audio through pipes: every WAV that programs write into one, and no other."""

import io
import struct

import numpy
import pytest
import soundfile

from speechbrain_apcodec.cli.pipes import _RAW_FORMATS
from speechbrain_apcodec.files.audio_stream import (
    RAW_FORMATS,
    AudioInput,
    AudioOutput,
)
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import AudioFileError
from tests.files.trickle import Pieces, Trickle


def noise(*shape):
    return numpy.random.default_rng(0).uniform(-1, 1, shape)


def wav_bytes(samples, subtype="PCM_16", container="WAV", rate=48000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=container)
    return file.getvalue()


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def bare_wav(data, size=None, before=b"", after=b""):
    """A 16-bit mono WAV with a data chunk that claims a size."""
    size = len(data) if size is None else size
    return (
        b"RIFF\xff\xff\xff\xffWAVE"
        + before
        + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 48000, 96000, 2, 16))
        + b"data"
        + struct.pack("<I", size)
        + data
        + after
    )


def read_all(file, raw=None):
    pieces = list(AudioInput(file, 48000, raw))
    assert all(len(piece) for piece in pieces)
    return numpy.concatenate([numpy.zeros(0, numpy.float32), *pieces])


@pytest.mark.parametrize("most", [1, 5, 100, 1 << 16])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_wavs_of_all_formats_in_any_pieces(subtype, container, channels, most):
    data = wav_bytes(noise(300, channels), subtype, container)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    read = read_all(Trickle(data, most))
    assert read.dtype == numpy.float32
    expected = expected.reshape(300, -1).mean(axis=1)
    numpy.testing.assert_allclose(read, expected, rtol=0, atol=1e-7)
    if channels == 1:
        assert numpy.array_equal(read, expected)


@pytest.mark.parametrize(("raw", "dtype"), RAW_FORMATS.items())
def test_raw_samples(raw, dtype):
    samples = numpy.array([0.0, 0.5, -1.0])
    scale = 32768 if raw == "s16le" else 1
    data = (samples * scale).astype(dtype).tobytes()
    assert read_all(Trickle(data, 3), raw).tolist() == samples.tolist()
    # What ends within a sample ends before it.
    assert read_all(io.BytesIO(data[:-1]), raw).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("size", [0, 0x7FFFF024, 0x80000000, 0xFFFFFFFF])
def test_lengths_of_programs_that_do_not_know_them(size):
    audio = AudioInput(io.BytesIO(bare_wav(b"\0\x40" * 9, size)), 48000)
    assert audio.missing is None
    assert sum(map(len, audio)) == 9


def test_a_known_length_keeps_what_follows_out_of_the_sound():
    wav = bare_wav(
        b"\0\x40" * 9,
        before=chunk(b"LIST", b"odd") + chunk(b"JUNK", b""),
        after=chunk(b"LIST", b"noise!"),
    )
    assert read_all(Trickle(wav, 7)).tolist() == [0.5] * 9


def test_less_than_the_header_announces_is_counted():
    audio = AudioInput(io.BytesIO(bare_wav(b"\0\x40" * 9, 30)), 48000)
    assert audio.missing == 15
    assert sum(map(len, audio)) == 9
    assert audio.missing == 6


def test_a_block_waits_for_nothing():
    pipe = Pieces(b"\0\x40\0", b"\x40\0")
    audio = iter(AudioInput(pipe, 48000, "s16le"))
    assert [next(audio).tolist() for _ in range(2)] == [[0.5], [0.5]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ended before"),
        (b"RIFF\0\0\0\0WA", "ended before"),
        (wav_bytes(noise(9))[:30], "ended before"),
        (b"no audio at all", "--raw"),
        (b"RIFF\0\0\0\0AVI ", "--raw"),
        (wav_bytes(noise(9), rate=44100), "ffmpeg -i - -ar 48000"),
        (wav_bytes(noise(9), "PCM_U8"), "8 bits"),
        (wav_bytes(noise(9), "DOUBLE"), "64 bits"),
        (wav_bytes(noise(9), "ULAW"), "format 7"),
        (wav_bytes(numpy.array([0, numpy.nan]), "FLOAT"), "NaN"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "damaged"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xff", "damaged"),
        (
            b"RIFF\0\0\0\0WAVE"
            + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 0, 48000, 0, 0, 16)),
            "format 1",
        ),
    ],
    # Not the bytes: those of floats hold the time at which they were made.
    ids=lambda value: value if isinstance(value, str) else "wav",
)
def test_faults_are_named(data, words):
    with pytest.raises(AudioFileError) as raised:
        read_all(io.BytesIO(data))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("raw", [None, *RAW_FORMATS])
def test_what_is_written_can_be_read(raw, tmp_path):
    samples = noise(500).astype(numpy.float32)
    file = io.BytesIO()
    output = AudioOutput(file, 48000, raw)
    for start in range(0, 500, 100):
        output.write(samples[start : start + 100])
    read = read_all(Trickle(file.getvalue(), 77), raw)
    tolerance = 0 if raw == "f32le" else 0.5001 / 32768
    numpy.testing.assert_allclose(read, samples, rtol=0, atol=tolerance)
    if raw is None:
        (tmp_path / "a.wav").write_bytes(file.getvalue())
        assert numpy.array_equal(read_audio(tmp_path / "a.wav")[0][0], read)


def test_loud_samples_are_clipped():
    file = io.BytesIO()
    loud = numpy.array([1.5, -1.5], numpy.float32)
    AudioOutput(file, 48000, "s16le").write(loud)
    assert file.getvalue() == struct.pack("<hh", 32767, -32768)


def test_silence_for_ever_is_still_a_wav():
    file = io.BytesIO()
    AudioOutput(file, 48000).write(numpy.zeros(0, numpy.float32))
    assert soundfile.info(io.BytesIO(file.getvalue())).frames == 0


@pytest.mark.parametrize("mode", ["r+b", "ab"])
def test_a_file_gets_its_true_length(tmp_path, mode):
    """What is appended cannot be rewritten; what lies before it must not."""
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with path.open(mode) as file:
        file.seek(6)
        output = AudioOutput(file, 48000)
        for _ in range(2):
            output.write(numpy.full(100, 0.5, numpy.float32))
        output.end()
        file.write(b"behind")
    data = path.read_bytes()
    wav = data[6:-6]
    assert (data[:6], data[-6:]) == (b"before", b"behind")
    assert wav[44:] == 200 * struct.pack("<h", 16384)
    lengths = struct.unpack("<I", wav[4:8]) + struct.unpack("<I", wav[40:44])
    assert lengths == ((436, 400) if mode == "r+b" else 2 * (0xFFFFFFFF,))


def test_the_command_line_offers_these_formats():
    assert tuple(RAW_FORMATS) == _RAW_FORMATS


@pytest.mark.parametrize(("other", "cancels"), [(-1, True), (1, False)])
def test_channels_that_cancel_each_other_out_are_noticed(other, cancels):
    left = 0.1 * noise(4800)
    file = io.BytesIO(wav_bytes(numpy.stack([left, other * left], axis=1)))
    audio = AudioInput(file, 48000)
    assert not audio.cancels_out
    assert sum(map(len, audio)) == 4800
    assert audio.cancels_out == cancels
