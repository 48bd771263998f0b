"""What every test may rely on: one thread, and the package as a wheel.

With one thread no result depends on the number of cores, and two test
processes do not fight for them.
"""

import os

import pytest

from tests.installed import build_wheel, copy_checkout, install_wheel

# A script that other tests run as a process; importing it would run it.
collect_ignore = ["tests/training/recipe_process.py"]

# Before torch is imported anywhere, and inherited by subprocesses.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of the checkout in which a build may leave things."""
    return copy_checkout(tmp_path_factory.mktemp("checkout") / "copy")


@pytest.fixture(scope="session")
def wheel(checkout, tmp_path_factory):
    """The wheel; tests that use it belong to the xdist group ``wheel``."""
    return build_wheel(checkout, tmp_path_factory.mktemp("wheel") / "out")


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A folder outside the checkout that holds the installed package."""
    return install_wheel(wheel, tmp_path_factory.mktemp("installed"))
