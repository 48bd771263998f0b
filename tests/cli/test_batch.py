"""Several files at once: where they go, what is said, and what fails alone."""

import io
import shutil
import sys
from pathlib import Path

import pytest
import torch

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.cli.model import embedded_model
from speechbrain_apcodec.files.audio_stream import AudioInput
from speechbrain_apcodec.files.live import encode_live
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from tests.support.signals import quiet_noise


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Recordings a.wav and sub/b.flac beside a text, as working directory."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write_audio(tmp_path / "in" / "a.wav", quiet_noise(1, 4000), 48000)
    write_audio(tmp_path / "in/sub/b.flac", quiet_noise(2, 3000), 44100)
    (tmp_path / "in" / "notes.txt").write_text("no recording")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def below(folder, suffix):
    """List the paths of a kind below a folder."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob(f"*{suffix}")
    )


def test_a_folder_goes_into_a_folder_and_comes_back(call, folder):
    code, said, errors = call("encode", "in", "-o", "coded")
    assert code == 0
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "coded/a.apc",
        "coded/sub/b.apc",
    ]
    left_out = "apcodec: left out below in: 1 other file(s), notes.txt\n"
    assert errors == left_out
    code, _, errors = call("decode", "coded", "-o", "back/")
    assert (code, errors) == (0, "")
    assert below(folder / "back", "") == ["a.wav", "sub", "sub/b.wav"]
    for name, original in (("a.wav", "a.wav"), ("sub/b.wav", "sub/b.flac")):
        wav, rate = read_audio(folder / "back" / name)
        expected, expected_rate = read_audio(folder / "in" / original)
        assert (wav.shape, rate) == (expected.shape, expected_rate)


def test_files_go_beside_their_inputs_quietly(call, folder):
    assert call("encode", "in/**/*.[wf]*", "--quiet") == (0, "", "")
    assert below(folder / "in", ".apc") == ["a.apc", "sub/b.apc"]
    shutil.copy(folder / "in" / "a.wav", folder / "take.1")
    assert call("encode", "take.1", "in/a.wav", "--quiet", "--force")[0] == 0
    assert (folder / "take.1.apc").read_bytes() == (
        folder / "in" / "a.apc"
    ).read_bytes()


def test_a_file_that_fails_stops_no_other(call, folder):
    data = (folder / "in" / "a.wav").read_bytes()
    (folder / "in" / "a_half.wav").write_bytes(data[:-100])
    (folder / "in" / "empty.wav").touch()
    (folder / "in" / "sub" / "b.apc").write_bytes(b"precious")
    code, said, errors = call("encode", "in", "nothing.wav", "in/a.wav")
    assert code == 2
    assert said.startswith("in/a.apc: ")
    lines = errors.splitlines()
    faults = [line for line in lines if line.startswith("apcodec: error: ")]
    assert lines[0].startswith("apcodec: left out below in: 2 other")
    assert len(faults) == len(lines) - 1 == 5
    for name, words in {
        "in/empty.wav": "is an empty file",
        "in/sub/b.apc": "exists",
        "nothing.wav": "does not exist",
        "in/a.wav and in/a.wav": "would both become in/a.apc",
        "in/a_half.wav": "is truncated",
    }.items():
        assert any(name in line and words in line for line in faults), name
    assert below(folder / "in", ".apc") == ["a.apc", "sub/b.apc"]
    assert (folder / "in" / "sub" / "b.apc").read_bytes() == b"precious"


class Stream(io.TextIOWrapper):
    """A standard stream in memory, which is no terminal."""

    def __init__(self, data=b""):
        super().__init__(io.BytesIO(data), encoding="utf-8")


def test_standard_streams(call, folder, monkeypatch):
    call("encode", "in/a.wav", "a.apc")
    call("decode", "a.apc", "a.wav")
    for command, source, expected in (
        ("encode -", "in/a.wav", "a.apc"),
        ("encode in/a.wav -o -", "in/a.wav", "a.apc"),
        ("decode - -", "a.apc", "a.wav"),
        ("decode a.apc -o -", "a.apc", "a.wav"),
    ):
        sink = Stream()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Stream((folder / source).read_bytes()))
            patch.setattr(sys, "stdout", sink)
            assert call(*command.split())[0] == 0
        written = sink.buffer.getvalue()
        assert written == (folder / expected).read_bytes(), command
    with monkeypatch.context() as patch:
        patch.setattr(Stream, "isatty", lambda _: True)
        patch.setattr(sys, "stdout", Stream())
        code, _, error = call("encode", "in/a.wav", "-")
    assert code == 2
    assert "is a terminal" in error


def test_tokens_find_the_model_in_the_package_that_made_them():
    assert embedded_model(f"{Path(STREAMING_MODEL).name}@00") == STREAMING_MODEL
    for name in (f"{Path(DEFAULT_MODEL).name}@00", "of somebody else@00"):
        assert embedded_model(name) == DEFAULT_MODEL


def test_packet_files_are_decoded_and_described(call, folder, tiny_model):
    wav = quiet_noise(9001)
    with (folder / "s.aps").open("wb") as file:
        samples = io.BytesIO(wav.numpy().tobytes())
        encode_live(tiny_model, AudioInput(samples, 48000, "f32le"), file)
    assert call("decode", "s.aps")[0] == 0
    tokens, _ = tiny_model.encode(wav[None])
    expected, _ = tiny_model.decode(tokens, num_samples=9001)
    decoded, rate = read_audio(folder / "s.wav")
    assert rate == 48000
    difference = (decoded - expected.clamp(-1, 1)).abs().max()
    assert decoded.shape == expected.shape
    assert difference <= 1 / 32768
    code, said, _ = call("info", "s.aps", model="elsewhere")
    assert code == 0
    assert "packet stream" in said
    assert "9001 samples" in said
    assert torch.equal(tiny_model.decompress("s.aps"), expected)
