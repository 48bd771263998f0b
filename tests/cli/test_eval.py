"""`apcodec eval` on short recordings with a tiny model."""

import re
import shutil

import pytest
import torch

from speechbrain_apcodec.evaluation.tables import read_rows
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.audio import write_audio

METRICS = ("--metrics", "lsd,si_sdr")

needs_opus = pytest.mark.skipif(
    not (shutil.which("opusenc") and shutil.which("opusdec")),
    reason="opus-tools is not installed",
)


@pytest.fixture
def recordings(tmp_path):
    """A mono file at the model's rate and a stereo one at another."""
    folder = tmp_path / "recordings"
    (folder / "sub").mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name, rate, channels in (("a", 48000, 1), ("sub/b", 32000, 2)):
        wav = 0.1 * torch.randn(channels, rate // 5, generator=generator)
        write_audio(folder / f"{name}.wav", wav, rate)
    return folder


def test_it_writes_tables_pictures_and_a_page(call, recordings, tmp_path):
    out = tmp_path / "new" / "out"
    code, shown, errors = call("eval", recordings, out, *METRICS)
    assert (code, errors) == (0, "")
    assert {path.name for path in out.iterdir()} == {
        "per_file.csv",
        "means.md",
        "means.png",
        "spectrograms_1.png",
        "index.html",
        "sounds",
        "spectrograms",
    }
    assert (out / "means.md").read_text(encoding="utf-8") in shown
    assert "| APCodec 6 kbps | 6.00 |" in shown
    assert "1 of 2 files were resampled to 48000 Hz (from 32000 Hz)" in shown
    assert "1 of 2 files were mixed to mono" in shown
    assert "codebooks of APCodec: 60 token frames" in shown
    rows = read_rows(out / "per_file.csv")
    assert [row["id"] for row in rows] == ["a", "sub_b"]
    assert all(row["seconds"] == 0.2 and row["rtf"] > 0 for row in rows)
    assert rows[1]["band_hz"] == 16000
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "tiny, 6 kbps at 48 kHz" in page
    assert page.count("<audio") == len(list((out / "sounds").iterdir())) == 4


def test_models_and_numbers_of_codebooks_have_columns(
    call, recordings, tmp_path, tiny_model_folder
):
    code, shown, _ = call(
        *("eval", recordings, tmp_path / "out", *METRICS, "--codebooks", 4, 1),
        model=f"tiny one={tiny_model_folder}",
    )
    assert code == 0
    assert re.findall(r"^\| (tiny one .*?) \|", shown, re.MULTILINE) == [
        "tiny one 6 kbps",
        "tiny one 1.5 kbps",
    ]


def test_it_continues(call, recordings, tmp_path, monkeypatch):
    out = tmp_path / "recordings" / "out"  # its sounds are no recordings
    call("eval", recordings, out, *METRICS)
    before = {path: path.read_bytes() for path in out.glob("*.*")}
    decoded = []
    decode = APCodec.decode
    monkeypatch.setattr(
        APCodec, "decode", lambda *a, **k: decoded.append(1) or decode(*a, **k)
    )
    assert call("eval", recordings, out, *METRICS)[0] == 0
    assert decoded == []
    assert {path: path.read_bytes() for path in out.glob("*.*")} == before
    write_audio(recordings / "c.wav", torch.rand(1, 9600) / 9, 48000)
    code, shown, _ = call("eval", recordings, out, *METRICS)
    assert code == 0 and "3 files" in shown
    assert len(decoded) == 1


@needs_opus
def test_other_codecs_stand_beside_it(call, recordings, tmp_path):
    out = tmp_path / "out"
    options = *METRICS, "--against", "opus6, opus12"
    code, shown, _ = call("eval", recordings, out, *options)
    assert code == 0
    assert "| Opus 6 kbps |" in shown and "| Opus 12 kbps |" in shown
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "Opus 6 kbps, Opus 12 kbps" in page
    assert page.count("<audio") == 8


def test_speakers_of_the_training_are_told_apart(call, recordings, tmp_path):
    manifest = tmp_path / "train.csv"
    manifest.write_text("path,speaker\nx.wav,sub\n")
    options = *METRICS, "--train-manifest", manifest
    code, shown, _ = call("eval", recordings, tmp_path / "out", *options)
    assert code == 0
    assert "### unseen speaker (recordings): 1 file," in shown
    assert "### known speaker (sub): 1 file," in shown
    assert (tmp_path / "out" / "spectrograms_2.png").exists()


def test_a_table_of_something_else_is_not_overwritten(
    call, recordings, tmp_path
):
    (tmp_path / "per_file.csv").write_text("precious\n1\n")
    code, _, errors = call("eval", recordings, tmp_path, *METRICS)
    assert code == 2 and "name another folder" in errors
    assert (tmp_path / "per_file.csv").read_text() == "precious\n1\n"
