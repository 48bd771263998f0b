"""Tables: means over the same files, and rows that survive a file."""

import math

import pytest
import torch

from speechbrain_apcodec.evaluation.scores import choose_metrics
from speechbrain_apcodec.evaluation.tables import (
    codebook_table,
    means_table,
    read_rows,
    write_rows,
)
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.support.evaluation import row


def cells(table, system):
    (line,) = [x for x in table.splitlines() if x.startswith(f"| {system} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def lsd():
    return choose_metrics(["lsd"])[0]


def test_all_systems_are_judged_by_the_same_files(lsd):
    rows = [
        row("a", lsd=1.0),
        row("a", "theirs", lsd=2.0),
        row("b", lsd=9.0),
        row("b", "theirs", lsd=math.nan),
    ]
    table = means_table(rows, lsd)
    assert cells(table, "ours")[-1] == "1.000"
    assert cells(table, "theirs")[-1] == "2.000"
    assert "left out of a mean" in table and "LSD to 24 kHz ↓ 1." in table
    assert "2 files, 2.00 minutes" in table


def test_a_mean_of_nothing_is_a_dash(lsd):
    table = means_table([row("a", lsd=math.nan)], lsd)
    assert cells(table, "ours")[-1] == "–"


def test_the_column_tells_the_band(lsd):
    rows = [
        row("a", group="full"),
        row("b", group="narrow", band_hz=16500.0),
        row("c", group="narrow", band_hz=20000.0, lsd=3.0),
    ]
    full, narrow = means_table(rows, lsd).split("### narrow")
    assert "LSD to 24 kHz ↓" in full
    assert "LSD in band ↓" in narrow and "16.5 to 20 kHz" in narrow
    assert cells(narrow, "ours")[-1] == "2.000"


def test_a_metric_of_parts_has_a_table_of_its_own():
    both, _ = choose_metrics(["level", "lsd"])
    rows = [row("a", lsd=0.5) | {"level 0-4": -1.25, "level 4-8": 2.0}]
    _, single, parted = means_table(rows, both).split("\n\n")
    assert "| LSD to 24 kHz ↓ |" in single
    assert cells(single, "ours")[2:] == ["0.250", "0.500"]
    assert "| level error 0-4 kHz [dB] | level error 4-8 kHz" in parted
    assert cells(parted, "ours")[2:] == ["-1.2", "2.0"]


@pytest.mark.parametrize("content", ["no,table\n1,2\n", "id\nx\n", "\0", "a"])
def test_another_file_is_not_taken_for_rows(content, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"{path} is no table"):
        read_rows(path)


def test_rows_survive_a_file(tmp_path):
    rows = [row('x "y"', "a, b", lsd=0.1 + 0.2), row("øre", lsd=math.nan)]
    write_rows(tmp_path / "rows.csv", rows)
    again = read_rows(tmp_path / "rows.csv")
    assert again[0] == rows[0]
    assert math.isnan(again[1].pop("lsd")) and math.isnan(rows[1].pop("lsd"))
    assert again[1] == rows[1]


def test_no_file_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.csv") == []


def test_codebooks_are_numbered_from_one():
    table = codebook_table(
        torch.tensor([1.0, 0.25]), torch.tensor([900.0, 17.04]), 5000, 1024, "a"
    )
    assert "| 1 | 100.0 % | 900.0 |" in table
    assert "| 2 | 25.0 % | 17.0 |" in table
