"""How well a voice is understood: what is counted, kept and refused."""

import csv
import json

import pytest
import torch

from speechbrain_apcodec.tts.evaluation import (
    evaluate_voice,
    read_sentences,
)
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.errors import ConfigurationError

TEXTS = ["A bee can dig.", "Each fog.", "Get his ink, jam."]


class Listener:
    """Understands everything but the voice, and may be interrupted."""

    def __init__(self, texts, patience=99):
        self.texts, self.patience = texts, patience
        self.calls = 0

    def __call__(self, wav, sample_rate):
        if self.calls == self.patience:
            raise KeyboardInterrupt
        self.calls += 1
        # The recordings' lengths tell them apart.
        return self.texts.get(len(wav), "bee")


@pytest.fixture
def sentences(tmp_path):
    rows = [["id", "path", "split", "text"]]
    for i, text in enumerate(TEXTS):
        path = tmp_path / f"{i}.wav"
        write_audio(path, 0.1 * torch.randn(1, 2000 + 100 * i), 48000)
        rows.append([f"item/{i}", path.name, "test", text])
    rows.append(["other", "0.wav", "train", "Not this one."])
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return read_sentences(tmp_path / "list.csv")


def understood():
    return {2000 + 100 * i: text for i, text in enumerate(TEXTS)}


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_split_and_text_choose_the_sentences(sentences, tmp_path):
    assert [item["text"] for item in sentences] == TEXTS
    with pytest.raises(ConfigurationError, match="at least two"):
        read_sentences(tmp_path / "list.csv", "train")


def test_errors_are_counted_for_each_system(tiny_voice, sentences, tmp_path):
    out = tmp_path / "out"
    rows = evaluate_voice(
        tiny_voice, sentences, out, Listener(understood()), batch_size=2
    )
    by_name = {row["system"]: row for row in rows}
    for name in ("recording", "recording through the codec"):
        row = by_name[name]
        assert row["sentences"] == 3 and row["words"] == 10
        assert row["errors"] == row["wer"] == 0
        assert row["wer_shuffled"] > 0.5
    # Of "bee", one word is right in the first sentence.
    assert by_name["voice, from text"]["errors"] == 9
    details = read_rows(out / "per_sentence.csv")
    assert [row["voice_heard"] for row in details] == ["bee"] * 3
    assert [int(row["voice_errors"]) for row in details] == [3, 2, 4]
    assert len(read_rows(out / "errors.csv")) == 3
    for folder, suffix in (("codec", "flac"), ("attention", "png")):
        assert len(list((out / folder).glob(f"*.{suffix}"))) == 3


def test_interrupted_measurement_goes_on(tiny_voice, sentences, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    wanted = evaluate_voice(
        tiny_voice, sentences, whole, Listener(understood())
    )
    first = Listener(understood(), patience=4)
    with pytest.raises(KeyboardInterrupt):
        evaluate_voice(tiny_voice, sentences, cut, first)
    kept = json.loads((cut / "heard.json").read_text())
    assert len(kept) == 1
    second = Listener(understood())
    got = evaluate_voice(tiny_voice, sentences, cut, second)
    assert got == wanted
    assert second.calls == 6
    for name in ("per_sentence.csv", "errors.md"):
        assert (cut / name).read_text() == (whole / name).read_text()


def test_results_of_another_way_to_draw_are_refused(
    tiny_voice, sentences, tmp_path
):
    listener = Listener(understood())
    evaluate_voice(tiny_voice, sentences, tmp_path / "out", listener)
    with pytest.raises(ConfigurationError, match="name another folder"):
        evaluate_voice(
            tiny_voice, sentences, tmp_path / "out", listener, seed=1
        )
