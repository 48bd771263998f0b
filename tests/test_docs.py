"""What the documents promise: their commands, code, files and links."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from speechbrain_apcodec.cli.main import build_parser
from speechbrain_apcodec.cli.train import find_recipe
from speechbrain_apcodec.utils.audio import write_audio
from tests.documents import DOCUMENTS, NAMES, blocks, commands, links, read
from tests.documents import table as table_of
from tests.installed import ROOT, read_setup

TESTS = "pip install '.[test]' && python -m pytest -n auto"
DEMO = "pip install . && apcodec demo"


@pytest.fixture(params=DOCUMENTS, ids=NAMES)
def document(request):
    return request.param


@pytest.fixture(scope="module")
def extras():
    return read_setup()[0]["extras_require"]


def test_links_lead_somewhere(document):
    for target in links(document):
        assert (document.parent / target).exists(), target


def test_commands_are_understood(document, extras):
    for folder, words in commands(document):
        if words[0] == "apcodec":
            arguments = build_parser().parse_args(words[1:])
            if arguments.command == "train":
                find_recipe(arguments.config)
        elif words[:2] == ["python", "train.py"]:
            assert (folder / "train.py").is_file()
            assert (ROOT / words[2]).is_file(), words[2]
        elif words[:2] == ["python", "-m"]:
            module = ROOT / words[2].replace(".", "/")
            assert words[2] == "pytest" or module.with_suffix(".py").is_file()
        elif words[0] == "python" and words[1].startswith("benchmarks/"):
            assert (ROOT / words[1]).is_file(), words[1]
        elif words[:2] == ["pip", "install"]:
            for extra in re.findall(r"^\.\[(.+)\]$", words[2]):
                assert extra in extras


def test_yaml_examples_are_yaml(document):
    for block in blocks(document, "yaml"):
        assert yaml.compose(block) is not None


def test_python_examples_run(document, tmp_path):
    for block in blocks(document, "python"):
        # A model card leaves open where its reader has the model from.
        block = block.replace("FOLDER_OR_HUB_ID", str(document.parent))
        if '("speech.wav")' in block:
            time = torch.arange(4800) / 48000
            wav = 0.1 * torch.sin(2 * torch.pi * 220 * time)
            write_audio(tmp_path / "speech.wav", wav[None], 48000)
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_ci_runs_the_command_of_the_readme():
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert TESTS in read(name).splitlines(), name


def test_the_readme_is_a_screen_and_begins_with_the_demo():
    lines = read("README.md").splitlines()
    assert len(lines) <= 120
    first, *_ = blocks(ROOT / "README.md", "bash")
    assert first.splitlines() == [DEMO]


def test_the_qualities_of_the_readme_are_committed():
    published = read("recipes/AudioFolder/codec/results/README.md")
    published = published.replace("*", "")
    rows = table_of(read("README.md"), "quality")
    assert rows
    for row in rows:
        assert f"| {' | '.join(row)} |" in published, row


def test_the_speeds_of_the_readme_are_committed():
    with (ROOT / "benchmarks/results/speed.csv").open(newline="") as file:
        committed = [
            float(row["times real time"])
            for row in csv.DictReader(file)
            if row["times real time"]
        ]
    rows = table_of(read("README.md"), "speed")
    assert rows
    for _, *speeds in rows:
        for speed in speeds:
            near = min(abs(float(speed) - known) for known in committed)
            assert near < 0.0501, speed  # rounded


def test_the_site_names_every_configuration_and_floor():
    training, floors = read("docs/training.md"), read("docs/architecture.md")
    for path in (ROOT / "hparams").glob("*.yaml"):
        assert f"`hparams/{path.name}`" in training
    for path in (ROOT / "speechbrain_apcodec").glob("*/__init__.py"):
        assert f"| `{path.parent.name}` |" in floors
        assert (ROOT / "docs" / "api" / f"{path.parent.name}.rst").is_file()
    for path in re.findall(r"lobes/\w+\.py", floors):
        assert Path(ROOT, "speechbrain_apcodec", path).is_file()
