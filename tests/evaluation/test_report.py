"""The whole evaluation on short files with a stand-in for the model."""

import json
import re

import pytest

from speechbrain_apcodec import inference
from speechbrain_apcodec.evaluation.report import write_report
from speechbrain_apcodec.utils.errors import APCodecError
from tests.support.evaluation import FakeCodec, write_recordings


@pytest.fixture
def files(tmp_path):
    return write_recordings(tmp_path)


def use_models(monkeypatch, load):
    """Let models be loaded by a function of their source."""

    class Loaded:
        @staticmethod
        def from_hparams(source, run_opts):
            return load(source)

    monkeypatch.setattr(inference, "APCodec", Loaded)


def test_tables_and_pictures_are_written(files, tmp_path, monkeypatch):
    use_models(monkeypatch, lambda source: FakeCodec())
    for name, content in (
        ("test.json", files),
        ("train.json", {"x": {"wav": "x.wav", "speaker": "anna"}}),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    out = tmp_path / "out"
    text = write_report(
        tmp_path / "test.json",
        out,
        ["old=one", "new=two"],
        num_codebooks=[4, 2],
        metrics=["lsd", "level"],
        train_manifest=tmp_path / "train.json",
    )
    assert text == (out / "means.md").read_text()
    assert "### known speaker (anna): 2 files" in text
    for name in ("old", "new"):
        assert re.search(rf"\| {name} 3 kbps \| 3.04 \| .* \| 0.602 \|", text)
        assert f"### codebooks of {name}: 114 token frames" in text
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "index.html",
        "means.md",
        "means.png",
        "per_file.csv",
        "sounds",
        "spectrograms",
        "spectrograms_1.png",
        "spectrograms_2.png",
    ]


@pytest.mark.parametrize(
    ("models", "message"),
    [(["a", "b"], "need names"), (["x=slow", "y=fast"], r"rates, \[")],
)
def test_models_that_cannot_stand_in_one_table(
    files, tmp_path, monkeypatch, models, message
):
    def load(source):
        codec = FakeCodec()
        codec.sample_rate = 16000 if source == "slow" else 48000
        return codec

    use_models(monkeypatch, load)
    (tmp_path / "test.json").write_text(json.dumps(files))
    with pytest.raises(APCodecError, match=message):
        write_report(tmp_path / "test.json", tmp_path / "out", models)


@pytest.mark.parametrize("content", [None, "not JSON", "[]", "{}"])
def test_a_bad_manifest_is_one_line(content, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no program is needed to see it
    path = tmp_path / "test.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(APCodecError, match=str(path)) as caught:
        write_report(path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["index.html", "means.md", "sounds"])
def test_files_of_others_are_left_alone(files, tmp_path, name):
    (tmp_path / "test.json").write_text(json.dumps(files))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("years of work")
    with pytest.raises(APCodecError, match=f"{name} is there already"):
        write_report(tmp_path / "test.json", tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "years of work"
