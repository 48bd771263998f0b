"""Means: over the same files for every system."""

import pytest

from speechbrain_apcodec.evaluation.means import group_means
from speechbrain_apcodec.evaluation.scores import choose_metrics
from tests.support.evaluation import row


@pytest.fixture
def lsd():
    return choose_metrics(["lsd"])[0]


def test_the_real_time_factor_is_that_of_all_files_together(lsd):
    rows = [row("a", seconds=1.0, rtf=2.0), row("b", seconds=9.0, rtf=1.0)]
    (group,) = group_means(rows, lsd)
    (speed,) = (column for column in group.tables[0] if column.key == "rtf")
    assert speed.means == {"ours": pytest.approx(1.1)}


def test_groups_keep_the_order_and_the_length_of_their_files(lsd):
    rows = [
        row("a", group="second", seconds=3.0, band_hz=8000.0),
        row("b", group="second", seconds=4.0),
        row("c", group="first"),
    ]
    second, first = group_means(rows, lsd)
    assert (second.name, second.num_files, second.seconds) == ("second", 2, 7)
    assert second.bands == (8000, 24000) and second.scope == "in band"
    assert first.scope == "to 24 kHz"
