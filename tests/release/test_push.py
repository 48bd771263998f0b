"""Pushing to a hub: what is sent, what is refused, and that it loads."""

import json
import shutil
from functools import partial

import pytest
import torch
from huggingface_hub import HfApi

from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.release import push
from tests.loopback_hub import (
    READ_TOKEN,
    TOKEN,
    Repository,
    files_of,
    run_client,
    running_hub,
)

# One process for all: the hub's client reads its address at import.
SCRIPT = """
import contextlib, io, json, os, sys
import torch
from speechbrain.utils.fetching import FetchConfig
from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.inference import APCodec

def run(token, *arguments):
    os.environ["HF_TOKEN"] = token
    shown, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(errors):
        code = main(["push", *arguments, "--license=cc-by-4.0"])
    return code, shown.getvalue(), errors.getvalue()

def load(way):
    model = way(
        "here/codec",
        fetch_config=FetchConfig(revision="v1.0"),
        run_opts={"device": "cpu"},
    )
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    return model.encode(wavs)[0].flatten().tolist()

whole, small, write, read = sys.argv[1:]
wanted = whole, "here/codec", "--tag=v1.0", "--private"
print(json.dumps({
    "no token": run("", *wanted),
    "unknown token": run("hf_unknown", *wanted),
    "read token": run(read, *wanted),
    "push": run(write, *wanted),
    "loaded": [load(APCodec.from_hparams), load(APCodec.from_config)],
    "again": run(write, *wanted),
    "newer": run(write, small, "here/older"),
}))
"""
SENT = {
    "README.md": "file",
    "codec.safetensors": "lfsFile",
    "config.json": "file",
    "discriminators.safetensors": "lfsFile",
    "hyperparams.yaml": "file",
    "losses.yaml": "file",
}


@pytest.fixture(scope="module")
def hub(tiny_model_folder, tmp_path_factory):
    """Push two models; return what came of it."""
    work = tmp_path_factory.mktemp("push")
    whole = shutil.copytree(tiny_model_folder, work / "whole")
    (whole / "notes.txt").write_text("mine")
    small = shutil.copytree(tiny_model_folder, work / "small")
    (small / "losses.yaml").unlink()
    (small / "discriminators.safetensors").unlink()
    before = files_of(whole)
    old = {"losses.yaml": b"old", "samples.md": b"of somebody"}
    repositories = {"here/older": Repository(old)}
    with running_hub(repositories) as server:
        done = run_client(
            *(server, work, SCRIPT, whole, small, TOKEN, READ_TOKEN)
        )
    assert done.returncode == 0, done.stderr
    return {
        **json.loads(done.stdout),
        "repositories": repositories,
        "pushed": server.pushed,
        "before": before,
        "after": files_of(whole),
    }


def test_everything_is_sent_in_one_commit(hub):
    code, shown, _ = hub["push"]
    assert code == 0
    assert "not sent  notes.txt" in shown
    assert "use it with --model here/codec" in shown
    # Those that were refused before have left nothing.
    assert hub["pushed"][:2] == [
        ("create", "here/codec", True),
        ("commit", "here/codec", SENT),
    ]


def test_what_was_pushed_loads_again(hub, tiny_model):
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    expected = tiny_model.encode(wavs)[0].flatten().tolist()
    assert hub["loaded"] == [expected, expected]


def test_the_card_is_complete_and_the_folder_as_it_was(hub):
    assert hub["after"] == hub["before"]
    _, files = hub["repositories"]["here/codec"].files("v1.0")
    card = files["README.md"].decode()
    assert "\nlicense: cc-by-4.0\n" in card.split("---")[1]
    assert 'APCodec.from_hparams("here/codec")' in card
    for name in SENT.keys() - {"README.md"}:
        assert files[name] == hub["before"][name]


def test_files_that_a_new_version_lacks_are_removed(hub):
    assert hub["newer"][0] == 0
    _, files = hub["repositories"]["here/older"].files("main")
    assert set(files) == {
        "README.md",
        "codec.safetensors",
        "config.json",
        "hyperparams.yaml",
        "samples.md",
    }


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no token", "no token of the hub was found"),
        ("unknown token", "answers 401, it does not know your token"),
        ("read token", "answers 403, your token may not write there"),
        ("again", "here/codec was written, but not the tag v1.0: the hub"),
    ],
)
def test_refusals_are_one_line(hub, case, message):
    code, _, errors = hub[case]
    assert code == 2
    assert errors.count("\n") == 1 and message in errors


def test_no_network(tiny_model_folder, monkeypatch, capsys):
    with running_hub({}) as server:
        address = f"http://127.0.0.1:{server.server_port}"  # soon gone
    monkeypatch.setattr(push, "HfApi", partial(HfApi, endpoint=address))
    monkeypatch.setattr(push, "get_token", lambda: TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    arguments = [str(tiny_model_folder), "here/codec", "--license=mit"]
    assert main(["push", *arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "check the network" in errors
