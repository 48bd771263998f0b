"""Manifests: the cache and damaged files."""

import json
import os

import numpy as np
import pytest
import soundfile

from speechbrain_apcodec.training import manifests
from speechbrain_apcodec.training.manifests import (
    cache_audio,
    prepare_manifests,
)
from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError


def noise(num_samples, seed=0, level=0.1):
    generator = np.random.default_rng(seed)
    return level * generator.standard_normal(num_samples)


def low_passed(num_samples, sample_rate, cutoff, seed=0):
    spectrum = np.fft.rfft(noise(num_samples, seed))
    spectrum[np.fft.rfftfreq(num_samples, 1 / sample_rate) > cutoff] = 0
    return np.fft.irfft(spectrum, num_samples)


def write(path, wav, sample_rate=16000, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wav, sample_rate, **kwargs)
    return path


def prepare(splits, folder, **options):
    """Prepare at 16 kHz; return the entries of each split."""
    paths = prepare_manifests(
        splits, folder / "save", folder / "cache", 16000, **options
    )
    return {
        split: json.loads(p.read_text("utf-8")) for split, p in paths.items()
    }


@pytest.fixture
def conversions(monkeypatch):
    """List the sources that are really converted."""
    sources = []
    convert = manifests._convert

    def spy(source, *args):
        sources.append(source.name)
        return convert(source, *args)

    monkeypatch.setattr(manifests, "_convert", spy)
    return sources


def test_cache_holds_mono_float_at_the_codecs_rate(tmp_path):
    left = low_passed(44100, 44100, 5000, seed=1)
    right = low_passed(44100, 44100, 5000, seed=2)
    source = write(tmp_path / "s.flac", np.stack([left, right], 1), 44100)
    entry = cache_audio(source, tmp_path / "cache", 48000)

    info = soundfile.info(entry["wav"])
    assert (info.samplerate, info.channels) == (48000, 1)
    assert info.subtype == "FLOAT"
    wav, _ = soundfile.read(entry["wav"])
    assert len(wav) == entry["num_samples"] == 48000
    assert entry["peak"] == pytest.approx(np.abs(wav).max())
    assert abs(entry["band_hz"] - 5000) <= 300
    # The same sound: every 160th sample at 48 kHz is every 147th at 44.1.
    assert wav[1600:-1600:160] == pytest.approx(
        ((left + right) / 2)[1470:-1470:147], abs=2e-3
    )


def test_band_never_exceeds_the_codecs(tmp_path):
    source = write(tmp_path / "a.wav", noise(48000), 48000)
    assert cache_audio(source, tmp_path / "c", 16000)["band_hz"] == 8000


@pytest.mark.parametrize(
    ("suffix", "kwargs"),
    [
        (".wav", {"subtype": "PCM_24"}),
        (".flac", {}),
        (".ogg", {"format": "OGG", "subtype": "VORBIS"}),
        (".opus", {"format": "OGG", "subtype": "OPUS"}),
        (".mp3", {}),
    ],
)
def test_every_format_is_read(tmp_path, suffix, kwargs):
    wav = low_passed(24000, 48000, 3000)
    source = write(tmp_path / f"a{suffix}", wav, 48000, **kwargs)
    entry = cache_audio(source, tmp_path / "cache", 24000)
    cached, _ = soundfile.read(entry["wav"])
    # MP3 adds silence at the ends; the sound's energy stays.
    assert np.sum(cached**2) * 2 == pytest.approx(np.sum(wav**2), rel=0.1)


def test_cache_is_not_redone(tmp_path, conversions):
    source = write(tmp_path / "a.wav", noise(1000))
    first = cache_audio(source, tmp_path / "cache", 8000)
    assert cache_audio(source, tmp_path / "cache", 8000) == first
    assert conversions == ["a.wav"]
    cache_audio(source, tmp_path / "cache", 16000)
    assert conversions == ["a.wav", "a.wav"]


def test_changed_source_is_redone(tmp_path, conversions):
    source = write(tmp_path / "a.wav", noise(1000))
    cache_audio(source, tmp_path / "cache", 16000)
    write(source, noise(1000, seed=1, level=0.2))
    os.utime(source, ns=(1, 1))
    entry = cache_audio(source, tmp_path / "cache", 16000)
    assert len(conversions) == 2
    assert entry["peak"] == pytest.approx(
        np.abs(soundfile.read(source)[0]).max()
    )


@pytest.mark.parametrize("damage", ["cut", "removed", "no record"])
def test_damaged_cache_entry_is_redone(tmp_path, conversions, damage):
    source = write(tmp_path / "a.wav", noise(1000))
    first = cache_audio(source, tmp_path / "cache", 16000)
    (record,) = (tmp_path / "cache").rglob("*.json")
    wav = record.with_suffix(".wav")
    if damage == "cut":
        wav.write_bytes(wav.read_bytes()[:-100])
    elif damage == "removed":
        wav.unlink()
    else:
        record.write_text('{"half a rec')
    assert cache_audio(source, tmp_path / "cache", 16000) == first
    assert len(conversions) == 2


def corpus(folder):
    """Write four good and four bad files; return them as utterances."""
    names = ["good0", "good1", "good2", "good3"]
    for number, name in enumerate(names):
        write(folder / f"{name}.wav", noise(800, seed=number))
    (folder / "empty.wav").write_bytes(b"")
    write(folder / "nothing.wav", np.zeros(0))
    (folder / "corrupt.flac").write_bytes(b"fLaC, but not really")
    wav = noise(800)
    wav[400] = np.nan
    write(folder / "nan.wav", wav, subtype="FLOAT")
    files = sorted(folder.glob("*.*"))
    return [{"id": file.stem, "source": str(file)} for file in files]


BAD = ("empty.wav", "nothing.wav", "corrupt.flac", "nan.wav")


def test_bad_files_are_named_together(tmp_path):
    items = corpus(tmp_path / "data")
    items.append({"id": "gone", "source": str(tmp_path / "data/gone.wav")})
    with pytest.raises(AudioFileError) as caught:
        prepare({"train": items, "valid": []}, tmp_path)
    message = str(caught.value)
    listed = (tmp_path / "save/bad_files.txt").read_text()
    assert message.startswith("5 of 9")
    assert "\n" not in message
    for name in (*BAD, "gone.wav"):
        assert name in message
        assert name in listed
    assert "good" not in listed
    assert not list((tmp_path / "save").glob("*.json"))


def test_bad_files_can_be_skipped(tmp_path, caplog):
    items = corpus(tmp_path / "data")
    good = [item for item in items if item["id"].startswith("good")]
    bad = [item for item in items if item not in good]
    splits = {"train": good[:2] + bad, "valid": good[2:]}
    content = prepare(splits, tmp_path, skip_bad_files=True)
    assert set(content["train"]) == {"good0", "good1"}
    for name in BAD:
        assert name in caplog.text


def test_many_bad_files_are_counted(tmp_path):
    items = [
        {"id": str(n), "source": str(tmp_path / f"gone{n}.wav")}
        for n in range(12)
    ]
    with pytest.raises(AudioFileError, match="12 of 12") as caught:
        prepare({"train": items}, tmp_path)
    assert str(caught.value).count("gone") == 10
    listed = (tmp_path / "save/bad_files.txt").read_text()
    assert len(listed.splitlines()) == 12


def test_interrupted_preparation_goes_on(tmp_path, conversions, monkeypatch):
    items = []
    for name in "abcd":
        file = write(tmp_path / f"{name}.wav", noise(500))
        items.append({"id": name, "source": str(file)})
    splits = {"train": items[:3], "valid": items[3:]}
    spy = manifests._convert

    def interrupt(source, *args):
        if source.name == "c.wav":
            raise KeyboardInterrupt
        return spy(source, *args)

    monkeypatch.setattr(manifests, "_convert", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(splits, tmp_path, num_jobs=1)
    assert not (tmp_path / "save").exists()
    done = set(conversions)
    assert {"a.wav", "b.wav"} <= done

    monkeypatch.setattr(manifests, "_convert", spy)
    prepare(splits, tmp_path, num_jobs=1)
    assert sorted(conversions) == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert not list(tmp_path.rglob(".*.wav"))


def test_manifest_has_the_same_columns_for_every_item(tmp_path):
    file = write(tmp_path / "a.wav", noise(500))
    items = [
        {"id": "a", "source": str(file), "speaker": "s"},
        {"id": "b", "source": str(file), "text": "ä"},
    ]
    splits = {"train": items, "valid": [{"id": "c", "source": str(file)}]}
    train, valid = prepare(splits, tmp_path).values()
    assert set(train["a"]) == set(train["b"]) == set(valid["c"])
    assert (train["a"]["speaker"], train["b"]["text"]) == ("s", "ä")


def test_shared_ids_and_empty_splits_are_refused(tmp_path):
    file = write(tmp_path / "a.wav", noise(500))
    item = {"id": "a", "source": str(file)}
    with pytest.raises(ConfigurationError, match="'a' stands for more"):
        prepare({"train": [item, item]}, tmp_path)
    with pytest.raises(ConfigurationError, match="valid split"):
        prepare({"train": [item], "valid": []}, tmp_path)


def test_antiphase_stereo_is_no_silence(tmp_path):
    wav = noise(4800)
    source = write(tmp_path / "a.wav", np.stack([wav, -wav], 1), 48000)
    assert cache_audio(source, tmp_path / "c", 48000)["peak"] > 0.1


@pytest.mark.parametrize("fault", ["half", "integers"])
def test_what_is_no_whole_recording_is_not_trained_on(tmp_path, fault):
    level = 0.1 if fault == "half" else 3276.8
    source = write(
        tmp_path / "a.wav", noise(4800, level=level), 48000, subtype="FLOAT"
    )
    if fault == "half":
        source.write_bytes(source.read_bytes()[:9000])
    with pytest.raises(AudioFileError, match="truncated|divide 16-bit"):
        cache_audio(source, tmp_path / "c", 48000)


def test_names_that_are_no_utf8_are_prepared(tmp_path):
    good = tmp_path / os.fsdecode(b"caf\xe9.wav")
    write(tmp_path / "a.wav", noise(4800)).rename(good)
    bad = tmp_path / os.fsdecode(b"bad\xe9.wav")
    bad.write_text("no audio")
    items = [{"id": path.stem, "source": str(path)} for path in (good, bad)]
    splits = {"train": items, "valid": [{**items[0], "id": "b"}]}
    made = prepare(splits, tmp_path, skip_bad_files=True)
    assert list(made["train"]) == [good.stem]
    assert "bad\\xe9.wav" in (tmp_path / "save/bad_files.txt").read_text()
