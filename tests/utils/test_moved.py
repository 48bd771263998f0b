"""YAMLs of earlier versions name classes by modules that have moved."""

import re
from importlib import import_module

import pytest

from speechbrain_apcodec.utils.moved import with_present_names
from tests.former_names import FORMER, with_former_names


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
