"""YAMLs of earlier versions name former modules and arguments."""

import re
from importlib import import_module

import pytest

from speechbrain_apcodec.utils.hparams import (
    dump,
    load_hparams,
    merge_hparams,
    parse,
)
from speechbrain_apcodec.utils.moved import with_present_names
from tests.former_names import FORMER, with_former_arguments, with_former_names
from tests.tiny_model import HPARAMS


@pytest.mark.parametrize("name", FORMER)
def test_what_an_earlier_version_named_is_there(name):
    present = with_present_names(f"!new:{name}").removeprefix("!new:")
    module, _, attribute = present.rpartition(".")
    assert present != name
    assert hasattr(import_module(module), attribute)


def test_present_names_stay(tiny_model_folder):
    text = (tiny_model_folder / "hyperparams.yaml").read_text()
    assert with_present_names(text) == text
    former = with_former_names(text)
    assert re.search(r"inference\.loading", former)
    assert with_present_names(former) == text


@pytest.mark.parametrize("name", ["default", "tts"])
def test_arguments_that_are_one_now_are_gathered(name):
    present = merge_hparams(HPARAMS / f"{name}.yaml")
    former = with_former_arguments(present)
    assert former.count("!new:") == present.count("!new:") - 1
    lines = dump(parse(former, "a run")).splitlines()
    assert list(filter(None, lines)) == list(filter(None, present.split("\n")))


def test_a_yaml_that_changes_an_argument_of_before_is_obeyed(tmp_path):
    yaml = tmp_path / "my.yaml"
    yaml.write_text(
        f"include:\n    - {HPARAMS / 'default.yaml'}\n"
        "train_crop:\n    replicate_top_band: False\n"
        "    speeds_percent: [100, 125]\n"
    )
    crop = load_hparams(yaml, {"output_folder": str(tmp_path)})["train_crop"]
    assert crop.changes.replicate_top_band is False
    assert crop.changes.speeds_percent == [100, 125]
    assert crop.changes.level_range_db == [-24.0, 0.0]
