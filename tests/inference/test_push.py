"""Pushing to a hub: what is sent, what is refused, and that it loads."""

import json
import shutil

import pytest
import torch

from tests.loopback_hub import (
    READ_TOKEN,
    TOKEN,
    Repository,
    run_client,
    running_hub,
)

PUSH = """
import sys
from speechbrain_apcodec.cli.main import main
sys.exit(main(["push", *sys.argv[1:]]))
"""
LOAD = """
import json, sys
import torch
from speechbrain.utils.fetching import FetchConfig
from speechbrain_apcodec.inference import APCodec
wavs = torch.linspace(-1, 1, 3000).sin()[None]
print(json.dumps([
    way(
        "here/codec",
        fetch_config=FetchConfig(revision="v1.0"),
        run_opts={"device": "cpu"},
    ).encode(wavs)[0].flatten().tolist()
    for way in (APCodec.from_hparams, APCodec.from_config)
]))
"""
LICENSE = ("--license", "cc-by-4.0")
SENT = {
    "README.md": "file",
    "codec.safetensors": "lfsFile",
    "config.json": "file",
    "discriminators.safetensors": "lfsFile",
    "hyperparams.yaml": "file",
    "losses.yaml": "file",
}


@pytest.fixture
def folder(tiny_model_folder, tmp_path):
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def test_what_was_pushed_loads_again(folder, tmp_path, tiny_model):
    (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    repositories = {}
    with running_hub(repositories) as server:
        arguments = (folder, "here/codec", *LICENSE, "--tag=v1.0", "--private")
        done = run_client(server, tmp_path / "a", PUSH, *arguments, token=TOKEN)
        assert done.returncode == 0, done.stderr
        loaded = run_client(server, tmp_path / "b", LOAD)
        again = run_client(
            server, tmp_path / "a", PUSH, *arguments, token=TOKEN
        )
    assert loaded.returncode == 0, loaded.stderr
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    expected = tiny_model.encode(wavs)[0].flatten().tolist()
    assert json.loads(loaded.stdout) == [expected, expected]
    assert server.pushed[:2] == [
        ("create", "here/codec", True),
        ("commit", "here/codec", SENT),
    ]
    assert "not sent  notes.txt" in done.stdout
    assert "use it with --model here/codec" in done.stdout
    # The folder is as it was; the card on the hub is complete.
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    _, files = repositories["here/codec"].files("v1.0")
    card = files.pop("README.md").decode()
    assert "\nlicense: cc-by-4.0\n" in card.split("---")[1]
    assert 'APCodec.from_hparams("here/codec")' in card
    assert all(before[name] == files[name] for name in SENT if name in files)
    # The tag is taken: the second time this is said.
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "was written, but not the tag v1.0" in again.stderr


def test_files_that_a_new_version_lacks_are_removed(folder, tmp_path):
    old = {"losses.yaml": b"old", "samples.md": b"of somebody"}
    repositories = {"here/codec": Repository(old)}
    (folder / "losses.yaml").unlink()
    (folder / "discriminators.safetensors").unlink()
    with running_hub(repositories) as server:
        done = run_client(
            *(server, tmp_path, PUSH, folder, "here/codec", *LICENSE),
            token=TOKEN,
        )
    assert done.returncode == 0, done.stderr
    _, files = repositories["here/codec"].files("main")
    assert set(files) == {
        "README.md",
        "codec.safetensors",
        "config.json",
        "hyperparams.yaml",
        "samples.md",
    }


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "no token of the hub was found"),
        ("hf_unknown", "the hub answers 401, it does not know your token"),
        (READ_TOKEN, "the hub answers 403, your token may not write there"),
    ],
)
def test_tokens_that_do_not_serve(folder, tmp_path, token, message):
    with running_hub({}) as server:
        done = run_client(
            *(server, tmp_path, PUSH, folder, "here/codec", *LICENSE),
            token=token,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and message in done.stderr
    assert server.pushed == []


def test_no_network(folder, tmp_path):
    with running_hub({}) as server:
        pass  # it is gone
    done = run_client(
        *(server, tmp_path, PUSH, folder, "here/codec", *LICENSE), token=TOKEN
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "check the network" in done.stderr
