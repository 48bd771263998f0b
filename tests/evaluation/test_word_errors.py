"""Word error rates in an evaluation: whose words, and how they add up."""

import json
import math

import pytest
import torch

from speechbrain_apcodec.evaluation import word_errors
from speechbrain_apcodec.evaluation.evaluate import evaluate_files
from speechbrain_apcodec.evaluation.means import group_means
from speechbrain_apcodec.evaluation.recordings import english_text
from speechbrain_apcodec.evaluation.report import write_report
from speechbrain_apcodec.evaluation.scores import METRICS, score
from speechbrain_apcodec.evaluation.systems import System
from speechbrain_apcodec.evaluation.tables import means_table
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.support.evaluation import write_recordings

RATE = 48000
WER = {name: METRICS[name] for name in ("wer", "wer_original")}


class FakeRecognizer:
    """Understands all words of a loud waveform, the first of a quiet one."""

    def __init__(self):
        self.transcribed = 0

    def transcribe(self, wav, sample_rate):
        self.transcribed += 1
        words = ["one", "two", "three", "four"]
        return " ".join(words if wav.std() > 0.07 else words[:1])


@pytest.fixture
def recognizer(monkeypatch):
    fake = FakeRecognizer()
    monkeypatch.setattr(word_errors, "_recognizer", lambda: fake)
    word_errors._transcribe_original.cache_clear()
    return fake


@pytest.fixture
def files(tmp_path):
    files = write_recordings(tmp_path)
    files["a1"]["text"] = "One, two, three, four."
    files["a2"]["text"] = "One!"
    files["b1"].update(text="eins zwei drei vier", language="de")
    return files


SYSTEMS = [
    System("same", "1", lambda wav: (wav, 1.0)),
    System("half", "1", lambda wav: (0.5 * wav, 1.0)),
]


@pytest.mark.parametrize(
    ("language", "is_english"),
    [
        ("en", True),
        ("EN", True),
        ("en-GB", True),
        ("en_US", True),
        ("English", True),
        ("", True),
        ("de", False),
        ("enm", False),
    ],
)
def test_only_english_is_understood(language, is_english):
    entry = {"text": "word", "language": language}
    assert english_text(entry) == ("word" if is_english else "")


def test_no_text_is_no_english_text():
    assert english_text({"language": "en"}) == ""
    assert english_text({"text": "word"}) == "word"


def test_errors_are_those_of_all_words(recognizer, files, tmp_path):
    rows = evaluate_files(files, SYSTEMS, RATE, WER, tmp_path / "rows.csv")
    by_key = {(row["id"], row["system"]): row for row in rows}
    assert by_key["a1", "half"]["wer"] == 75
    assert by_key["a1", "half"]["wer_original"] == 0
    assert by_key["a1", "half"]["words"] == 4
    assert by_key["a2", "half"]["wer"] == 0
    assert by_key["a2", "same"]["wer"] == by_key["a2", "same"]["words"] * 300
    assert math.isnan(by_key["b1", "half"]["wer"])
    (group,) = group_means(rows, WER)
    columns = {column.key: column for column in group.tables[0]}
    # Of five words three; the mean of both files' rates would be 37.5.
    assert columns["wer"].means["half"] == pytest.approx(60)
    assert columns["wer"].means["same"] == pytest.approx(60)
    assert columns["wer_original"].means["half"] == pytest.approx(60)
    assert columns["wer"].left_out == 1
    table = means_table(rows, WER)
    assert "| WER [%] ↓ | WER of the original [%] |" in table
    assert "no English transcript" in table


def test_the_original_is_transcribed_once(recognizer, files, tmp_path):
    evaluate_files(files, SYSTEMS, RATE, WER, tmp_path / "rows.csv")
    # Two files with text: two decoded ones each, and the original.
    assert recognizer.transcribed == 6


def test_another_text_is_scored_anew(recognizer, files, tmp_path):
    path = tmp_path / "rows.csv"
    evaluate_files(files, SYSTEMS, RATE, WER, path)
    before = recognizer.transcribed
    evaluate_files(files, SYSTEMS, RATE, WER, path)
    assert recognizer.transcribed == before
    files["a2"]["text"] = "One, two, three, four."
    rows = evaluate_files(files, SYSTEMS, RATE, WER, path)
    assert recognizer.transcribed > before
    assert [row["wer"] for row in rows[2:4]] == [0, 75]


def test_without_text_there_is_no_figure(recognizer):
    wav = 0.1 * torch.randn(9000)
    values = score(wav, wav, RATE, WER)
    assert values["words"] == 0
    assert math.isnan(values["wer"]) and math.isnan(values["wer_original"])
    assert recognizer.transcribed == 0


def test_a_report_without_transcripts_has_no_column(
    recognizer, files, tmp_path, tiny_model_folder, monkeypatch
):
    manifest = tmp_path / "test.json"
    manifest.write_text(json.dumps({"b1": files["b1"]}))
    monkeypatch.setattr(
        "speechbrain_apcodec.evaluation.report.choose_metrics",
        lambda names: ({**WER, "lsd": METRICS["lsd"]}, []),
    )
    text = write_report(manifest, tmp_path / "out", [str(tiny_model_folder)])
    assert "LSD" in text and "WER" not in text
    with pytest.raises(ConfigurationError, match="a column `text`, in English"):
        write_report(
            *(manifest, tmp_path / "out", [str(tiny_model_folder)]),
            metrics=["wer"],
        )
