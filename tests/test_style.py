"""Lint, format and types, so that one command checks everything."""

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
