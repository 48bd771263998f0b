"""Text as it is spoken."""

import sys

import pytest

from speechbrain_apcodec.tts import phonemes
from speechbrain_apcodec.tts.phonemes import to_phonemes
from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("He knew the sun.", "He new the son.", "en-us"),
        ("It cost 12 dollars.", "It cost twelve dollars.", "en-us"),
        ("Er hat Rad.", "Er hat Rat.", "de"),
    ],
)
def test_what_sounds_alike_is_written_alike(one, other, language):
    assert to_phonemes(one, language) == to_phonemes(other, language)


def test_what_sounds_different_is_written_differently():
    rough, dough = (to_phonemes(x, "en-us") for x in ("rough", "dough"))
    assert rough[-1] != dough[-1]
    assert to_phonemes("Wand", "en-us") != to_phonemes("Wand", "de")


def test_punctuation_stays_and_marks_do_not():
    said = to_phonemes("A photograph, photography; please!", "en-us")
    assert [c for c in said if not c.isalpha()] == [
        " ",
        ",",
        " ",
        ";",
        " ",
        "!",
    ]
    assert not set(said) & set("ˈˌː")


def test_a_sentence_is_the_same_whatever_was_said_before():
    alone = to_phonemes("Good morning.", "en-us")
    to_phonemes("Guten Morgen, mein Freund", "de")
    to_phonemes("read", "en-us")
    assert to_phonemes("Good morning.", "en-us") == alone


def test_unknown_language_is_refused():
    with pytest.raises(ConfigurationError, match="tlh-x.*it knows.*en-us"):
        to_phonemes("nuqneH", "tlh-x")


@pytest.mark.parametrize("package", ["espeakng_loader", "phonemizer.backend"])
def test_missing_package_is_named(monkeypatch, package):
    phonemes._backend.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match="pip install") as caught:
        to_phonemes("Good morning.", "en-us")
    assert package in str(caught.value) and "[phonemes]" in str(caught.value)
