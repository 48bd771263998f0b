"""Lists of recordings, and the batches that follow from them."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.corpus.batches import (
    Recording,
    batch_key,
    list_recordings,
    make_batches,
)
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.corpus.recordings import write_recordings

LENGTHS = st.lists(st.integers(0, 100), min_size=1, max_size=40)


def recordings(lengths):
    return [
        Recording(str(i), f"name{i}", "", length, {})
        for i, length in enumerate(lengths)
    ]


@given(LENGTHS, st.integers(1, 300), st.randoms())
def test_batches_follow_from_the_lengths_alone(lengths, most, random):
    items = recordings(lengths)
    batches = make_batches(items, most)
    random.shuffle(items)
    assert make_batches(items, most) == batches
    held = [item for batch in batches for item in batch]
    assert sorted(held, key=lambda i: int(i.id)) == recordings(lengths)
    for batch in batches:
        longest = max(item.num_samples for item in batch)
        assert len(batch) == 1 or len(batch) * longest <= most
    keys = {batch_key(batch) for batch in batches}
    assert len(keys) == len(batches)


def test_known_lengths_spare_the_headers(tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,num_samples\nno/such.wav,123\n")
    (item,) = list_recordings(manifest, 48000)
    assert (item.num_samples, item.columns) == (123, {})
    manifest.write_text("path,num_samples\nno/such.wav,many\n")
    with pytest.raises(ConfigurationError, match="not a whole number"):
        list_recordings(manifest, 48000)


def test_lengths_are_at_the_rate_of_the_codec(tmp_path):
    manifest = write_recordings(tmp_path / "corpus", 2, 16000)
    lengths = [i.num_samples for i in list_recordings(manifest, 48000)]
    assert lengths == [
        3 * i.num_samples for i in list_recordings(manifest, 16000)
    ]


@pytest.mark.parametrize(
    ("path", "identity", "name"),
    [
        ("p1/p1_001.v2.wav", "", "p1/p1_001.v2"),
        ("p1/p1_001.wav", "one", "p1/p1_001"),
        ("/elsewhere/p1.wav", "p1.a", "p1.a"),
        ("../p1.wav", "a/b", "a_b"),
        ("../../etc/x.wav", "../x", ".._x"),
    ],
)
def test_names_stay_below_the_folder(tmp_path, path, identity, name):
    manifest = tmp_path / "list.csv"
    with manifest.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["id", "path", "num_samples"], [identity, path, 1]]
        )
    (item,) = list_recordings(manifest, 48000)
    assert item.name == name


def test_two_recordings_of_one_name_are_refused(tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "id,path,num_samples\n1,a.wav,5\n2,a.flac,5\n3,b.wav,5\n"
    )
    with pytest.raises(ConfigurationError, match="2 recordings have the name"):
        list_recordings(manifest, 48000)
