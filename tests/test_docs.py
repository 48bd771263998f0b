"""What the documents promise: their commands, code, files and links."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from speechbrain_apcodec.cli.main import build_parser
from speechbrain_apcodec.cli.train import find_hparams
from speechbrain_apcodec.utils.audio import write_audio
from tests.installed import ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "recipes/**/*.md", "speechbrain_apcodec/**/*.md")
    for path in ROOT.glob(pattern)
)
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


@pytest.fixture(params=DOCUMENTS, ids=NAMES)
def document(request):
    return request.param


def blocks(path, *languages):
    """Read the code blocks of a document in one of the languages."""
    text = path.read_text(encoding="utf-8")
    pattern = r"^```(\w*)\n(.*?)^```$"
    return [
        block
        for language, block in re.findall(pattern, text, re.MULTILINE | re.S)
        if language in languages
    ]


def commands(path):
    """List the command lines of a document, each with its folder."""
    for block in blocks(path, "bash", "sh", ""):
        folder = path.parent
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words[:1] == ["cd"]:
                    folder = ROOT / words[1]
                elif words:
                    yield folder, words


def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("#"):
            continue
        linked = document.parent / target.split("#")[0]
        assert linked.exists(), f"{target} does not exist"


def test_commands_are_understood(document):
    for folder, words in commands(document):
        if words[0] == "apcodec":
            arguments = build_parser().parse_args(words[1:])
            if arguments.command == "train":
                assert find_hparams(arguments.config).is_file()
        elif words[:2] == ["python", "train.py"]:
            assert (folder / "train.py").is_file()
            assert (folder / words[2]).is_file(), words[2]


def test_yaml_examples_are_yaml(document):
    for block in blocks(document, "yaml"):
        assert yaml.compose(block) is not None


def test_python_examples_run(document, tmp_path):
    for block in blocks(document, "python"):
        # A model card leaves open where its reader has the model from.
        block = block.replace("FOLDER_OR_HUB_ID", str(document.parent))
        if 'encode_file("speech.wav")' in block:
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
    command = "pip install '.[test]' && python -m pytest -n auto"
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert command in lines, name


def test_readme_names_every_configuration_and_floor():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "hparams").glob("*.yaml"):
        assert f"`hparams/{path.name}`" in readme
    for path in (ROOT / "speechbrain_apcodec").glob("*/__init__.py"):
        assert f"| `{path.parent.name}` |" in readme
    for path in re.findall(r"lobes/\w+\.py", readme):
        assert Path(ROOT, "speechbrain_apcodec", path).is_file()
