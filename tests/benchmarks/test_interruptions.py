"""A share of the kills and the full disks; the benchmark does more."""

import pytest

from benchmarks.interruptions import COMMANDS, final_files, interrupt, run
from benchmarks.interruptions import write_inputs as prepare

OUTCOMES = {"absent", "in part", "complete", "undisturbed"}


@pytest.mark.parametrize("name", ["encode", "decode", "tokens", "export"])
def test_nothing_damaged_stands_under_a_final_name(tiny_model_folder, name):
    figures = interrupt(tiny_model_folder, 3, [name], seed=1)
    assert set(figures) == {f"{name}, killed", f"{name}, full"}
    for outcomes in figures.values():
        assert set(outcomes) <= OUTCOMES
        assert sum(outcomes.values()) == 3


def test_a_file_that_may_not_grow_is_named(tiny_model_folder, tmp_path):
    folder = tmp_path / "inputs"
    prepare(folder, tiny_model_folder)
    for name, output in {"encode": "out.apc", "decode": "out.wav"}.items():
        ended = run(COMMANDS[name], folder, most_bytes=100)
        assert ended.code == 2
        assert ended.said.splitlines() == [
            f"apcodec: error: {output}: File too large: write to a file "
            "system for larger files"
        ]
        assert final_files(folder) == {}
