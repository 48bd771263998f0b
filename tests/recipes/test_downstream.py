"""A recipe that is no part of the package has our tokens as its targets."""

import math
import re
import sys
from pathlib import Path

from speechbrain_apcodec.corpus.extraction import extract_tokens
from tests.corpus.recordings import write_recordings
from tests.installed import ROOT, run

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
    losses = [
        float(line)
        for line in (tmp_path / "results" / "losses.txt").read_text().split()
    ]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[2] < losses[1] < losses[0]


def test_the_site_shows_this_yaml():
    page = (ROOT / "docs" / "tokens.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```{literalinclude} (\S+)$", page, re.MULTILINE)
    assert (ROOT / "docs" / shown).samefile(RECIPE / "tokens.yaml")
