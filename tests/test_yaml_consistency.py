"""Every YAML: it builds, every key is used, every name exists.

SpeechBrain checks its recipes by the same rules.
"""

import dataclasses
import pydoc
import re

import pytest
import torch
from ruamel.yaml import YAML
from speechbrain.utils.run_opts import RunOptions

from speechbrain_apcodec.utils.hparams import load_hparams, merge_hparams
from tests.installed import ROOT

HPARAMS = ROOT / "hparams"
YAMLS = sorted(HPARAMS.glob("*.yaml"))
PARTS = HPARAMS / "parts"
# Each configuration, and each data set above the plainest of its task.
FILES = [(path,) for path in YAMLS] + [
    (HPARAMS / ("tts.yaml" if "TTS" in path.parts else "base.yaml"), path)
    for path in sorted((ROOT / "recipes").rglob("hparams/dataset.yaml"))
]
NAMES = [files[-1].relative_to(ROOT).as_posix() for files in FILES]


@pytest.fixture(params=FILES, ids=NAMES)
def files(request):
    return request.param


def merge(files):
    return merge_hparams(files[0], above=files[1:])


def source_code():
    """Join the code that may read a key of a YAML."""
    folders = [ROOT / "speechbrain_apcodec", ROOT / "recipes"]
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    )


CODE = source_code()
# SpeechBrain's Brain reads these from the YAML.
RUN_OPTIONS = {field.name for field in dataclasses.fields(RunOptions)}


def is_read(key):
    """Tell whether the code reads ``hparams.key`` or ``hparams["key"]``."""
    word = re.escape(key)
    patterns = [
        rf"hparams\.{word}\b",
        rf"hparams\[[\"']{word}[\"']\]",
        rf"hparams\.(get|pop)\([\"']{word}[\"']",
        rf"getattr\((self\.)?hparams, [\"']{word}[\"']",
        rf"[\"']{word}[\"'] in (self\.)?hparams\b",
    ]
    if any(re.search(pattern, CODE) for pattern in patterns):
        return True
    # getattr(self.hparams, f"{player}_opt_class") reads a family of keys.
    return any(
        re.fullmatch(re.sub(r"\{.*?\}", r"\\w+", family), key)
        for family in re.findall(r"hparams, f\"(.+?)\"", CODE)
    )


def test_there_are_yamls():
    assert any(name.startswith("hparams/") for name in NAMES)
    assert any(name.startswith("recipes/") for name in NAMES)


def test_every_key_is_used(files):
    text = merge(files)
    referenced = set(re.findall(r"<(\w+)[^>]*>", text))
    # What an object of base.yaml takes may be left over where a file puts
    # another object in its place, but then the file does not set it.
    own = {key for path in files for key in YAML().load(path.read_text())}
    base = (HPARAMS / "base.yaml").read_text()
    referenced |= set(re.findall(r"<(\w+)[^>]*>", base)) - own
    unused = [
        key
        for key in YAML().load(text)
        if not key.startswith("__")
        and key not in referenced
        and key not in RUN_OPTIONS
        and not is_read(key)
    ]
    assert not unused


def test_every_named_object_exists(files):
    targets = re.findall(r"!(?:new|name|apply):([\w.]+)", merge(files))
    assert targets
    missing = [name for name in targets if pydoc.locate(name) is None]
    assert not missing


def test_modules_are_built(files, tmp_path):
    # Folders that constructors make lie below the output folder.
    overrides = {"output_folder": str(tmp_path)}
    for key, value in YAML().load(merge(files)).items():
        tag = getattr(value, "tag", None)
        if tag is not None and tag.value == "!PLACEHOLDER":
            overrides[key] = str(tmp_path / key)
    hparams = load_hparams(files[0], overrides, files[1:])
    assert hparams["modules"]
    for module in hparams["modules"].values():
        assert isinstance(module, torch.nn.Module)


def test_every_part_is_included():
    included = {
        included
        for path in YAMLS
        for included in re.findall(r"parts/(\w+)\.yaml", path.read_text())
    }
    assert {path.stem for path in PARTS.glob("*.yaml")} == included


def repeated(below, above):
    """Yield the keys of ``above`` that say what ``below`` says already."""
    for key, value in above.items():
        if key not in below:
            continue
        known = below[key]
        if isinstance(value, dict) and isinstance(known, dict):
            for name in repeated(known, value):
                yield f"{key}[{name}]"
        elif value == known:
            yield key


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_yaml_states_only_what_differs(path):
    own = YAML().load(path.read_text())
    for name in own.get("include", []):
        included = YAML().load(merge_hparams(path.parent / name))
        same = list(repeated(included, own))
        assert not same, f"as in {name}, so leave them out: {same}"
