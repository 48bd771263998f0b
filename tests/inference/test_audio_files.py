"""Audio files at the interface go through the package's one reader."""

import math

import numpy
import pytest
import soundfile
import torch

from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import APCodecError, AudioFileError
from tests.support.signals import quiet_noise


@pytest.mark.parametrize(
    "rate, channels", [(48000, 1), (48000, 2), (16000, 1), (44100, 3)]
)
def test_files(tiny_model, tmp_path, rate, channels):
    write_audio(tmp_path / "in.flac", quiet_noise(channels, rate // 10), rate)
    tokens = tiny_model.encode_file(tmp_path / "in.flac")
    samples = math.ceil(rate // 10 * 48000 / rate)
    assert tokens.shape == (1, math.ceil(samples / 320), 4)
    loaded = tiny_model.load_audio(str(tmp_path / "in.flac"))
    assert loaded.shape == (samples,)
    assert torch.equal(tiny_model.encode(loaded[None])[0], tokens)
    tiny_model.decode_file(tokens[0], tmp_path / "out.wav", samples)
    decoded, decoded_rate = read_audio(tmp_path / "out.wav")
    assert decoded.shape == (1, samples)
    assert decoded_rate == 48000
    expected, _ = tiny_model.decode(tokens, num_samples=samples)
    torch.testing.assert_close(
        decoded, expected.clamp(-1, 1), rtol=0, atol=2**-15
    )


def test_encode_file_equals_encode(tiny_model, tmp_path):
    wav = quiet_noise(2, 5000)
    write_audio(tmp_path / "in.wav", wav, 48000, "FLOAT")
    tokens = tiny_model.encode_file(tmp_path / "in.wav", num_codebooks=3)
    expected, _ = tiny_model.encode(
        wav.mean(dim=0, keepdim=True), num_codebooks=3
    )
    assert torch.equal(tokens, expected)


@pytest.mark.parametrize("fault", ["empty", "nan", "missing", "half", "text"])
def test_load_audio_names_faults(tiny_model, tmp_path, fault):
    path = tmp_path / "a.wav"
    samples = numpy.full(480 if fault != "empty" else 0, 0.1)
    if fault == "nan":
        samples[7] = numpy.nan
    if fault != "missing":
        soundfile.write(path, samples, 48000, subtype="FLOAT")
    if fault == "half":
        path.write_bytes(path.read_bytes()[:1000])
    if fault == "text":
        path.write_text("no audio")
    for read in (tiny_model.load_audio, tiny_model.encode_file):
        with pytest.raises(AudioFileError, match="a.wav"):
            read(path)


def test_antiphase_stereo_is_heard(tiny_model, tmp_path):
    wav = quiet_noise(1, 480)
    write_audio(tmp_path / "a.wav", torch.cat([wav, -wav]), 48000, "FLOAT")
    loaded = tiny_model.load_audio(tmp_path / "a.wav")
    assert torch.equal(loaded.abs(), wav[0].abs())


def test_a_mistyped_path_is_one_line(tiny_model, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(APCodecError, match="missing.wav"):
        tiny_model.load_audio("missing.wav")


def test_decode_file_replaces_by_force_alone(tiny_model, tmp_path):
    path = tmp_path / "a.wav"
    tokens = tiny_model.silence_tokens(2)
    tiny_model.decode_file(tokens, path)
    path.write_bytes(b"precious")
    with pytest.raises(AudioFileError, match="force=True"):
        tiny_model.decode_file(tokens, path)
    assert path.read_bytes() == b"precious"
    tiny_model.decode_file(tokens, path, force=True)
    assert read_audio(path)[0].shape == (1, 2 * tiny_model.hop_length)


def test_decode_file_takes_one_waveform(tiny_model, tmp_path):
    tokens = torch.zeros(2, 3, 4).long()
    with pytest.raises(APCodecError, match="one waveform, not of 2"):
        tiny_model.decode_file(tokens, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()
