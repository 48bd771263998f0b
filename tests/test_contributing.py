"""The diffs of the contributing guide are all that the changes take."""

import shutil
import subprocess
import sys

import pytest

from tests.documents import blocks
from tests.installed import ROOT

EFFECTS = {
    "peaks.py": """
import torch
from speechbrain_apcodec.evaluation.scores import METRICS
wav = torch.tensor([0.5, -0.25])
assert METRICS["peak"].function(wav, wav / 2, 48000) == 0.25
""",
    "48khz_9kbps.yaml": """
from speechbrain_apcodec.utils.hparams import load_hparams
codec = load_hparams("hparams/48khz_9kbps.yaml")["codec"]
frames_per_second = codec.sample_rate / codec.hop_length
assert 10 * frames_per_second * codec.quantizer.num_codebooks == 9000
""",
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_diff_is_all_that_it_takes(name, tmp_path):
    diffs = blocks(ROOT / "CONTRIBUTING.md", "diff")
    (diff,) = (text for text in diffs if name in text)
    for folder in ("speechbrain_apcodec", "hparams"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("pretrained", "__pycache__"),
        )
    subprocess.run(
        ["git", "apply", "-"], input=diff, text=True, cwd=tmp_path, check=True
    )
    subprocess.run(
        [sys.executable, "-c", EFFECTS[name]], cwd=tmp_path, check=True
    )
