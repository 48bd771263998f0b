"""The whole evaluation on short files with a stand-in for the model."""

import json

import pytest
import torch

from speechbrain_apcodec import inference
from speechbrain_apcodec.evaluation import report
from speechbrain_apcodec.evaluation.scores import choose_metrics
from speechbrain_apcodec.evaluation.systems import System, codec_system
from speechbrain_apcodec.evaluation.tables import read_rows
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.errors import AudioFileError
from tests.evaluation.fakes import FakeCodec

RATE = 48000


@pytest.fixture
def files(tmp_path):
    """Two full-band files of one speaker and one narrow one of another."""
    manifest = {}
    for name, speaker, band in (
        ("a1", "anna", 24000),
        ("a2", "anna", 23000),
        ("b1", "bert", 16000),
    ):
        generator = torch.Generator().manual_seed(len(manifest))
        wav = 0.1 * torch.randn(1, 12000, generator=generator)
        write_audio(tmp_path / f"{name}.wav", wav, RATE, "FLOAT")
        manifest[name] = {
            "wav": str(tmp_path / f"{name}.wav"),
            "num_samples": 12000,
            "band_hz": band,
            "speaker": speaker,
        }
    return manifest


@pytest.fixture
def lsd():
    return choose_metrics(["lsd"])[0]


def test_a_row_for_each_file_and_system(files, lsd, tmp_path):
    systems = [codec_system(FakeCodec()), codec_system(FakeCodec(), 2)]
    path = tmp_path / "rows.csv"
    rows = report.evaluate_files(files, systems, RATE, lsd, path)
    assert [(row["id"], row["system"]) for row in rows] == [
        (name, f"APCodec {kbps} kbps") for name in files for kbps in (6, 3)
    ]
    for row in rows:
        assert row["lsd"] == pytest.approx(0.602, abs=0.001)
        assert row["seconds"] == 0.25 and row["lag"] == 0
    assert read_rows(path) == rows


def test_a_group_is_scored_up_to_its_files_bands(files, lsd, tmp_path):
    def brickwall(wav):
        spectrum = torch.fft.rfft(wav)
        spectrum[len(spectrum) * 17 // 24 :] = 0
        return torch.fft.irfft(spectrum, len(wav)), 0.0

    rows = report.evaluate_files(
        files,
        [System("17 kHz", "1", brickwall)],
        RATE,
        lsd,
        tmp_path / "rows.csv",
        report.groups_by_speaker(files, {"x": {"speaker": "anna"}}),
    )
    a1, a2, b1 = rows
    # 23 of 24 kHz count as full-band, and what is missing there counts too.
    assert a1["group"] == a2["group"] == "known speaker (anna)"
    assert a1["band_hz"] == a2["band_hz"] == 24000
    assert a1["lsd"] > 2 and a2["lsd"] > 2
    assert b1["group"] == "unseen speaker (bert)"
    assert b1["band_hz"] == 16000
    assert b1["lsd"] < 0.1


def test_what_is_known_is_not_done_again(files, lsd, tmp_path):
    path = tmp_path / "rows.csv"
    model = FakeCodec()
    rows = report.evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    again = report.evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    assert again == rows and model.decoded == 3
    other = FakeCodec(gain=0.1, weights_sha256="bb")
    rows = report.evaluate_files(files, [codec_system(other)], RATE, lsd, path)
    assert [row["lsd"] for row in rows] == pytest.approx([2.0] * 3, abs=0.01)
    mel, _ = choose_metrics(["mel"])
    rows = report.evaluate_files(files, [codec_system(other)], RATE, mel, path)
    assert other.decoded == 6 and "mel" in rows[0]


def test_an_interrupted_run_goes_on(files, lsd, tmp_path):
    path = tmp_path / "rows.csv"
    calls = []

    def fails_at_the_third(wav):
        calls.append(len(wav))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return wav, 1.0

    system = System("peer", "1", fails_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        report.evaluate_files(files, [system], RATE, lsd, path)
    assert [row["id"] for row in read_rows(path)] == ["a1", "a2"]
    rows = report.evaluate_files(files, [system], RATE, lsd, path)
    assert [row["id"] for row in rows] == ["a1", "a2", "b1"]
    assert len(calls) == 4


def test_peers_rows_outlive_an_interrupted_run_of_a_new_model(
    files, lsd, tmp_path
):
    path = tmp_path / "rows.csv"
    calls = []
    peer = System("peer", "1", lambda wav: (calls.append(1) or wav, 1.0))
    systems = [codec_system(FakeCodec()), peer]
    report.evaluate_files(files, systems, RATE, lsd, path)

    def broken(wav):
        raise KeyboardInterrupt

    systems[0] = System("APCodec 6 kbps", "new", broken)
    with pytest.raises(KeyboardInterrupt):
        report.evaluate_files(files, systems, RATE, lsd, path)
    systems[0] = codec_system(FakeCodec(weights_sha256="newer"))
    report.evaluate_files(files, systems, RATE, lsd, path)
    assert len(calls) == 3


def test_a_file_of_another_rate_is_refused(files, lsd, tmp_path):
    write_audio(tmp_path / "a2.wav", torch.zeros(1, 100), 44100)
    with pytest.raises(AudioFileError, match=r"a2.wav has 1 channels at 44100"):
        report.evaluate_files(
            files, [codec_system(FakeCodec())], RATE, lsd, tmp_path / "r.csv"
        )


def test_codebooks_are_counted_over_all_files(files):
    usage, perplexity, frames = report.measure_codebooks(files, FakeCodec())
    assert frames == 3 * 38
    # The stand-in counts up in steps of 4 codebooks, the same in each file.
    assert usage.tolist() == pytest.approx([38 / 1024] * 4)
    assert perplexity.tolist() == pytest.approx([38] * 4, rel=1e-4)


def test_many_speakers_are_counted_not_named():
    files = {str(number): {"speaker": str(number)} for number in range(5)}
    groups = report.groups_by_speaker(files, {"x": {"speaker": "0"}})
    assert groups["0"] == "known speaker (0)"
    assert groups["3"] == "unseen speakers (4)"


def test_the_command_writes_tables_and_pictures(
    files, tmp_path, monkeypatch, capsys
):
    class Loaded:
        from_hparams = staticmethod(lambda source: FakeCodec())

    monkeypatch.setattr(inference, "APCodec", Loaded)
    for name, content in (
        ("test.json", files),
        ("train.json", {"x": {"speaker": "anna"}}),
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
        assert f"| {name} 3 kbps | 3.04 | 0.602 |" in text
        assert f"### codebooks of {name}: 114 token frames" in text
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "means.md",
        "per_file.csv",
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

    monkeypatch.setattr(
        inference, "APCodec", type("Loaded", (), {"from_hparams": load})
    )
    (tmp_path / "test.json").write_text(json.dumps(files))
    arguments = [str(tmp_path / "test.json"), str(tmp_path / "out")]
    assert report.main([*arguments, "--model", *models]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "not JSON", "[]", "{}"])
def test_a_bad_manifest_is_one_line(content, tmp_path, capsys):
    path = tmp_path / "test.json"
    if content is not None:
        path.write_text(content)
    assert report.main([str(path), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(path) in error
    assert not (tmp_path / "out").exists()
