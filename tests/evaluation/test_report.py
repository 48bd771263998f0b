"""The whole evaluation on short files with a stand-in for the model."""

import json
import re

import pytest

from speechbrain_apcodec import inference
from speechbrain_apcodec.evaluation import report
from tests.evaluation.fakes import FakeCodec, write_recordings


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


def test_the_command_writes_tables_and_pictures(
    files, tmp_path, monkeypatch, capsys
):
    use_models(monkeypatch, lambda source: FakeCodec())
    for name, content in (
        ("test.json", files),
        ("train.json", {"x": {"wav": "x.wav", "speaker": "anna"}}),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    out = tmp_path / "out"
    code = report.main(
        [
            str(tmp_path / "test.json"),
            str(out),
            *("--train-manifest", str(tmp_path / "train.json")),
            *("--model", "old=one", "new=two"),
            *("--num-codebooks", "4", "2"),
            *("--metrics", "lsd", "level"),
            "--peers",
        ]
    )
    assert code == 0
    text = (out / "means.md").read_text()
    assert text.strip() == capsys.readouterr().out.strip()
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
    [(["a", "b"], "need names"), (["x=slow", "y=fast"], "rates, [")],
)
def test_models_that_cannot_stand_in_one_table(
    files, tmp_path, monkeypatch, capsys, models, message
):
    def load(source):
        codec = FakeCodec()
        codec.sample_rate = 16000 if source == "slow" else 48000
        return codec

    use_models(monkeypatch, load)
    (tmp_path / "test.json").write_text(json.dumps(files))
    arguments = [str(tmp_path / "test.json"), str(tmp_path / "out")]
    assert report.main([*arguments, "--model", *models]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "not JSON", "[]", "{}"])
def test_a_bad_manifest_is_one_line(content, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no program is needed to see it
    path = tmp_path / "test.json"
    if content is not None:
        path.write_text(content)
    assert report.main([str(path), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(path) in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["index.html", "means.md", "sounds"])
def test_files_of_others_are_left_alone(files, tmp_path, capsys, name):
    (tmp_path / "test.json").write_text(json.dumps(files))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("years of work")
    arguments = [str(tmp_path / "test.json"), str(tmp_path / "out")]
    assert report.main(arguments) == 2
    assert f"{name} is there already" in capsys.readouterr().err
    assert (tmp_path / "out" / name).read_text() == "years of work"
