"""Recordings: what is found, how it is read, how it is grouped."""

import json

import pytest
import torch

from speechbrain_apcodec.evaluation.recordings import (
    choose_examples,
    describe_conversions,
    describe_recordings,
    find_recordings,
    groups_by_speaker,
    read_mono,
    scored_bands,
)
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    ConfigurationError,
)


def noise(samples, channels=1, cutoff=1.0):
    """White noise, empty above a share of Nyquist."""
    generator = torch.Generator().manual_seed(0)
    wav = 0.1 * torch.randn(channels, samples, generator=generator)
    spectrum = torch.fft.rfft(wav)
    spectrum[:, int(cutoff * spectrum.shape[1]) :] = 0
    return torch.fft.irfft(spectrum, samples)


def list_recordings(*arguments, **options):
    return describe_recordings(find_recordings(*arguments, **options))


@pytest.fixture
def folder(tmp_path):
    """A narrow stereo file in a subfolder, a silent one, and no audio."""
    folder = tmp_path / "speech"
    (folder / "anna").mkdir(parents=True)
    write_audio(folder / "anna" / "a 1.wav", noise(44100, 2, 0.5), 44100)
    write_audio(folder / "b.flac", torch.zeros(1, 800), 16000)
    (folder / "notes.txt").write_text("no audio")
    return folder


def test_a_folder_is_searched_and_its_files_are_measured(folder):
    recordings = list_recordings(folder)
    assert list(recordings) == ["anna_a 1", "b"]
    narrow, silent = recordings.values()
    assert narrow["wav"] == str((folder / "anna" / "a 1.wav").resolve())
    assert (narrow["sample_rate"], narrow["channels"]) == (44100, 2)
    assert abs(narrow["band_hz"] - 11025) <= 250
    assert narrow["speaker"] == "anna"
    assert silent["band_hz"] == 8000


def test_what_an_evaluation_wrote_is_no_recording(folder):
    (folder / "out" / "sounds").mkdir(parents=True)
    write_audio(folder / "out" / "sounds" / "x.wav", noise(800), 16000)
    assert len(list_recordings(folder)) == 3
    assert len(list_recordings(folder, without=[folder / "out"])) == 2


def test_a_manifest_keeps_its_columns_and_its_band(folder, tmp_path):
    path = tmp_path / "test.json"
    entry = {"wav": "speech/b.flac", "band_hz": 5000, "speaker": "bert"}
    path.write_text(json.dumps({"x": entry}))
    recordings = list_recordings(path)
    assert recordings["x"]["band_hz"] == 5000
    assert recordings["x"]["speaker"] == "bert"
    assert recordings["x"]["wav"] == str((folder / "b.flac").resolve())


def test_one_file_is_a_list_of_one(folder):
    assert list(list_recordings(folder / "b.flac")) == ["b"]


@pytest.mark.parametrize("fault", ["missing", "empty folder", "text", "twins"])
def test_faults_are_named(folder, fault, tmp_path):
    path = folder
    if fault == "missing":
        path = tmp_path / "nothing"
    elif fault == "empty folder":
        path = tmp_path / "empty"
        path.mkdir()
    elif fault == "text":
        (folder / "c.wav").write_text("no audio")
    else:
        write_audio(folder / "b.wav", noise(800), 16000)
    with pytest.raises(APCodecError, match=str(path)):
        list_recordings(path)


def test_stereo_is_mixed_and_other_rates_are_resampled(folder):
    recordings = list_recordings(folder)
    wav = read_mono(recordings["anna_a 1"], 44100)
    stereo, _ = read_audio(recordings["anna_a 1"]["wav"])
    assert torch.allclose(wav, (stereo[0] + stereo[1]) / 2)
    assert read_mono(recordings["anna_a 1"], 48000).shape == (48000,)
    text = describe_conversions(recordings, 44100)
    assert "1 of 2 files were resampled to 44100 Hz (from 16000 Hz)" in text
    assert "1 of 2 files were mixed to mono" in text


def test_nothing_is_said_of_files_as_they_should_be():
    entry = {"sample_rate": 48000, "channels": 1}
    assert describe_conversions({"a": entry}, 48000) == ""


def test_no_band_reaches_beyond_the_model():
    files = {"a": {"band_hz": 24000}, "b": {"band_hz": 6000}}
    groups = dict.fromkeys(files, "all")
    assert scored_bands(files, 16000, groups) == {"a": 8000, "b": 6000}


def test_many_speakers_are_counted_not_named():
    files = {str(number): {"speaker": str(number)} for number in range(5)}
    groups = groups_by_speaker(files, [{"speaker": "0"}])
    assert groups["0"] == "known speaker (0)"
    assert groups["3"] == "unseen speakers (4)"


def test_groups_need_speakers():
    with pytest.raises(ConfigurationError, match="x.wav has no speaker"):
        groups_by_speaker({"x": {"wav": "x.wav"}}, [{"speaker": "0"}])


@pytest.mark.parametrize(
    ("sizes", "limit", "counts"),
    [((100,), 8, [8]), ((3,), 8, [3]), ((50, 205), 8, [4, 4]),
     ((2, 50), 8, [2, 6]), ((5, 5, 5), 2, [1, 1, 1])],
)  # fmt: skip
def test_examples_are_spread_over_the_groups(sizes, limit, counts):
    groups = {
        f"{group}-{number:03}": group
        for group, size in enumerate(sizes)
        for number in range(size)
    }
    chosen = choose_examples(groups, limit)
    assert len(set(chosen)) == len(chosen)
    for group, count in enumerate(counts):
        assert sum(groups[name] == group for name in chosen) == count
        assert f"{group}-000" in chosen
