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
    return GroupMeans(
        name=name,
        num_files=2,
        seconds=3.0,
        bands=(8000, 8000),
        scope=scope,
        systems=systems,
        tables=[
            [
                Column(
                    "lsd",
                    "LSD ↓",
                    2,
                    dict(zip(systems, lsd, strict=True)),
                    0,
                    scope,
                ),
                Column(
                    "stoi", "STOI ↑", 2, dict(zip(systems, stoi, strict=True))
                ),
            ]
        ],
    )


@pytest.fixture
def groups():
    return [
        group("known", "to 24 kHz", (1.0, 2.5), (0.9, 0.8)),
        group("unseen", "in band", (1.5, 3.25), (0.7, math.nan)),
    ]


def test_every_mean_is_written_at_its_bar(groups):
    lsd, stoi = means_figure(groups).axes
    assert {text.get_text() for text in lsd.texts} == {
        "1.00",
        "2.50",
        "1.50",
        "3.25",
    }
    assert {text.get_text() for text in stoi.texts} == {
        "0.90",
        "0.80",
        "0.70",
        "–",
    }
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
