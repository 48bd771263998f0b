"""Every recipe and every configuration runs on samples, at its own widths.

A CSV table for each dataset lists its runs, as in SpeechBrain. The samples
are made in the corpus's own layout; the flags keep a run short.
"""

import csv
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from tests.installed import ROOT
from tests.recipes.corpora import MAKERS
from tests.support.tiny_sentences import write_sentences

TABLES = sorted(Path(__file__).parent.glob("*.csv"))
FILES = ("Script_file", "Hparam_file", "Data_prep_file", "Readme_file")


def read_rows():
    """Read the rows of all tables."""
    rows = []
    for table in TABLES:
        with table.open(newline="") as file:
            rows.extend(csv.DictReader(file))
    return rows


ROWS = read_rows()


def row_name(row):
    return f"{row['Dataset']}/{Path(row['Hparam_file']).stem}"


@pytest.mark.parametrize(
    ("column", "pattern"),
    [("Hparam_file", "hparams/*.yaml"), ("Script_file", "recipes/**/train.py")],
)
def test_everything_has_a_row(column, pattern):
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    # The configuration of 48khz_6kbps.yaml, with another folder.
    assert files - {"hparams/base.yaml"} == {row[column] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_files_of_a_row_exist(row):
    missing = [row[name] for name in FILES if not (ROOT / row[name]).is_file()]
    assert not missing
    readme = (ROOT / row["Readme_file"]).read_text(encoding="utf-8")
    assert Path(row["Hparam_file"]).name in readme


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_recipe_runs_on_samples(row, tmp_path):
    script = ROOT / row["Script_file"]
    output_folder = tmp_path / "output"
    if row["Task"] == "TTS":
        given = write_sentences(tmp_path / "data")
    else:
        MAKERS[row["Dataset"]](tmp_path / "data")
        given = [
            f"--data_folder={tmp_path / 'data'}",
            f"--cache_folder={tmp_path / 'cache'}",
        ]
    flags = row["test_debug_flags"].format(
        model=DEFAULT_MODEL, streaming_model=STREAMING_MODEL
    )
    done = subprocess.run(
        [sys.executable, str(script), str(ROOT / row["Hparam_file"])]
        + [*given, f"--output_folder={output_folder}", "--device=cpu"]
        + shlex.split(flags),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    check_manifests(output_folder / "manifests")
    check_log(output_folder / "train_log.txt")
    assert {path.name for path in tmp_path.iterdir()} <= {
        "data",
        "cache",
        "output",
    }, "a run writes outside its folders"


def check_manifests(folder):
    """Each split has items, and none is in two."""
    splits = [
        json.loads((folder / f"{split}.json").read_text())
        for split in ("train", "valid", "test")
    ]
    assert all(splits)
    sources = [
        item.get("wav") or item["tokens"]
        for split in splits
        for item in split.values()
    ]
    assert len(sources) == len(set(sources))
    assert all(Path(source).is_file() for source in sources)


def check_log(path):
    """Training and validation were logged, with finite numbers."""
    lines = path.read_text().splitlines()
    for stage in ("train", "valid"):
        numbers = [
            float(number)
            for line in lines
            for number in re.findall(rf"{stage} \w+: (\S+?)(?:,|$| )", line)
        ]
        assert numbers, f"no {stage} loss in {lines}"
        assert all(math.isfinite(number) for number in numbers), lines
