"""Datasets of crops, and the shares of full-band audio and of sources."""

import json

import numpy as np
import pytest
import soundfile

from speechbrain_apcodec.training.data import (
    full_band_sampler,
    make_dataset,
    source_sampler,
)
from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError
from tests.support.ramps import (
    centre_crop,
    counter_at,
    random_crop,
    read,
    start_of,
    write_manifest,
)


def test_wrong_files_are_named(tmp_path):
    manifest = write_manifest(tmp_path, [5000, 600])
    content = read(manifest)
    soundfile.write(content["item0"]["wav"], np.zeros(5000), 8000)
    content["item1"]["num_samples"] = 9999
    manifest.write_text(json.dumps(content))
    dataset = make_dataset(manifest, centre_crop())
    with pytest.raises(AudioFileError, match=r"0\.wav.*8000 Hz"):
        dataset[0]
    with pytest.raises(AudioFileError, match=r"1\.wav.*prepare the data"):
        dataset[1]


def test_unprepared_manifests_are_refused(tmp_path):
    crop = centre_crop()
    path = tmp_path / "train.json"
    with pytest.raises(ConfigurationError, match="no such manifest"):
        make_dataset(path, crop)
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="no items"):
        make_dataset(path, crop)
    path.write_text('{"a": {"wav": "a.wav", "duration": 1.0}}')
    with pytest.raises(ConfigurationError, match="band_hz, num_samples, peak"):
        make_dataset(path, crop)


def sampler_of(manifest, fraction, epoch=1, seed=0, full_band_hz=7200):
    dataset = make_dataset(manifest, centre_crop())
    return full_band_sampler(
        dataset, fraction, full_band_hz, seed, counter_at(epoch)
    )


@pytest.fixture
def mixed(tmp_path):
    bands = [8000, 7200] + [4000] * 14
    return write_manifest(tmp_path, [600] * 16, bands=bands)


@pytest.mark.parametrize("fraction", [0.1, 0.34, 0.5, 0.6])
def test_sampler_gives_full_band_items_their_share(mixed, fraction):
    seen = set()
    for epoch in range(60):
        draws = list(sampler_of(mixed, fraction, epoch))
        assert len(draws) == len(sampler_of(mixed, fraction, epoch))
        assert len(set(draws)) == len(draws), "an item is drawn twice"
        full = np.cumsum([draw < 2 for draw in draws])
        expected = np.arange(1, len(draws) + 1) * fraction
        assert np.abs(full - expected).max() <= 1, "a batch lacks its share"
        seen |= set(draws)
    assert seen == set(range(16))


def test_sampler_is_reproducible_and_follows_the_epoch(mixed):
    for fraction in (0.5, None):
        sampler = sampler_of(mixed, fraction, epoch=3)
        third = list(sampler)
        assert list(sampler) == third
        assert list(sampler_of(mixed, fraction, epoch=3)) == third
        sampler.epoch_counter.current = 4
        assert list(sampler) != third
        assert list(sampler_of(mixed, fraction, epoch=3, seed=1)) != third


def test_sampler_without_fraction_or_choice_shuffles(mixed):
    assert sorted(sampler_of(mixed, None)) == list(range(16))
    all_full = sampler_of(mixed, 0.5, full_band_hz=4000)
    assert sorted(all_full) == list(range(16))


def test_sampler_refuses_what_it_cannot_do(mixed):
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        sampler_of(mixed, 1.5)


def test_without_full_band_audio_the_sampler_warns(mixed, caplog):
    sampler = sampler_of(mixed, 0.5, full_band_hz=9000)
    assert sorted(sampler) == list(range(16))
    assert "No recording reaches 9000 Hz" in caplog.text


def dataset_of_sources(tmp_path, seconds_per_crop=None):
    """Ten short recordings in a folder and two long ones in another."""
    path = write_manifest(tmp_path, [1600] * 10 + [16000] * 2)
    content = read(path)
    for number, item in enumerate(content.values()):
        folder = "many" if number < 10 else "long"
        item["source"] = f"/data/{folder}/{number}.wav"
    path.write_text(json.dumps(content))
    return make_dataset(path, random_crop(), seconds_per_crop)


def test_a_long_recording_gives_several_crops_an_epoch(tmp_path):
    dataset = dataset_of_sources(tmp_path, seconds_per_crop=0.1)
    assert len(dataset) == 10 + 2 * 10
    starts = {
        start_of(item)
        for item in dataset
        if item["id"].partition("~")[0] == "item10"
    }
    assert len(starts) == 10


def test_every_source_has_its_share(tmp_path):
    dataset = dataset_of_sources(tmp_path, seconds_per_crop=0.1)
    counter = counter_at(0)
    sampler = source_sampler(dataset, {"many": 1, "long": 3}, 4, 0, counter)
    drawn = []
    for epoch in range(300):
        counter.current = epoch
        epochs = list(sampler)
        assert epochs == list(sampler)  # a resumed run meets it again
        assert len(set(epochs)) == len(sampler) == 4
        drawn += [dataset.data_ids[item] for item in epochs]
    share = np.mean([int(name[4:].partition("~")[0]) > 9 for name in drawn])
    assert share == pytest.approx(0.75, abs=0.05)
    assert len(set(drawn)) == 30
    # Without a number, all that have a weight.
    weights = {"many": 1, "long": 0}
    sampler = source_sampler(dataset, weights, None, 0, counter)
    assert len(set(sampler)) == len(sampler) == 10


@pytest.mark.parametrize(
    "weights, items, message",
    [
        ({"many": 1}, 4, "lies in none of its folders"),
        ({"many": 1, "data": 1, "long": 1}, 4, "give every"),
        ({"many": 1, "long": 1, "other": 1}, 4, "names other"),
        ({"many": 1, "long": 0}, 11, "only 10 items have a weight"),
        (None, 13, "only 12 items"),
    ],
)
def test_wrong_sources_are_named(tmp_path, weights, items, message):
    dataset = dataset_of_sources(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        source_sampler(dataset, weights, items, 0, counter_at(1))
