"""``apcodec tokens``: what it writes, what it says, and how it fails."""

import tarfile

import numpy
import pytest

from speechbrain_apcodec.corpus.dataset import token_dataset
from tests.corpus.recordings import write_recordings


@pytest.fixture
def manifest(tmp_path):
    return write_recordings(tmp_path / "corpus", 3)


def test_tokens_shards_and_a_bad_file(call, manifest, tmp_path):
    (manifest.parent / "b" / "01.wav").write_text("no audio")
    options = "--codebooks", 2, "--shard-size", 1
    code, shown, errors = call("tokens", manifest, tmp_path / "out", *options)
    assert code == 0
    data = token_dataset(tmp_path / "out" / "train.json")
    frames = sum(len(item["tokens"]) for item in data)
    assert shown == (
        f"{tmp_path}/out/train.json: 2 recordings, "
        f"{round(frames / 150)} s, {frames} frames, in 2 shards\n"
    )
    assert "left out: b/01 is not an audio file" in errors
    assert f"1 left out in all, see {tmp_path}/out/train_bad_files" in errors
    assert numpy.load(tmp_path / "out" / "a" / "00.npy").shape[1] == 2
    with tarfile.open(tmp_path / "out" / "shards" / "train-000001.tar") as tar:
        assert tar.getnames() == ["000000001.npy", "000000001.json"]


def test_readers_beside_the_encoder_change_nothing(call, manifest, tmp_path):
    for out, options in (("one", []), ("two", ["--workers", 2])):
        assert call("tokens", manifest, tmp_path / out, *options)[0] == 0
    one, two = (
        {
            path.name: path.read_bytes()
            for path in (tmp_path / out).glob("*/*.npy")
        }
        for out in ("one", "two")
    )
    assert one == two
