"""Means: over the same files for every system."""

import math

import pytest

from speechbrain_apcodec.evaluation.means import group_means
from speechbrain_apcodec.evaluation.scores import choose_metrics


def row(name, system="ours", **others):
    return {
        "group": "all",
        "id": name,
        "system": system,
        "seconds": 1.0,
        "band_hz": 24000.0,
        "kbps": 6.0,
        "rtf": 1.0,
        "lsd": 1.0,
        **others,
    }


def columns(*rows):
    """Return the first table of the rows' only group, by key."""
    (group,) = group_means(list(rows), choose_metrics(["lsd"])[0])
    return {column.key: column for column in group.tables[0]}


def test_the_real_time_factor_is_that_of_all_files_together():
    speed = columns(
        row("a", seconds=1.0, rtf=2.0), row("b", seconds=9.0, rtf=1.0)
    )["rtf"]
    assert speed.means == {"ours": pytest.approx(1.1)}


def test_a_file_that_one_system_fails_counts_for_none():
    lsd = columns(
        row("a", lsd=1.0),
        row("b", lsd=9.0),
        row("a", "theirs", lsd=2.0),
        row("b", "theirs", lsd=math.nan),
    )["lsd"]
    assert lsd.means == {"ours": 1.0, "theirs": 2.0}
    assert lsd.left_out == 1


def test_groups_keep_the_order_and_the_length_of_their_files():
    rows = [
        row("a", group="second", seconds=3.0, band_hz=8000.0),
        row("b", group="second", seconds=4.0),
        row("c", group="first"),
    ]
    second, first = group_means(rows, choose_metrics(["lsd"])[0])
    assert (second.name, second.num_files, second.seconds) == ("second", 2, 7)
    assert second.bands == (8000, 24000) and second.scope == "in band"
    assert first.scope == "to 24 kHz"
