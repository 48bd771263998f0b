"""Audio files: what is read is what was written, faults are one clear line."""

import numpy
import pytest
import soundfile
import torch

from speechbrain_apcodec.utils import audio
from speechbrain_apcodec.utils.audio import (
    AudioFormat,
    read_audio,
    read_audio_info,
    storable_subtype,
    write_audio,
)
from speechbrain_apcodec.utils.errors import AudioFileError
from tests.support.signals import quiet_noise


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(
    ("suffix", "subtype", "step"),
    [
        (".wav", "PCM_U8", 2**-7),
        (".flac", "PCM_S8", 2**-7),
        (".wav", "PCM_16", 2**-15),
        (".flac", "PCM_16", 2**-15),
        (".wav", "PCM_24", 2**-23),
        (".flac", "PCM_24", 2**-23),
        (".wav", "PCM_32", 2**-24),  # float32 has 24 bits
        (".wav", "FLOAT", 0),
        (".aiff", "DOUBLE", 0),
    ],
)
def test_what_is_written_is_read_to_half_a_step(
    tmp_path, suffix, subtype, step, channels
):
    wav = quiet_noise(channels, 1001).clamp(-0.9, 0.9)
    path = tmp_path / f"a{suffix}"
    write_audio(path, wav, 44100, subtype)
    read, sample_rate = read_audio(path)
    assert sample_rate == 44100
    assert read.dtype == torch.float32
    assert read.shape == wav.shape
    assert (read - wav).abs().max() <= step / 2 + 1e-9
    assert read_audio_info(path).subtype == subtype


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_too_loud_samples_are_clipped_and_never_wrap(tmp_path, subtype):
    path = tmp_path / "a.wav"
    write_audio(
        path, torch.tensor([[1.0, 1.5, -1.0, -1.5, 1e9]]), 8000, subtype
    )
    read = read_audio(path)[0][0]
    assert torch.equal(read > 0, torch.tensor([True, True, False, False, True]))
    assert (read.abs() >= 1 - 2**-7).all()


def test_float_files_keep_what_is_above_full_scale(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, torch.tensor([[1.5, -7.0]]), 8000, "FLOAT")
    assert read_audio(path)[0].tolist() == [[1.5, -7.0]]


def test_sixteen_bits_survive_reading_and_writing_unchanged(tmp_path):
    every_value = numpy.arange(-(2**15), 2**15, dtype=numpy.int16)
    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    soundfile.write(first, every_value, 48000, subtype="PCM_16")
    wav, sample_rate = read_audio(first)
    write_audio(second, wav, sample_rate, "PCM_16")
    assert second.read_bytes() == first.read_bytes()


def test_files_longer_than_a_block_are_read_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 100)
    wav = quiet_noise(2, 1001)
    write_audio(tmp_path / "a.wav", wav, 48000, "FLOAT")
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], wav)


def test_info_tells_the_format(tmp_path):
    path = tmp_path / "a.flac"
    write_audio(path, torch.zeros(3, 480), 96000, "PCM_24")
    info = read_audio_info(path)
    assert info == AudioFormat(96000, 3, 480, "FLAC", "PCM_24")
    assert info.seconds == 0.005


@pytest.mark.parametrize(
    ("name", "wished", "stored"),
    [
        ("a.wav", "PCM_S8", "PCM_U8"),
        ("a.flac", "PCM_U8", "PCM_S8"),
        ("a.flac", "PCM_32", "PCM_24"),
        ("a.flac", "FLOAT", "PCM_24"),
        ("a.flac", "DOUBLE", "PCM_24"),
        ("a.wav", "ULAW", "ULAW"),
        ("a.flac", "ULAW", "PCM_16"),
        ("a.WAV", "VORBIS", "PCM_16"),
        ("a.wav", "IMA_ADPCM", "PCM_16"),  # would round the length up
        ("a.ogg", "PCM_24", "VORBIS"),
        ("a.ogg", "OPUS", "OPUS"),
        ("a.opus", "PCM_16", "OPUS"),
        ("a.mp3", "PCM_16", "MPEG_LAYER_III"),
    ],
)
def test_nearest_encoding_that_a_container_offers(
    tmp_path, name, wished, stored
):
    assert storable_subtype(name, wished) == stored
    write_audio(tmp_path / name, quiet_noise(1, 4800), 48000, wished)
    assert read_audio_info(tmp_path / name).subtype == stored


def make_fault(tmp_path, fault):
    """Return the path of a file with a fault."""
    path = tmp_path / "a.wav"
    if fault == "folder":
        path.mkdir()
    elif fault == "empty":
        path.touch()
    elif fault == "text":
        path.write_text("These are words, not samples.\n" * 50)
    elif fault == "no samples":
        soundfile.write(path, numpy.zeros((0, 1)), 48000)
    elif fault == "raw":
        path = tmp_path / "a.raw"
        path.write_bytes(bytes(1000))
    elif fault == "truncated flac":
        path = tmp_path / "a.flac"
        write_audio(path, quiet_noise(1, 20000), 48000)
        path.write_bytes(path.read_bytes()[:10000])
    elif fault != "missing":
        samples = numpy.zeros((100, 2), dtype=numpy.float32)
        samples[50, 1] = float(fault)
        soundfile.write(path, samples, 48000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "empty file"),
        ("no samples", "no samples"),
        ("text", "not an audio file"),
        ("raw", "not an audio file"),
        ("truncated flac", "damaged"),
        ("nan", "NaN or infinite"),
        ("inf", "NaN or infinite"),
        ("-inf", "NaN or infinite"),
    ],
)
def test_faults_are_one_line_that_names_the_file(tmp_path, fault, words):
    path = make_fault(tmp_path, fault)
    with pytest.raises(AudioFileError) as raised:
        read_audio(path)
    message = str(raised.value)
    assert words in message
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "wav", "sample_rate", "words"),
    [
        ("a.wav", torch.tensor([0.0, float("nan")]), 48000, "NaN"),
        ("a.txt", torch.zeros(10), 48000, "suffix"),
        ("a", torch.zeros(10), 48000, "suffix"),
        ("a.raw", torch.zeros(10), 48000, "suffix"),
        ("a.flac", torch.zeros(9, 10), 48000, "9 channels"),
        ("a.opus", torch.zeros(10), 44100, "44100 Hz"),
        ("no/a.wav", torch.zeros(10), 48000, "not a folder"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(
    tmp_path, name, wav, sample_rate, words
):
    with pytest.raises(AudioFileError, match=words):
        write_audio(tmp_path / name, wav, sample_rate)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, torch.ones(1, 10), 48000)
    before = path.read_bytes()
    with pytest.raises(AudioFileError):
        write_audio(path, torch.full((1, 10), float("inf")), 48000)
    assert path.read_bytes() == before
