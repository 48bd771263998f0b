"""Coding and scoring files: what is done, what is kept, what is not redone."""

import pytest
import torch

from speechbrain_apcodec.evaluation.evaluate import (
    evaluate_files,
    measure_codebooks,
    sound_path,
)
from speechbrain_apcodec.evaluation.recordings import groups_by_speaker
from speechbrain_apcodec.evaluation.scores import choose_metrics
from speechbrain_apcodec.evaluation.systems import System, codec_system
from speechbrain_apcodec.evaluation.tables import read_rows
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from tests.support.evaluation import FakeCodec, write_recordings

RATE = 48000


@pytest.fixture
def files(tmp_path):
    return write_recordings(tmp_path)


@pytest.fixture
def lsd():
    return choose_metrics(["lsd"])[0]


def test_a_row_for_each_file_and_system(files, lsd, tmp_path):
    systems = [codec_system(FakeCodec()), codec_system(FakeCodec(), 2)]
    path = tmp_path / "rows.csv"
    rows = evaluate_files(files, systems, RATE, lsd, path)
    assert [(row["id"], row["system"]) for row in rows] == [
        (name, f"APCodec {kbps} kbps") for name in files for kbps in (6, 3)
    ]
    for row in rows:
        assert row["lsd"] == pytest.approx(0.602, abs=0.001)
        assert row["seconds"] == 0.25 and row["lag"] == 0
        assert row["rtf"] > 0
    assert read_rows(path) == rows


def test_a_group_is_scored_up_to_its_files_bands(files, lsd, tmp_path):
    def brickwall(wav):
        spectrum = torch.fft.rfft(wav)
        spectrum[len(spectrum) * 17 // 24 :] = 0
        return torch.fft.irfft(spectrum, len(wav)), 0.0

    rows = evaluate_files(
        files,
        [System("17 kHz", "1", brickwall)],
        RATE,
        lsd,
        tmp_path / "rows.csv",
        groups_by_speaker(files, [{"speaker": "anna"}]),
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
    rows = evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    again = evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    assert again == rows and model.decoded == 3
    other = FakeCodec(gain=0.1, weights_sha256="bb")
    rows = evaluate_files(files, [codec_system(other)], RATE, lsd, path)
    assert [row["lsd"] for row in rows] == pytest.approx([2.0] * 3, abs=0.01)
    mel, _ = choose_metrics(["mel"])
    rows = evaluate_files(files, [codec_system(other)], RATE, mel, path)
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
        evaluate_files(files, [system], RATE, lsd, path)
    assert [row["id"] for row in read_rows(path)] == ["a1", "a2"]
    rows = evaluate_files(files, [system], RATE, lsd, path)
    assert [row["id"] for row in rows] == ["a1", "a2", "b1"]
    assert len(calls) == 4


def test_peers_rows_outlive_an_interrupted_run_of_a_new_model(
    files, lsd, tmp_path
):
    path = tmp_path / "rows.csv"
    calls = []
    peer = System("peer", "1", lambda wav: (calls.append(1) or wav, 1.0))
    systems = [codec_system(FakeCodec()), peer]
    evaluate_files(files, systems, RATE, lsd, path)

    def broken(wav):
        raise KeyboardInterrupt

    systems[0] = System("APCodec 6 kbps", "new", broken)
    with pytest.raises(KeyboardInterrupt):
        evaluate_files(files, systems, RATE, lsd, path)
    systems[0] = codec_system(FakeCodec(weights_sha256="newer"))
    evaluate_files(files, systems, RATE, lsd, path)
    assert len(calls) == 3


def test_a_file_that_changed_is_done_again(files, lsd, tmp_path):
    path = tmp_path / "rows.csv"
    model = FakeCodec()
    evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    write_audio(files["a2"]["wav"], 0.1 * torch.randn(1, 13000), RATE)
    rows = evaluate_files(files, [codec_system(model)], RATE, lsd, path)
    assert model.decoded == 4
    assert [row["seconds"] * RATE for row in rows] == [12000, 13000, 12000]


def test_sounds_of_examples_are_kept_and_come_again(files, lsd, tmp_path):
    path = tmp_path / "rows.csv"
    model = FakeCodec(gain=0.5)
    arguments = files, [codec_system(model)], RATE, lsd, path
    rows = evaluate_files(*arguments)
    assert not (tmp_path / "sounds").exists()
    # The rows are known, the sounds are not.
    again = evaluate_files(*arguments, examples=["a1", "b1"])
    assert model.decoded == 5
    sounds = [sound_path(tmp_path, row) for row in again if row["id"] != "a2"]
    assert sorted(sounds) == sorted((tmp_path / "sounds").iterdir())
    original = read_audio(files["a1"]["wav"])[0]
    kept, rate = read_audio(sounds[0])
    assert rate == RATE
    assert torch.allclose(kept, 0.5 * original, atol=1e-4)
    evaluate_files(*arguments, examples=["a1", "b1"])
    assert model.decoded == 5
    sounds[0].unlink()
    evaluate_files(*arguments, examples=["a1", "b1"])
    assert model.decoded == 6 and sounds[0].exists()
    assert [row["lsd"] for row in rows] == [row["lsd"] for row in again]


def test_sounds_of_like_names_have_files_of_their_own():
    rows = [
        {"id": name, "system": system, "settings": settings}
        for name, system, settings in (
            ("a b", "x", "1"),
            ("a-b", "x", "2"),
            ("../etc", "x" * 300, "3"),
        )
    ]
    paths = {sound_path("out", row) for row in rows}
    assert len(paths) == 3
    assert all(path.parent.as_posix() == "out/sounds" for path in paths)
    assert all(len(path.name) < 255 for path in paths)


def test_codebooks_are_counted_over_all_files(files):
    usage, perplexity, frames = measure_codebooks(files, FakeCodec())
    assert frames == 3 * 38
    # The stand-in counts up in steps of 4 codebooks, the same in each file.
    assert usage.tolist() == pytest.approx([38 / 1024] * 4)
    assert perplexity.tolist() == pytest.approx([38] * 4, rel=1e-4)
