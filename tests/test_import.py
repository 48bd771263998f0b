"""The first line of Python: what it gives, and what it costs."""

import os
import subprocess
import sys

import pytest

import speechbrain_apcodec
from tests.installed import ROOT

LIGHT = """
import os, sys, time
begin = time.process_time()
import speechbrain_apcodec
assert time.process_time() - begin < 0.1
assert "APCodec" in dir(speechbrain_apcodec)
heavy = {"torch", "numpy", "speechbrain"}
assert not heavy & sys.modules.keys()
from speechbrain_apcodec import APCodec
assert heavy <= sys.modules.keys()
from speechbrain_apcodec.inference import APCodec as same
assert APCodec is same
"""

TYPED = """
from speechbrain_apcodec import APCodec

reveal_type(APCodec.sample_rate)
"""

# Only this package: what it imports takes a type checker minutes.
SETTINGS = """
[mypy]
follow_imports = skip
[mypy-speechbrain_apcodec.*]
follow_imports = silent
"""


def test_the_package_is_light_and_gives_the_codec():
    subprocess.run([sys.executable, "-c", LIGHT], cwd=ROOT, check=True)


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'APCodecs'"):
        _ = speechbrain_apcodec.APCodecs


def test_type_checkers_see_the_codec(tmp_path):
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "typed.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    # Of a name without a type it would be Any.
    assert 'apcodec.APCodec) -> int"' in done.stdout, done.stdout
