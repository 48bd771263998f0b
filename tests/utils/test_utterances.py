"""Lists of audio files from manifests and folders, and their splits."""

import json

import pytest

from speechbrain_apcodec.utils.atomic import temporary_beside
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    identity_of,
    read_utterances,
    split_by_column,
    split_by_seed,
)


def test_csv_manifest(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "path,split,speaker,text\n"
        'x/a.flac,train,anna,"Well, yes."\n'
        f"{tmp_path}/b.wav,dev,,\n",
        encoding="utf-8",
    )
    first, second = read_utterances(path)
    assert first == {
        "id": "x_a",
        "source": str(tmp_path / "x/a.flac"),
        "split": "train",
        "speaker": "anna",
        "text": "Well, yes.",
    }
    assert second["source"] == str(tmp_path / "b.wav")


def test_speechbrain_manifests(tmp_path):
    path = tmp_path / "train.json"
    content = {"u1": {"wav": "{data_root}/a.wav", "spk_id": "7"}}
    path.write_text(json.dumps(content))
    assert read_utterances(path) == [
        {"id": "u1", "source": str(tmp_path / "a.wav"), "spk_id": "7"}
    ]
    path = tmp_path / "train.csv"
    path.write_text("ID,duration,wav\nu2,1.5,a.wav\n")
    (utterance,) = read_utterances(path)
    assert utterance["id"] == "u2"
    assert utterance["source"] == str(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "file,split\na.wav,train\n", "`path` or `wav`"),
        ("a.csv", "", "names no audio"),
        ("a.json", "[1, 2]", "cannot be read as a manifest"),
        ("a.json", "{", "cannot be read as a manifest"),
        ("a.json", '{"u": {"wav": {"file": "a.wav"}}}', "entry 1 is {"),
        ("a.json", '{"u": {"wav": 3}}', "entry 1 is 3: give a path"),
    ],
)
def test_broken_manifests_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        read_utterances(tmp_path / name)


def test_folder_search(tmp_path):
    touch(tmp_path, "b/2.WAV", "a/1.flac", "b/c/3.ogg", "notes.txt")
    utterances = find_utterances(tmp_path)
    assert [item["id"] for item in utterances] == ["a_1", "b_2", "b_c_3"]
    assert [item["speaker"] for item in utterances] == ["a", "b", "c"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigurationError, match="holds no audio file"):
        find_utterances(tmp_path / "none")


def test_ids_are_single_file_names():
    assert identity_of("/data/../x/a.b.wav") == "data_x_a.b"


def test_unknown_splits_are_left_out_and_named(caplog):
    rows = [
        {"id": "a", "split": "Train"},
        {"id": "b", "split": "music"},
        {"id": "c", "split": "validation"},
        {"id": "d", "split": "test"},
    ]
    splits = split_by_column(rows)
    ids = {name: [item["id"] for item in splits[name]] for name in splits}
    assert ids == {"train": ["a"], "valid": ["c"], "test": ["d"]}
    assert "1 files of the split 'music'" in caplog.text


def speakers(items):
    return {item["speaker"] for item in items}


def test_seeded_split_keeps_speakers_apart():
    items = [
        {"id": f"{n}", "speaker": f"s{n % 20}", "source": ""}
        for n in range(200)
    ]
    splits = split_by_seed(items, seed=1, valid_share=0.1, test_share=0.1)
    sizes = {name: len(items) for name, items in splits.items()}
    assert sizes == {"train": 160, "valid": 20, "test": 20}
    assert not speakers(splits["train"]) & speakers(splits["valid"])
    assert not speakers(splits["train"]) & speakers(splits["test"])
    assert not speakers(splits["valid"]) & speakers(splits["test"])
    assert split_by_seed(items[::-1], 1, 0.1, 0.1) == splits
    assert split_by_seed(items, 2, 0.1, 0.1) != splits


def test_seeded_split_of_few_speakers():
    items = [{"id": f"{n}", "speaker": f"s{n % 2}"} for n in range(10)]
    with pytest.raises(ConfigurationError, match="split_unit=file"):
        split_by_seed(items, seed=0)
    splits = split_by_seed(items, seed=0, unit="file")
    assert sorted(len(part) for part in splits.values()) == [1, 1, 8]
    uneven = [{"id": f"{n}", "speaker": "abc"[min(n, 2)]} for n in range(9)]
    assert all(split_by_seed(uneven, 0, 0.9, 0.9).values())


def find(folder, **options):
    return [item["id"] for item in find_utterances(folder, **options)]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_every_readable_kind_is_found(tmp_path):
    suffixes = "wav flac ogg oga opus mp3 aiff aif aifc caf w64 rf64 au snd sph"
    touch(tmp_path, *(f"{name}.{name.upper()}" for name in suffixes.split()))
    assert len(find(tmp_path)) == len(suffixes.split())


def test_linked_folders_are_searched_but_not_in_a_circle(tmp_path):
    touch(tmp_path, "data/anna/a.wav", "disk2/bert/b.wav")
    (tmp_path / "data" / "bert").symlink_to(tmp_path / "disk2" / "bert")
    (tmp_path / "data" / "anna" / "again").symlink_to(tmp_path / "data")
    (tmp_path / "disk2" / "bert" / "up").symlink_to(tmp_path / "data")
    assert find(tmp_path / "data") == ["anna_a", "bert_b"]


def test_what_a_kill_left_is_no_recording(tmp_path):
    left, folder = (
        temporary_beside(tmp_path / name) for name in ("b.wav", "c")
    )
    touch(tmp_path, "a.wav", left.name, f"{folder.name}/c.wav")
    assert find(tmp_path) == ["a"]


def test_what_cannot_be_read_is_counted_and_named(tmp_path, caplog):
    touch(tmp_path, "a.wav", "b.m4a", "c/d.M4A", "e.wma", "notes.txt")
    (tmp_path / "gone.flac").symlink_to(tmp_path / "nowhere.flac")
    assert find(tmp_path) == ["a"]
    assert "2 .m4a, 1 .wma, 1 that leads nowhere" in caplog.text
    (tmp_path / "a.wav").unlink()
    with pytest.raises(ConfigurationError, match=r"but 2 .m4a, 1 .wma"):
        find(tmp_path)


def test_only_what_lies_below_is_left_out(tmp_path, caplog):
    touch(tmp_path, "data/a.wav", "data/run/b.wav", "data/decoded.wav")
    data = tmp_path / "data"
    above = [tmp_path, data]
    own = [data / "run", data / "decoded.wav"]
    assert find(data, without=above) == ["a", "decoded", "run_b"]
    assert find(data, without=above + own) == ["a"]
    assert caplog.text == ""
