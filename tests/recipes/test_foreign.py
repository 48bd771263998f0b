"""A recipe that is no part of the package uses its lobes and losses."""

import math
import shutil
import sys
from pathlib import Path

import pytest

from tests.installed import run

pytestmark = pytest.mark.xdist_group("wheel")


def test_foreign_recipe_trains_three_steps(installed, tmp_path):
    recipe = tmp_path / "recipe"
    shutil.copytree(Path(__file__).parent / "foreign", recipe)
    run(
        [sys.executable, "train.py", "foreign.yaml", "--device=cpu"]
        + ["--output_folder=results"],
        cwd=recipe,
        target=installed,
    )
    losses = [
        float(line)
        for line in (recipe / "results" / "losses.txt").read_text().split()
    ]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    # The same batch three times: every step must help.
    assert losses[2] < losses[1] < losses[0]
