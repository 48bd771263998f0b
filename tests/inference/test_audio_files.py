"""Audio files at the interface go through the package's one reader."""

import numpy
import pytest
import soundfile
import torch

from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import APCodecError, AudioFileError


@pytest.mark.parametrize("fault", ["empty", "nan", "missing", "half"])
def test_load_audio_names_faults(tiny_model, tmp_path, fault):
    path = tmp_path / "a.wav"
    samples = numpy.full(480 if fault != "empty" else 0, 0.1)
    if fault == "nan":
        samples[7] = numpy.nan
    if fault != "missing":
        soundfile.write(path, samples, 48000, subtype="FLOAT")
    if fault == "half":
        path.write_bytes(path.read_bytes()[:1000])
    for read in (tiny_model.load_audio, tiny_model.encode_file):
        with pytest.raises(AudioFileError, match="a.wav"):
            read(path)


def test_load_audio_gives_what_encode_takes(tiny_model, tmp_path):
    path = tmp_path / "a.flac"
    wav = 0.1 * torch.randn(2, 441, generator=torch.Generator().manual_seed(0))
    write_audio(path, wav, 44100)
    loaded = tiny_model.load_audio(str(path))
    assert loaded.shape == (480,)
    assert torch.equal(
        tiny_model.encode(loaded[None])[0], tiny_model.encode_file(path)
    )


def test_antiphase_stereo_is_heard(tiny_model, tmp_path):
    wav = 0.1 * torch.randn(1, 480, generator=torch.Generator().manual_seed(0))
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
