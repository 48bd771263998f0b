"""A corpus becomes tokens: which ones, whatever happens on the way."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy
import pytest
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.corpus.extraction import extract_tokens
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from tests.corpus.recordings import write_recordings
from tests.installed import ROOT
from tests.tiny_model import write_tiny_model

CPU = {"device": "cpu"}


@pytest.fixture
def manifest(tmp_path):
    return write_recordings(tmp_path / "corpus", 6)


@pytest.fixture(scope="session")
def other_model(tiny_model_folder, tmp_path_factory):
    """The tiny model in half precision: other weights, the same name."""
    folder = tmp_path_factory.mktemp("models") / "other"
    return APCodec.from_hparams(
        write_tiny_model(folder, half=True), run_opts=CPU
    )


def token_files(folder):
    """Return the SHA-256 of every array below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*.npy")
    }


def all_files(folder):
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_tokens_are_those_of_each_recording(tiny_model, manifest, tmp_path):
    out = tmp_path / "out"
    done = extract_tokens(tiny_model, manifest, out, batch_seconds=0.5)
    assert done.num_utterances == 6
    assert done.bad_files == []
    index = json.loads(done.index.read_text())
    assert list(index) == ["a_00", "b_01", "a_02", "b_03", "a_04", "b_05"]
    for identity, entry in index.items():
        name = identity.replace("_", "/")
        assert entry["tokens"] == f"{{data_root}}/{name}.npy"
        assert entry["text"] == f"number {int(identity[2:])}"
        tokens = numpy.load(out / f"{name}.npy")
        assert tokens.dtype == numpy.int16
        wav, _ = read_audio(manifest.parent / f"{name}.wav")
        assert entry["num_samples"] == wav.shape[1]
        assert entry["num_frames"] == len(tokens) == -(-wav.shape[1] // 320)
        alone, _ = tiny_model.encode(wav)
        # In a padded batch, two codewords can be equally near in float32.
        same = torch.from_numpy(tokens) == alone[0]
        assert same.float().mean() > 0.95
    assert done.num_frames == sum(e["num_frames"] for e in index.values())
    meta = json.loads((out / "tokens_meta.json").read_text())
    assert meta == {
        "model_id": "tiny",
        "weights_sha256": tiny_model.weights_sha256,
        "sample_rate": 48000,
        "hop_length": 320,
        "num_codebooks": 4,
        "codebook_size": 1024,
        "format_version": 1,
    }


def test_folder_and_other_rate(tiny_model, tmp_path):
    folder = write_recordings(tmp_path / "corpus", 2, 16000).parent
    out = folder / "tokens"  # inside: it holds no audio
    done = extract_tokens(tiny_model, folder, out, num_codebooks=2)
    assert done.index == out / "tokens.json"
    assert set(token_files(out)) == {"a/00.npy", "b/01.npy"}
    tokens = numpy.load(out / "b" / "01.npy")
    alone = tiny_model.encode_file(folder / "b" / "01.wav", num_codebooks=2)
    assert torch.equal(torch.from_numpy(tokens).long(), alone[0])


def test_nothing_tells_where_the_corpus_lies(tiny_model, manifest, tmp_path):
    (manifest.parent / "a" / "00.wav").write_text("no audio")
    extract_tokens(tiny_model, manifest, tmp_path / "out")
    for path, content in all_files(tmp_path / "out").items():
        assert str(tmp_path).encode() not in content, path


def test_a_recipe_extracts_by_its_yaml(tiny_model_folder, manifest, tmp_path):
    hparams = load_hyperpyyaml(f"""
codec: !apply:speechbrain_apcodec.inference.APCodec.from_hparams
    source: {tiny_model_folder}
extract: !name:speechbrain_apcodec.corpus.extraction.extract_tokens
    codec: !ref <codec>
    recordings: {manifest}
    out_folder: {tmp_path}/out
""")
    assert hparams["extract"]().num_utterances == 6


def test_second_run_encodes_nothing(
    tiny_model, manifest, tmp_path, monkeypatch
):
    done = extract_tokens(tiny_model, manifest, tmp_path / "out")
    monkeypatch.setattr(APCodec, "encode", None)
    assert extract_tokens(tiny_model, manifest, tmp_path / "out") == done


def test_two_manifests_share_a_folder(tiny_model, manifest, tmp_path):
    lines = manifest.read_text().splitlines(keepends=True)
    for name, rows in (("train", lines[1:5]), ("valid", lines[5:])):
        part = manifest.with_name(f"{name}.csv")
        part.write_text("".join([lines[0], *rows]))
        extract_tokens(tiny_model, part, tmp_path / "out")
    counts = [
        len(json.loads((tmp_path / "out" / f"{name}.json").read_text()))
        for name in ("train", "valid")
    ]
    assert counts == [4, 2]
    assert len(token_files(tmp_path / "out")) == 6


@pytest.mark.parametrize("change", ["weights", "codebooks"])
def test_other_tokens_are_refused(
    tiny_model, other_model, manifest, tmp_path, change
):
    extract_tokens(tiny_model, manifest, tmp_path / "out")
    before = all_files(tmp_path / "out")
    model, books = (other_model, 4) if change == "weights" else (tiny_model, 2)
    what = {"weights": "weights_sha256", "codebooks": "num_codebooks"}[change]
    with pytest.raises(APCodecError, match=f"have {what} .*another folder"):
        extract_tokens(model, manifest, tmp_path / "out", books)
    assert all_files(tmp_path / "out") == before


def test_bad_files_are_reported_and_taken_once_mended(
    tiny_model, manifest, tmp_path
):
    out = tmp_path / "out"
    path = manifest.parent / "b" / "03.wav"
    whole = path.read_bytes()
    nothing = numpy.full(3000, numpy.nan)  # but the header is in order
    soundfile.write(path, nothing, 48000, subtype="FLOAT")
    (manifest.parent / "a" / "00.wav").rename(tmp_path / "aside.wav")
    done = extract_tokens(tiny_model, manifest, out)
    assert done.num_utterances == 4
    missing, damaged = done.bad_files
    assert missing.startswith("a/00 does not exist")
    assert damaged.startswith("b/03 holds NaN")
    bad_list = out / "train_bad_files.txt"
    assert bad_list.read_text().splitlines() == done.bad_files
    path.write_bytes(whole)
    (tmp_path / "aside.wav").rename(manifest.parent / "a" / "00.wav")
    done = extract_tokens(tiny_model, manifest, out)
    assert done.num_utterances == 6
    assert not bad_list.exists()
    extract_tokens(tiny_model, manifest, tmp_path / "fresh")
    assert token_files(out) == token_files(tmp_path / "fresh")


def test_no_usable_file_is_an_error(tiny_model, manifest, tmp_path):
    for path in manifest.parent.rglob("*.wav"):
        path.write_text("no audio")
    with pytest.raises(APCodecError, match="none of 6 recordings"):
        extract_tokens(tiny_model, manifest, tmp_path / "out")
    assert not (tmp_path / "out" / "train.json").exists()


def test_files_of_others_are_left_alone(tiny_model, manifest, tmp_path):
    corpus = manifest.parent
    features = corpus / "b" / "03.npy"
    features.write_bytes(b"somebody's features")
    listed = json.dumps({"a": {"wav": "a/00.wav"}})
    (corpus / "list.json").write_text(listed)
    for recordings, out, words in (
        (manifest, corpus, "03.npy is there already"),
        (corpus / "list.json", corpus, "list of the recordings"),
    ):
        with pytest.raises(APCodecError, match=words):
            extract_tokens(tiny_model, recordings, out)
    assert features.read_bytes() == b"somebody's features"
    assert (corpus / "list.json").read_text() == listed
    assert not (corpus / "tokens_meta.json").exists()


def test_names_that_are_no_utf8(tiny_model, tmp_path):
    corpus = write_recordings(tmp_path / "corpus", 2).parent
    (corpus / "train.csv").unlink()
    (corpus / "a/00.wav").rename(corpus / os.fsdecode(b"caf\xe9.wav"))
    (corpus / "b/01.wav").unlink()
    (corpus / os.fsdecode(b"bad\xe9.wav")).write_bytes(b"no audio")
    done = extract_tokens(tiny_model, corpus, tmp_path / "out")
    assert list(json.loads(done.index.read_text())) == [os.fsdecode(b"caf\xe9")]
    assert len(done.bad_files) == 1


@pytest.mark.parametrize("damage", ["deleted", "changed", "cut"])
def test_damaged_tokens_are_found_and_made_anew(
    tiny_model, manifest, tmp_path, damage
):
    out = tmp_path / "out"
    extract_tokens(tiny_model, manifest, out)
    before = token_files(out)
    path = out / "a" / "02.npy"
    if damage == "deleted":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(
            content[:-1]
            + (bytes([content[-1] ^ 1]) if damage == "changed" else b"")
        )
        with pytest.raises(APCodecError, match="such as a/02.npy: run the"):
            extract_tokens(tiny_model, manifest, out)
    extract_tokens(tiny_model, manifest, out)
    assert token_files(out) == before


def test_names_must_be_unique(tiny_model, manifest, tmp_path):
    shutil.copy(manifest.parent / "a/00.wav", manifest.parent / "a/00.flac")
    with pytest.raises(ConfigurationError, match="have the id 'a_00'"):
        extract_tokens(tiny_model, manifest.parent, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def start_processes(manifest, out, model_folder):
    """Start what torchrun would start, two processes of the command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [sys.executable, "-m", "speechbrain_apcodec", "tokens"]
            + [str(manifest), str(out), "--model", str(model_folder)]
            + ["--batch-seconds", "1"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": "1",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]


def finished_files(out):
    """Return the times of the files whose batch has a record."""
    names = {
        name
        for path in out.glob(".batches/*/[0-9a-f]*.json")
        for name in json.loads(path.read_text())
    }
    return {name: (out / f"{name}.npy").stat().st_mtime_ns for name in names}


def test_two_processes_killed_twice_make_the_same_files(
    tiny_model, tiny_model_folder, tmp_path
):
    manifest = write_recordings(tmp_path / "corpus", 60)
    out = tmp_path / "out"
    finished = {}
    for low, high in ((2, 10), (20, 30)):
        processes = start_processes(manifest, out, tiny_model_folder)
        enough = random.randint(low, high)
        while len(list(out.glob("*/*.npy"))) < enough:
            assert all(process.poll() is None for process in processes), (
                processes[0].communicate()[0]
            )
            time.sleep(0.002)
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            process.communicate()
            assert process.returncode == -signal.SIGKILL
        assert not (out / "train.json").exists()
        assert finished.items() <= finished_files(out).items()
        finished = finished_files(out)
        assert len(finished) < 60
    processes = start_processes(manifest, out, tiny_model_folder)
    shown = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    assert "60 recordings" in shown[0]
    # What was done was not done again.
    assert finished
    assert finished.items() <= finished_files(out).items()
    extract_tokens(tiny_model, manifest, tmp_path / "whole", batch_seconds=1)
    assert token_files(out) == token_files(tmp_path / "whole")
    assert (out / "train.json").read_bytes() == (
        tmp_path / "whole" / "train.json"
    ).read_bytes()
