"""A recipe that is no part of the package uses its lobes and losses."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.installed import run
from tests.recipes.losses import assert_losses_fall

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
    assert_losses_fall(recipe / "results")
