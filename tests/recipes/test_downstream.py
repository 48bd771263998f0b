"""A recipe that is no part of the package has our tokens as its targets."""

import re
import sys
from pathlib import Path

from speechbrain_apcodec.corpus.extraction import extract_tokens
from tests.corpus.recordings import write_recordings
from tests.installed import ROOT, run
from tests.recipes.losses import assert_losses_fall

RECIPE = Path(__file__).parent / "downstream"


def test_downstream_recipe_trains_three_steps(tiny_model, tmp_path):
    manifest = write_recordings(tmp_path / "corpus", 2)
    tokens = extract_tokens(tiny_model, manifest, tmp_path / "tokens").index
    run(
        [sys.executable, str(RECIPE / "train.py"), str(RECIPE / "tokens.yaml")]
        + [f"--tokens={tokens}", "--output_folder=results", "--device=cpu"]
        + ["--number_of_epochs=3"],  # the same batch three times
        cwd=tmp_path,
        target=ROOT,
    )
    assert_losses_fall(tmp_path / "results")


def test_the_site_shows_this_yaml():
    page = (ROOT / "docs" / "tokens.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```{literalinclude} (\S+)$", page, re.MULTILINE)
    assert (ROOT / "docs" / shown).samefile(RECIPE / "tokens.yaml")
