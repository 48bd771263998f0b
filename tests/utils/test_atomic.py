"""Files appear whole or not at all, and never in another one's place."""

import errno
import json
import os
import resource
import signal

import pytest
import torch

from speechbrain_apcodec.utils.atomic import (
    atomic_path,
    check_destination,
    write_json,
)
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import AudioFileError


@pytest.fixture
def full_disk():
    """Let files grow to 4096 bytes, as on a disk with that much space."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_link_is_written_through(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("suffix", [".apc", "." + "x" * 200])
def test_a_name_of_255_bytes_can_be_written(tmp_path, suffix):
    path = tmp_path / ("n" * (255 - len(suffix)) + suffix)
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_error_is_that_of_the_file_to_be_written(tmp_path):
    path = tmp_path / "no such folder" / "a.txt"
    with pytest.raises(FileNotFoundError) as raised, atomic_path(path) as new:
        new.write_text("lost")
    assert raised.value.filename == str(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, name, full_disk):
    wav = torch.randn(1, 96000, generator=torch.Generator().manual_seed(0))
    with pytest.raises(OSError) as raised:
        write_audio(tmp_path / name, 0.1 * wav, 48000)
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_exists_is_replaced_by_force_alone(tmp_path):
    path = tmp_path / "a.wav"
    check_destination(path)
    path.touch()
    with pytest.raises(AudioFileError, match="--force"):
        check_destination(path)
    check_destination(path, force=True)


@pytest.mark.parametrize("kind", ["itself", "symlink", "hardlink"])
def test_the_input_is_never_replaced(tmp_path, kind):
    path = other = tmp_path / "a.wav"
    path.touch()
    if kind != "itself":
        other = tmp_path / "b.wav"
        link = other.symlink_to if kind == "symlink" else other.hardlink_to
        link(path)
    with pytest.raises(AudioFileError, match="input itself"):
        check_destination(other, inputs=[tmp_path / "c.wav", path], force=True)


@pytest.mark.parametrize("kind", ["/dev/null", "pipe", "link", "folder"])
def test_only_a_file_is_a_destination(tmp_path, kind):
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/null")
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(AudioFileError, match="name a file"):
        check_destination(path, force=True)


def test_a_link_to_nowhere_is_followed(tmp_path):
    path = tmp_path / "a.wav"
    path.symlink_to(tmp_path / "new" / "b.wav")
    with pytest.raises(AudioFileError, match="new is not a folder"):
        check_destination(path)
    (tmp_path / "new").mkdir()
    check_destination(path)
    write_audio(path, torch.zeros(1, 10), 48000)
    assert read_audio(tmp_path / "new" / "b.wav")[0].shape == (1, 10)


def test_names_that_are_no_utf8_go_through_json(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    write_json(tmp_path / "a.json", {name: {"wav": name, "text": "déjà"}})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {name: {"wav": name, "text": "déjà"}}
    assert "déjà" in text
