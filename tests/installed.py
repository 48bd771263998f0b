"""The package as a user has it: a wheel, installed outside the checkout."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]

# Never copied: not part of the project, and large.
_NOT_OURS = shutil.ignore_patterns(
    ".git", ".venv", "venv", "build", "dist", "*.egg-info", "__pycache__"
)


def copy_checkout(target):
    """Copy the checkout, so that no build leaves anything in it."""
    return Path(shutil.copytree(ROOT, target, ignore=_NOT_OURS))


def read_setup():
    """Run ``setup.py`` without building: what it says, and its names."""
    with mock.patch("setuptools.setup") as setup:
        names = runpy.run_path(str(ROOT / "setup.py"))
    return setup.call_args.kwargs, names


def build_wheel(source, folder):
    """Build the wheel of a checkout or sdist from within another folder."""
    folder.mkdir(parents=True)
    run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        + ["--no-build-isolation", "--wheel-dir", ".", str(source)],
        cwd=folder,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(wheel, target):
    """Install a wheel, without what it depends on, into a folder."""
    run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        + ["--target", str(target), str(wheel)],
        cwd=wheel.parent,
    )
    return target


def run(command, cwd, target=None, code=0):
    """Run a command that sees ``target`` and nothing of the checkout.

    The output is returned; it is also the message if the exit code is not
    the expected one.
    """
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONPATH"
    }
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if target is not None:
        environment["PYTHONPATH"] = str(target)
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    return output
