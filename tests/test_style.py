"""Lint, format and types, so that one command checks everything."""

import ast
import shutil
import subprocess
import sys

import pytest

from tests.installed import ROOT


@pytest.mark.parametrize(
    "tool",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["yamllint", "--strict", "."],
        ["mypy"],
    ],
    ids=" ".join,
)
def test_style(tool):
    done = subprocess.run(
        [sys.executable, "-m", *tool],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_script_is_valid_and_executable():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    bash = shutil.which("bash")
    subprocess.run([bash, "-n", str(script)], check=True)


def constructors(path):
    """Yield the names of a file's classes and of their parameters."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            for function in node.body:
                if getattr(function, "name", "") == "__init__":
                    given = function.args
                    _, *names = [*given.posonlyargs, *given.args]
                    names += [*given.kwonlyargs, given.vararg, given.kwarg]
                    yield node.name, [name.arg for name in names if name]


def test_no_constructor_has_more_than_seven_parameters():
    """What belongs together is a value with a name.

    A data class is exempt: it is the list of what it holds.
    """
    counts = {
        f"{path.name}: {name}": len(parameters)
        for path in sorted((ROOT / "speechbrain_apcodec").rglob("*.py"))
        for name, parameters in constructors(path)
    }
    assert "autoencoder.py: SubDecoder" in counts
    assert {name: n for name, n in counts.items() if n > 7} == {}
