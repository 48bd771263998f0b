"""Tokens read again: by SpeechBrain's data sets, and from shards."""

import io
import json
import tarfile

import numpy
import pytest
import torch
from speechbrain.dataio.dataloader import make_dataloader

from speechbrain_apcodec.corpus.dataset import read_tokens, token_dataset
from speechbrain_apcodec.corpus.extraction import extract_tokens
from speechbrain_apcodec.corpus.shards import write_shards
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.errors import APCodecError
from tests.corpus.recordings import write_recordings
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def index(tiny_model, tmp_path_factory):
    """Manifest of the tokens of five recordings."""
    folder = tmp_path_factory.mktemp("corpus")
    manifest = write_recordings(folder / "corpus", 5)
    return extract_tokens(tiny_model, manifest, folder / "out").index


def test_dataset_gives_tokens_in_batches(tiny_model, index):
    data = token_dataset(index, tiny_model)
    assert len(data) == 5
    data.set_output_keys(["id", "tokens", "text", "num_frames"])
    (batch,) = make_dataloader(data, batch_size=5)
    tokens, lengths = batch.tokens
    assert tokens.dtype == torch.int64
    num_frames = (lengths * tokens.shape[1]).round().long()
    assert num_frames.tolist() == list(batch.num_frames)
    assert list(batch.text) == [f"number {i}" for i in range(5)]
    for item, frames, own in zip(data, num_frames, tokens, strict=True):
        assert torch.equal(own[:frames], item["tokens"])
        assert (own[frames:] == 0).all()


def test_folder_can_be_moved(index, tmp_path):
    moved = tmp_path / "moved"
    index.parent.rename(moved)
    data = token_dataset(moved / index.name)
    assert data[0]["tokens"].shape[1] == 4
    moved.rename(index.parent)


def test_tokens_of_another_model_are_refused(index, tmp_path):
    folder = write_tiny_model(tmp_path / "other", half=True)
    other = APCodec.from_hparams(folder, run_opts={"device": "cpu"})
    with pytest.raises(APCodecError, match="have weights_sha256"):
        token_dataset(index, other)


@pytest.mark.parametrize("content", [None, "{", '{"model_id": "tiny"}'])
def test_tokens_without_their_model_are_refused(index, tmp_path, content):
    (tmp_path / "train.json").write_bytes(index.read_bytes())
    if content is not None:
        (tmp_path / "tokens_meta.json").write_text(content)
    with pytest.raises(APCodecError, match="missing or damaged: make the"):
        token_dataset(tmp_path / "train.json")


def test_shards_hold_everything_once(index):
    shards = write_shards(index, 2)
    assert [path.name for path in shards] == [
        f"train-{i:06d}.tar" for i in range(3)
    ]
    expected = json.loads(index.read_text())
    seen = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            members = tar.getmembers()
            for array, text in zip(members[::2], members[1::2], strict=True):
                # WebDataset joins neighbours whose names differ after a dot.
                assert array.name.split(".") == [text.name[:-5], "npy"]
                entry = json.load(tar.extractfile(text))
                tokens = numpy.load(io.BytesIO(tar.extractfile(array).read()))
                seen[entry.pop("id")] = entry, tokens
    assert list(seen) == list(expected)
    for identity, (entry, tokens) in seen.items():
        path = expected[identity].pop("tokens")
        assert entry == expected[identity]
        stored = read_tokens(path.format(data_root=index.parent))
        assert numpy.array_equal(tokens, stored)
    meta = (index.parent / "shards" / "tokens_meta.json").read_bytes()
    assert meta == (index.parent / "tokens_meta.json").read_bytes()


def test_shards_are_the_same_again_and_old_ones_go(index):
    write_shards(index, 2)
    first = [path.read_bytes() for path in write_shards(index, 3)]
    folder = index.parent / "shards"
    assert len(list(folder.glob("*.tar"))) == 2
    assert [path.read_bytes() for path in write_shards(index, 3)] == first
