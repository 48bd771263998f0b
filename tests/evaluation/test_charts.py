"""Pictures of an evaluation: every figure of every system is on them."""

import math

import pytest
import torch

from speechbrain_apcodec.evaluation.charts import (
    means_figure,
    save_means,
    save_spectrogram,
)
from speechbrain_apcodec.evaluation.means import Column, GroupMeans


def group(name, scope, lsd, stoi):
    systems = ["ours", "theirs"]
    lsd, stoi = (dict(zip(systems, x, strict=True)) for x in (lsd, stoi))
    columns = [
        Column("lsd", "LSD ↓", 2, lsd, 0, scope),
        Column("stoi", "STOI ↑", 2, stoi),
    ]
    return GroupMeans(name, 2, 3.0, (8000, 8000), scope, systems, [columns])


@pytest.fixture
def groups():
    return [
        group("known", "to 24 kHz", (1.0, 2.5), (0.9, 0.8)),
        group("unseen", "in band", (1.5, 3.25), (0.7, math.nan)),
    ]


def test_every_mean_is_written_at_its_bar(groups):
    lsd, stoi = means_figure(groups).axes
    for axes, numbers in (
        (lsd, "1.00 2.50 1.50 3.25"),
        (stoi, "0.90 0.80 0.70 –"),
    ):
        assert {text.get_text() for text in axes.texts} == set(numbers.split())
    assert sorted(bar.get_width() for bar in lsd.patches) == [1, 1.5, 2.5, 3.25]


def test_systems_and_groups_are_named_and_bands_told(groups):
    figure = means_figure(groups)
    axes = figure.axes[0]
    assert axes.get_title() == "LSD ↓"
    assert [x.get_text() for x in axes.get_yticklabels()] == ["ours", "theirs"]
    assert [x.get_text() for x in figure.legends[0].texts] == [
        "known, spectra to 24 kHz",
        "unseen, spectra in band",
    ]


def test_pictures_are_written(groups, tmp_path):
    save_means(tmp_path / "means.png", groups)
    for samples in (1, 4000):
        path = tmp_path / f"{samples}.png"
        save_spectrogram(path, torch.zeros(samples), 16000, -20.0)
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
