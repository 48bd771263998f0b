"""What the contributing guide says of a new loss is all that it takes."""

import re
import shutil

import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.installed import ROOT
from tests.losses.test_codec_loss import make_output


def test_the_guide(tmp_path, monkeypatch):
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
