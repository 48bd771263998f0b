"""The package is a house: a floor imports only what is below it."""

import ast
import re

import pytest

from tests.installed import ROOT

PACKAGE = "speechbrain_apcodec"

#: What each floor may import, itself included; the site draws the same.
FLOORS = {
    "utils": set(),
    "tokens": {"utils"},
    "streams": {"utils"},
    "lobes": {"utils", "streams"},
    "losses": {"utils", "lobes"},
    "training": {"utils", "lobes", "losses"},
    "models": {"utils", "lobes"},
    "files": {"utils"},
    "inference": {"utils", "tokens", "streams", "lobes", "models", "files"},
    "release": {"utils", "lobes", "models", "inference"},
    "onnx": {"utils", "streams", "lobes", "models", "inference", "release"},
    "corpus": {"utils", "inference"},
    "evaluation": {"utils", "models", "inference", "files"},
    "tts": {
        "utils",
        "tokens",
        "training",
        "models",
        "inference",
        "release",
        "corpus",
        "evaluation",
    },
    "cli": {
        "utils",
        "models",
        "inference",
        "release",
        "onnx",
        "files",
        "corpus",
        "evaluation",
        "tts",
    },
}


def imported_floors(path):
    """Yield the floors that a module imports, lazily or not.

    What type checkers alone import is not needed to run.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unneeded = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
    }
    for node in ast.walk(tree):
        if node in unneeded:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE and parts[1:] and parts[1] in FLOORS:
                yield parts[1]


def test_every_folder_is_a_floor():
    folders = {
        path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")
    }
    assert folders == set(FLOORS)


def test_the_site_shows_the_floors():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.*)\|$", text, re.MULTILINE)
    assert [floor for floor, _ in rows] == list(FLOORS)
    for floor, below in rows:
        assert set(re.findall(r"`(\w+)`", below)) <= FLOORS[floor], floor


@pytest.mark.parametrize("floor", FLOORS)
def test_floor_imports_only_what_is_below(floor):
    for path in sorted((ROOT / PACKAGE / floor).rglob("*.py")):
        above = set(imported_floors(path)) - FLOORS[floor] - {floor}
        assert not above, f"{path} imports {above}"
