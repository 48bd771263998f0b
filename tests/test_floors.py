"""The package is a house: a floor imports only what is below it."""

import re

import pytest

from docs import floors
from tests.installed import ROOT


def test_every_folder_is_a_floor():
    folders = {
        path.parent.name
        for path in (ROOT / floors.PACKAGE).glob("*/__init__.py")
    }
    assert folders == set(floors.FLOORS)


def test_the_page_is_drawn_from_the_imports():
    page = floors.PAGE.read_text(encoding="utf-8")
    picture = floors.draw(floors.find_needs())
    assert picture in page, "run python docs/floors.py"
    assert floors.with_picture(page, picture) == page
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == list(floors.FLOORS)
    api = (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")
    assert "\n".join(floors.FLOORS) in api


def house(folder, **texts):
    """Write files, each named by its path with two underscores for a slash."""
    for name, text in texts.items():
        suffix = ".yaml" if name.startswith("hparams") else ".py"
        path = folder / (name.replace("__", "/") + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "import speechbrain_apcodec.tts",
        "from speechbrain_apcodec import tts",
        "def later():\n    from speechbrain_apcodec.tts import brain",
        "YAML = '''\nbrain: !new:speechbrain_apcodec.tts.brain.TokenBrain\n'''",
    ],
)
def test_a_floor_that_reaches_up_is_refused(tmp_path, text):
    house(tmp_path, speechbrain_apcodec__lobes__codec=text)
    with pytest.raises(ValueError, match="lobes reaches up to tts"):
        floors.find_needs(tmp_path)


def test_a_mark_in_each_row_for_what_a_file_names(tmp_path):
    house(
        tmp_path,
        speechbrain_apcodec__tokens__bpe="import speechbrain_apcodec.utils.bar",
        speechbrain_apcodec__streams__time='"""See speechbrain_apcodec.cli."""',
        hparams__my="loss: !name:speechbrain_apcodec.tokens.bpe.Loss\n",
    )
    rows = floors.draw(floors.find_needs(tmp_path)).splitlines()
    assert rows[:3] == ["utils", "● tokens", "· · streams"]
    assert rows[-1] == "· ● " + "· " * 13 + "hparams/my.yaml"
