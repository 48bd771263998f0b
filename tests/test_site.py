"""The site builds without a warning, and its notebook runs."""

import os
import subprocess
import sys

import pytest

from tests.installed import ROOT


def test_the_site_builds_without_warnings(tmp_path):
    pytest.importorskip("furo")
    pytest.importorskip("myst_nb")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q"]
        + ["-d", str(tmp_path / "doctrees"), "docs", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lobes = (tmp_path / "site" / "api" / "lobes.html").read_text()
    assert 'id="speechbrain_apcodec.lobes.codec.Codec"' in lobes
    recipe = (tmp_path / "site" / "recipes" / "audio_folder.html").read_text()
    assert "A voice of your own" in recipe


def test_the_tutorial_runs(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    work = tmp_path / "work"
    work.mkdir()
    nbclient.NotebookClient(
        nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4),
        timeout=600,
        resources={"metadata": {"path": str(work)}},
    ).execute()
    assert (work / "my_voice" / "codec.safetensors").is_file()
