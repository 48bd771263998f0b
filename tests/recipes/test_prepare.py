"""Each recipe's preparation, on a miniature corpus laid out like the real one.

The arguments are those of the recipe's own `dataset.yaml`.
"""

import importlib.util
import json
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError
from speechbrain_apcodec.utils.hparams import load_hparams

RECIPES = Path(__file__).parents[2] / "recipes"
# The YAML builds a model too, which nothing here needs.
SMALL = {
    "channels": 2,
    "hidden_channels": 2,
    "num_blocks": 1,
    "mrd_channels": 2,
}
TEST_SPEAKERS = {"p360", "p361", "p362", "p363", "p364", "p374", "p376", "s5"}


def load(dataset):
    """Import a recipe's list of files."""
    folder = RECIPES / dataset / "codec"
    (path,) = folder.glob("*_prepare.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(dataset, tmp_path, data_folder, rate=16000, **changes):
    """Prepare a recipe's files with the arguments of its YAML."""
    overrides = {
        "data_folder": str(data_folder),
        "output_folder": str(tmp_path / "run"),
        "cache_folder": str(tmp_path / "cache"),
        "sample_rate": rate,
        "dataset": changes,
    }
    hparams = load_hparams(
        RECIPES.parent / "hparams" / "base.yaml",
        overrides | SMALL,
        [RECIPES / dataset / "codec" / "hparams" / "dataset.yaml"],
    )
    recipe = load(dataset)
    name = recipe.__name__.removesuffix("_prepare")
    list_files = getattr(recipe, f"list_{name}")
    hparams["prepare"](list_files(**hparams["dataset"]))
    manifests = {}
    for split in ("train", "valid", "test"):
        path = Path(hparams[f"{split}_manifest"])
        manifests[split] = json.loads(path.read_text())
    for item in (i for items in manifests.values() for i in items.values()):
        info = soundfile.info(item["wav"])
        assert (info.samplerate, info.channels) == (rate, 1)
        assert info.frames == item["num_samples"]
    return manifests


def speakers(manifest):
    return {item["speaker"] for item in manifest.values()}


def write_audio(path, rate, num_samples=400):
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    wav = 0.1 * np.random.default_rng(seed).standard_normal(num_samples)
    soundfile.write(path, wav, rate)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def vctk(tmp_path):
    folder = tmp_path / "VCTK"
    for speaker in ("p225", "p226", "p280", *sorted(TEST_SPEAKERS)):
        for number in range(1, 4):
            name = f"{speaker}_{number:03}"
            audio = folder / "wav48_silence_trimmed" / speaker
            write_audio(audio / f"{name}_mic1.flac", 48000)
            if speaker != "p280":
                write_audio(audio / f"{name}_mic2.flac", 48000)
            write_text(folder / f"txt/{speaker}/{name}.txt", f"Say {name}.\n")
    return folder


def test_vctk(tmp_path, vctk):
    first = prepare("VCTK", tmp_path, vctk, rate=48000)
    assert speakers(first["test"]) == TEST_SPEAKERS
    assert len(first["test"]) == 8 * 3
    assert speakers(first["train"]) == {"p225", "p226"}
    assert speakers(first["valid"]) < {"p225", "p226"}
    assert not set(first["train"]) & set(first["valid"])
    assert len(first["train"]) + len(first["valid"]) == 2 * 3
    item = first["test"]["s5_002"]
    assert item["text"] == "Say s5_002."
    assert item["source"].endswith("s5_002_mic2.flac")
    assert prepare("VCTK", tmp_path, vctk, 48000) == first


def test_vctk_microphone(tmp_path, vctk):
    splits = prepare("VCTK", tmp_path, vctk, microphone="mic1")
    assert "p280" in speakers(splits["train"])
    with pytest.raises(ConfigurationError, match="microphone"):
        prepare("VCTK", tmp_path, vctk, microphone="mic3")


def test_vctk_without_test_speakers(tmp_path):
    path = tmp_path / "V/wav48_silence_trimmed/p225/p225_001_mic2.flac"
    write_audio(path, 48000)
    with pytest.raises(ConfigurationError, match="0 of the test speakers"):
        prepare("VCTK", tmp_path, tmp_path / "V")


def test_libritts(tmp_path):
    subsets = {
        "train-clean-100": ["103", "1034"],
        "train-clean-360": ["100"],
        "dev-clean": ["84"],
        "test-clean": ["61"],
        "train-other-500": ["20"],
    }
    folder = tmp_path / "LibriTTS"
    for subset, names in subsets.items():
        for speaker in names:
            stem = f"{speaker}_7_000001_000000"
            chapter = folder / subset / speaker / "7"
            write_audio(chapter / f"{stem}.wav", 24000)
            write_text(chapter / f"{stem}.normalized.txt", f"By {speaker}.")
    splits = prepare("LibriTTS", tmp_path, folder, 24000)
    assert speakers(splits["train"]) == {"103", "1034", "100"}
    assert speakers(splits["valid"]) == {"84"}
    assert speakers(splits["test"]) == {"61"}
    assert splits["test"]["61_7_000001_000000"]["text"] == "By 61."

    splits = prepare(
        "LibriTTS",
        tmp_path,
        folder,
        24000,
        train_subsets=["train-other-500"],
    )
    assert speakers(splits["train"]) == {"20"}
    with pytest.raises(ConfigurationError, match="no train-other-100"):
        prepare(
            "LibriTTS",
            tmp_path,
            folder,
            train_subsets=["train-other-100"],
        )


def speechbrain_rule(names, seed):
    """Split as SpeechBrain's LJSpeech recipes do, written independently."""
    random.seed(seed)
    sessions = []
    for name in names:
        if not sessions or sessions[-1][0][:5] != name[:5]:
            sessions.append([])
        sessions[-1].append(name)
    lengths = [len(session) for session in sessions]
    splits = {}
    for split, ratio in (("train", 90), ("valid", 5), ("test", 5)):
        splits[split] = []
        for session, length in zip(sessions, lengths, strict=True):
            if split == "train":
                random.shuffle(session)
            count = int(length * ratio / 100)
            if split == "test":
                count = len(session)
            splits[split].extend(session[:count])
            del session[:count]
    return splits


def test_ljspeech(tmp_path):
    folder = tmp_path / "LJSpeech-1.1"
    names = [f"LJ001-{n:04}" for n in range(1, 31)]
    names += [f"LJ002-{n:04}" for n in range(1, 21)]
    for name in names:
        write_audio(folder / f"wavs/{name}.wav", 22050)
    lines = [f'{name}|"Raw {name}|In words {name}' for name in names]
    write_text(folder / "metadata.csv", "\n".join(lines) + "\n")
    splits = prepare("LJSpeech", tmp_path, folder)
    expected = speechbrain_rule(names, 1234)
    assert {name: list(splits[name]) for name in splits} == expected
    assert [len(splits[name]) for name in expected] == [45, 2, 3]
    name = expected["test"][0]
    assert splits["test"][name]["text"] == f"In words {name}"

    manifest = tmp_path / "ljspeech.json"
    load("LJSpeech").write_manifest(folder, manifest)
    listed = json.loads(manifest.read_text())
    for split, items in expected.items():
        assert [n for n in listed if listed[n]["split"] == split] == items
    assert listed[name]["text"] == f"In words {name}"
    assert Path(listed[name]["wav"]) == folder / f"wavs/{name}.wav"

    (folder / f"wavs/{name}.wav").unlink()
    with pytest.raises(AudioFileError, match=f"1 of 50.*{name}"):
        prepare("LJSpeech", tmp_path, folder)


def test_audio_folder(tmp_path):
    folder = tmp_path / "audio"
    for speaker in "abcdefghij":
        for number in range(2):
            write_audio(folder / speaker / f"{number}.flac", 44100)
    splits = prepare("AudioFolder", tmp_path, folder, 24000)
    found = [speakers(splits[name]) for name in splits]
    assert sorted(len(names) for names in found) == [1, 1, 8]
    assert set.union(*found) == set("abcdefghij")
    by_file = prepare(
        "AudioFolder",
        tmp_path,
        folder,
        24000,
        split_unit="file",
        valid_share=0.25,
    )
    sizes = {name: len(items) for name, items in by_file.items()}
    assert sizes == {"train": 14, "valid": 5, "test": 1}


def test_audio_manifest_with_splits(tmp_path):
    rows = ["path,split,speaker,text"]
    for number, split in enumerate(["train", "train", "dev", "test", "music"]):
        write_audio(tmp_path / f"data/{split}/{number}.ogg", 44100, 4000)
        rows.append(f"data/{split}/{number}.ogg,{split},s{number},Hi {number}")
    write_text(tmp_path / "list.csv", "\n".join(rows))
    splits = prepare("AudioFolder", tmp_path, tmp_path / "list.csv")
    assert speakers(splits["train"]) == {"s0", "s1"}
    assert speakers(splits["valid"]) == {"s2"}
    assert speakers(splits["test"]) == {"s3"}
    assert splits["test"]["data_test_3"]["text"] == "Hi 3"


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("VCTK", "wav48_silence_trimmed"),
        ("LibriTTS", "train-clean-100"),
        ("LJSpeech", "metadata.csv"),
        ("AudioFolder", "audio"),
    ],
)
def test_wrong_folders_are_named(tmp_path, dataset, expected):
    for folder in (tmp_path / "typo", tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            prepare(dataset, tmp_path, folder)
        assert str(folder) in str(caught.value)
        assert expected in str(caught.value)
