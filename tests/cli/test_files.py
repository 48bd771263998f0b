"""What the command line does with the files that it is given and asked for."""

import io
import os
import subprocess
import sys

import pytest
import torch

from speechbrain_apcodec.utils import levels
from speechbrain_apcodec.utils.audio import read_audio, write_audio


@pytest.fixture
def speech(tmp_path):
    """A recording of 0.1 s."""
    path = tmp_path / "in.wav"
    generator = torch.Generator().manual_seed(0)
    write_audio(path, 0.2 * torch.randn(1, 4800, generator=generator), 48000)
    return path


@pytest.fixture
def call(call):
    """Run a command with the tiny model; return code and stderr."""
    return lambda *arguments: call(*arguments)[::2]


def test_a_recording_is_never_written_over(call, speech, tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(speech.read_bytes())
    before = speech.read_bytes()
    link = tmp_path / "link.apc"
    link.symlink_to(speech)
    for force in ([], ["--force"]):
        for command, output, words in (
            ("encode", ["-o", other], "tokens go into a file named .apc"),
            ("encode", [link], "input itself"),
            ("roundtrip", [speech], "input itself"),
        ):
            code, error = call(command, speech, *output, *force)
            assert code == 2
            assert words in error
            assert error.count("\n") == 1
    code, error = call("roundtrip", speech, other)
    assert code == 2
    assert "--force" in error
    assert speech.read_bytes() == other.read_bytes() == before
    assert call("roundtrip", speech, other, "--force") == (0, "")
    assert other.read_bytes() != before


def test_a_name_of_255_bytes(call, speech, tmp_path):
    apc, out = tmp_path / f"{'a' * 251}.apc", tmp_path / f"{'b' * 251}.wav"
    assert call("encode", speech, apc) == (0, "")
    assert call("decode", apc, out) == (0, "")
    code, error = call("encode", speech, tmp_path / f"{'a' * 252}.apc")
    assert code == 2
    assert "File name too long" in error


def test_a_name_that_is_no_utf8(call, speech, tmp_path):
    path = speech.rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    assert call("encode", path, path.with_suffix(".apc")) == (0, "")
    assert path.with_suffix(".apc").exists()


def test_standard_input_is_coded(call, speech, tmp_path, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(speech.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert call("encode", "-", tmp_path / "a.apc") == (0, "")
    call("encode", speech, tmp_path / "b.apc")
    assert (tmp_path / "a.apc").read_bytes() == (
        tmp_path / "b.apc"
    ).read_bytes()


def test_what_the_user_has_to_know_is_said(call, speech, tmp_path, caplog):
    levels.notice_once.cache_clear()
    loud = tmp_path / "loud.wav"
    write_audio(loud, 10 * read_audio(speech)[0], 48000, "FLOAT")
    assert call("encode", loud, tmp_path / "a.apc")[0] == 0
    assert [record.name for record in caplog.records] == [levels.__name__]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (">&-", "standard output is closed"),
        ("> /dev/full", "standard output: No space left on device"),
    ],
)
def test_standard_output_that_takes_nothing_is_named(
    call, speech, tmp_path, output, words
):
    apc = tmp_path / "a.apc"
    call("encode", speech, apc)
    done = subprocess.run(
        f"'{sys.executable}' -m speechbrain_apcodec info '{apc}' {output}",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
