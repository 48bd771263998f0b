"""What the contributing guide shows of a change is all that it takes."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.documents import blocks
from tests.installed import ROOT
from tests.losses.test_codec_loss import make_output

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
    # Seconds, as all that trains must find the new recipe.
    "MyVoice": """
import json
from pathlib import Path
from speechbrain_apcodec.cli.main import main
from tests.recipes.corpora import write_speech
from tests.training.tiny_run import TINY
names = {"train": ["a", "b"], "valid": ["c"], "test": ["d"]}
for split, stems in names.items():
    for seed, stem in enumerate(stems):
        write_speech(Path("voice", split, f"{stem}.wav"), 48000, seed)
flags = [f"--{key}={json.dumps(value)}" for key, value in TINY.items()]
flags += ["--data_folder=voice", "--output_folder=run", "--debug"]
assert main(["train", "MyVoice/mini", *flags, "--device=cpu"]) == 0
for split, stems in names.items():
    manifest = Path(f"run/manifests/{split}.json").read_text()
    assert list(json.loads(manifest)) == stems
assert "test lsd" in Path("run/train_log.txt").read_text()
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
        [sys.executable, "-c", EFFECTS[name]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # for tests, after cwd
        check=True,
    )


def test_a_new_loss(tmp_path, monkeypatch):
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    section = guide.split("## A new loss\n")[1].split("\n## ")[0]
    code, yaml = re.findall(r"```\w+\n(.+?)```", section, re.DOTALL)
    shutil.copytree(ROOT / "hparams", tmp_path / "hparams")
    (tmp_path / "my_losses.py").write_text(code)
    (tmp_path / "hparams" / "my.yaml").write_text(yaml)
    monkeypatch.syspath_prepend(tmp_path)
    text = merge_hparams(tmp_path / "hparams" / "my.yaml")
    text = inference_hparams(text, [], others=["loss"])
    loss = load_hyperpyyaml(text)["loss"]
    wavs = torch.zeros(1, 1560)
    wavs[0, 3] = 0.5
    loss.terms = loss.terms[-1:]
    terms = loss.reconstruction(make_output(wavs, 0 * wavs))
    assert terms == {"peak": 0.5}
    assert loss.total(terms) == 5.0
