"""Compressed recordings as objects: the same as files, bit for bit."""

import pytest
import torch

from speechbrain_apcodec.files.apc_file import ApcFile
from speechbrain_apcodec.files.coding import decode_file, encode_file
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import APCodecError, AudioFileError
from tests.support.signals import quiet_noise


@pytest.fixture(params=[48000, 44100])
def recording(request, tmp_path):
    """A stereo recording of floats, which loses nothing on the disk."""
    path = tmp_path / "in.wav"
    write_audio(path, quiet_noise(2, 5281), request.param, "FLOAT")
    return path


def test_an_object_is_the_file(tiny_model, recording, tmp_path):
    encode_file(tiny_model, recording, tmp_path / "a.apc", num_codebooks=2)
    decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "out.wav")
    expected, rate = read_audio(tmp_path / "out.wav")
    wav, _ = read_audio(recording)
    for compressed in (
        tiny_model.compress(recording, num_codebooks=2),
        tiny_model.compress(wav, rate, num_codebooks=2),
    ):
        assert torch.equal(tiny_model.decompress(compressed), expected)
        assert compressed.header.sample_rate == rate
        path = tmp_path / "b.apc"
        compressed.save(path, force=True)
        assert path.read_bytes() == (tmp_path / "a.apc").read_bytes()
        assert torch.equal(ApcFile.load(path).tokens, compressed.tokens)
        assert torch.equal(tiny_model.decompress(path), expected)


def test_a_waveform_may_have_one_channel_and_the_rate_of_the_codec(tiny_model):
    wav = quiet_noise(1000)
    compressed = tiny_model.compress(wav)
    assert torch.equal(compressed.tokens, tiny_model.encode(wav[None])[0])
    assert tiny_model.decompress(compressed).shape == (1, 1000)


def test_save_replaces_by_force_alone(tiny_model, tmp_path):
    compressed, path = (
        tiny_model.compress(quiet_noise(1000)),
        tmp_path / "a.apc",
    )
    path.write_bytes(b"precious")
    with pytest.raises(AudioFileError, match="force=True"):
        compressed.save(path)
    assert path.read_bytes() == b"precious"
    compressed.save(path, force=True)
    assert ApcFile.load(path).header == compressed.header
    with pytest.raises(AudioFileError, match="named .apc"):
        compressed.save(tmp_path / "a.wav", force=True)
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.zeros(1, 1, 10),), r"float32 \[1, 1, 10\]: give floats"),
        ((torch.zeros(10, dtype=torch.int16),), "int16"),
        ((torch.zeros(0),), "num_samples is 0"),
        ((torch.full((10,), torch.nan),), "NaN"),
        (("in.wav", 48000), "a rate of its own"),
        (("nothing.wav",), "does not exist"),
    ],
)
def test_faults_are_one_line(tiny_model, arguments, words):
    with pytest.raises(APCodecError, match=words):
        tiny_model.compress(*arguments)
