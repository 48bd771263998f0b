"""The listening page: well-formed, complete, safe and the same each time."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import torch

from speechbrain_apcodec.evaluation.listening import (
    Example,
    Sound,
    write_listening_page,
)
from speechbrain_apcodec.evaluation.means import Column, GroupMeans
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.errors import AudioFileError

VOID = {"meta", "img", "br", "link", "input"}
NASTY = "<script>alert('x')</script> & \"quoted\" {0} $x_{$"


class Page(HTMLParser):
    """Reads a page; an element that is not closed in order is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def sounds(tmp_path):
    """Three sounds, one with a name that no URL may hold as it is."""
    (tmp_path / "sounds").mkdir()
    paths = []
    for number, name in enumerate(("one", "a b#c?100%", "three")):
        path = tmp_path / "sounds" / f"{name}.flac"
        generator = torch.Generator().manual_seed(number)
        wav = 0.1 * torch.randn(1, 4000, generator=generator)
        write_audio(path, wav, 16000)
        paths.append(path)
    return paths


def write(tmp_path, sounds, name="speech", means=(), facts=None):
    labels = ["original", "ours", NASTY]
    figures = [{}, {"LSD ↓": "1.00"}, {NASTY: "<2>"}]
    rows = [
        Example(
            f"{name} {number}",
            "0.2 s",
            [
                Sound(*parts)
                for parts in zip(labels, sounds, figures, strict=True)
            ],
        )
        for number in range(2)
    ]
    path = tmp_path / "index.html"
    write_listening_page(path, "Title", facts or {}, rows, means)
    return path.read_text(encoding="utf-8")


def test_every_sound_has_a_player_and_a_picture(tmp_path, sounds):
    page = Page(write(tmp_path, sounds))
    assert len(page.all("audio")) == len(page.all("img")) == 6
    for tag in ("audio", "img"):
        for attributes in page.all(tag):
            link = attributes["src"]
            assert ":" not in link and not link.startswith("/")
            assert (tmp_path / unquote(link)).is_file()
    assert all("controls" in attributes for attributes in page.all("audio"))
    assert "LSD ↓" in page.text and "1.00" in page.text


def test_it_needs_no_network_and_runs_no_script(tmp_path, sounds):
    text = write(tmp_path, sounds)
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert not {"script", "link", "iframe"} & {
        tag for tag, _ in Page(text).elements
    }


def test_names_are_text_never_markup(tmp_path, sounds):
    columns = [Column("x", NASTY, 1, {NASTY: 1.0})]
    means = [GroupMeans(NASTY, 2, 1.0, (8, 8), "", [NASTY], [columns])]
    text = write(tmp_path, sounds, NASTY, means, {NASTY: NASTY})
    page = Page(text)
    assert "<script" not in text
    assert NASTY in page.text
    assert f"Spectrogram of {NASTY} 0, {NASTY}" in {
        attributes["alt"] for attributes in page.all("img")
    }


def test_it_is_accessible(tmp_path, sounds):
    page = Page(write(tmp_path, sounds))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1 and len(page.all("main")) == 1
    alternatives = [attributes["alt"] for attributes in page.all("img")]
    labels = [attributes["aria-label"] for attributes in page.all("audio")]
    for texts in (alternatives, labels):
        assert all(texts) and len(set(texts)) == 6
    names = {attributes.get("id") for _, attributes in page.elements}
    for attributes in page.all("section"):
        assert attributes["aria-labelledby"] in names


def test_means_are_a_table_with_headings(tmp_path, sounds):
    columns = [Column("lsd", "LSD ↓", 2, {"A": 1.0, "B": float("nan")})]
    group = GroupMeans("all", 3, 9.0, (8, 8), "", ["A", "B"], [columns])
    page = Page(write(tmp_path, sounds, means=[group]))
    scopes = [attributes["scope"] for attributes in page.all("th")]
    assert scopes == ["col", "col", "row", "row"]
    assert len(page.all("td")) == 2
    assert "Means of 3 recordings: all" in page.text and "–" in page.text


def test_empty_facts_are_left_out(tmp_path, sounds):
    text = write(tmp_path, sounds, facts={"model": "tiny", "peers": ""})
    assert "<dt>model</dt><dd>tiny</dd>" in text and "peers" not in text


def test_the_same_page_comes_out_twice(tmp_path, sounds):
    assert write(tmp_path, sounds) == write(tmp_path, sounds)


def test_a_missing_sound_leaves_no_page(tmp_path, sounds):
    sounds[1].unlink()
    with pytest.raises(AudioFileError, match="a b#c"):
        write(tmp_path, sounds)
    assert not (tmp_path / "index.html").exists()
