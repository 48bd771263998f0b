"""Sentences and tokens: how they are split, and what is refused."""

import json
from dataclasses import fields

import numpy
import pytest

from speechbrain_apcodec.corpus.meta import META_FILE, TokensMeta, read_meta
from speechbrain_apcodec.tts.sentences import (
    prepare_sentences,
    split_sentences,
)
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from tests.support.tiny_sentences import write_sentences
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentences")
    write_sentences(folder)
    return folder


def prepare(made, save_folder, **changes):
    def keep_text(sentences, path):
        path.write_text("\n".join(sentences), encoding="utf-8")

    options = {
        "splits": split_sentences(made / "tokens"),
        "tokens": made / "tokens",
        "codec_model": str(made / "codec"),
        "num_codebooks": 2,
        "codebook_size": 32,
        "save_folder": save_folder,
        "train_tokenizer": keep_text,
    }
    prepare_sentences(**{**options, **changes})


def write_index(folder, name, texts, **columns):
    folder.mkdir(exist_ok=True)
    meta = dict.fromkeys(field.name for field in fields(TokensMeta))
    (folder / META_FILE).write_text(json.dumps(meta))
    content = {
        f"{name}{i}": {
            "text": text,
            "tokens": f"{{data_root}}/{i}.npy",
            "num_frames": 3,
            **columns,
        }
        for i, text in enumerate(texts)
    }
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_column_decides_the_split(made, tmp_path):
    prepare(made, tmp_path)
    splits = {
        name: json.loads((tmp_path / f"{name}.json").read_text())
        for name in ("train", "valid", "test")
    }
    assert [len(split) for split in splits.values()] == [12, 2, 1]
    for split in splits.values():
        for entry in split.values():
            tokens = numpy.load(entry["tokens"])
            assert tokens.shape == (entry["num_frames"], 2)
    # The text of the training alone decides its pieces.
    lines = (tmp_path / "tokenizer.model").read_text().splitlines()
    assert lines == [entry["text"] for entry in splits["train"].values()]
    assert read_meta(tmp_path) == read_meta(made / "tokens")


def test_names_of_manifests_decide_it_without_a_column(tmp_path):
    write_index(tmp_path, "train", ["a", "b"])
    write_index(tmp_path, "dev", ["c"], split="")
    write_index(tmp_path, "other", ["d"])
    splits = split_sentences(tmp_path)
    assert {name: list(items) for name, items in splits.items()} == {
        "train": ["train0", "train1"],
        "valid": ["dev0"],
        "test": [],
    }


def test_recordings_without_text_are_left_out(tmp_path):
    write_index(tmp_path, "train", ["a", "", "  ", "b"])
    write_index(tmp_path, "valid", ["c"])
    assert list(split_sentences(tmp_path)["train"]) == ["train0", "train3"]


def test_a_folder_without_tokens_is_refused(tmp_path):
    with pytest.raises(APCodecError, match="make the tokens with"):
        split_sentences(tmp_path)


def test_nothing_to_train_on_is_refused(tmp_path):
    write_index(tmp_path, "train", ["", ""])
    write_index(tmp_path, "valid", ["c"])
    with pytest.raises(ConfigurationError, match="no sentence for train"):
        split_sentences(tmp_path)


def test_tokens_of_another_codec_are_refused(made, tmp_path):
    other = write_tiny_model(
        tmp_path / "other", half=True, num_codebooks=2, codebook_size=32
    )
    with pytest.raises(APCodecError, match="weights_sha256"):
        prepare(made, tmp_path / "run", codec_model=str(other))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["num_codebooks", "codebook_size"])
def test_configuration_of_other_tokens_is_refused(made, tmp_path, name):
    with pytest.raises(ConfigurationError, match=f"set --{name}"):
        prepare(made, tmp_path, **{name: 4})
