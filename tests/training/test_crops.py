"""Crops: reproducible anywhere, new in each epoch, never out of bounds."""

import copy
import json
import multiprocessing
import tracemalloc

import numpy as np
import pytest
import torch
from speechbrain.dataio.dataloader import make_dataloader
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_apcodec.training.clips import Clips
from speechbrain_apcodec.training.crops import (
    CentreCrop,
    RandomCrop,
    check_segment_length,
)
from speechbrain_apcodec.training.data import make_dataset
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.support.ramps import (
    LATENT,
    RATE,
    SEGMENT,
    centre_crop,
    ramp,
    random_crop,
    read,
    starts_of,
    write_manifest,
)


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path, [5000, 600, 601, 30000, 900, 12000])


def test_crops_lie_inside_and_reach_both_ends(manifest):
    lengths = {key: v["num_samples"] for key, v in read(manifest).items()}
    starts = {key: set() for key in lengths}
    for epoch in range(60):
        for key, start in starts_of(
            make_dataset(manifest, random_crop(epoch))
        ).items():
            assert 0 <= start <= lengths[key] - SEGMENT
            starts[key].add(start)
    assert starts["item1"] == {0}
    assert starts["item2"] == {0, 1}
    assert len(starts["item3"]) > 35


def test_crops_follow_from_seed_epoch_and_id_alone(manifest):
    reference = starts_of(make_dataset(manifest, random_crop()))
    # Another object, another order, items read several times before.
    dataset = make_dataset(manifest, random_crop())
    for index in (3, 0, 3, 5):
        dataset[index]
    assert starts_of(dataset) == reference
    # Another company: the same item in a smaller manifest.
    content = read(manifest)
    manifest.write_text(json.dumps({"item3": content["item3"]}))
    alone = starts_of(make_dataset(manifest, random_crop()))
    assert alone == {"item3": reference["item3"]}


def test_crops_change_with_epoch_and_seed(manifest):
    reference = starts_of(make_dataset(manifest, random_crop()))
    for other in (random_crop(epoch=2), random_crop(seed=1)):
        changed = starts_of(make_dataset(manifest, other))
        for key in ("item0", "item3", "item5"):
            assert changed[key] != reference[key]


def epoch_of_batches(dataset, num_workers):
    loader = make_dataloader(dataset, batch_size=2, num_workers=num_workers)
    return {
        item_id: signal
        for batch in loader
        for item_id, signal in zip(batch.id, batch.sig.data, strict=True)
    }


def test_crops_do_not_depend_on_the_number_of_workers(manifest):
    counter = EpochCounter(3)
    crop = RandomCrop(SEGMENT, seed=0, epoch_counter=counter, **LATENT)
    dataset = make_dataset(manifest, crop)
    epochs = []
    for _ in counter:
        alone = epoch_of_batches(dataset, num_workers=0)
        shared = epoch_of_batches(dataset, num_workers=2)
        assert set(alone) == set(shared) == set(read(manifest))
        for key in alone:
            assert torch.equal(alone[key], shared[key])
        epochs.append(alone)
    # The workers saw the counter move on.
    assert not torch.equal(epochs[0]["item3"], epochs[1]["item3"])


def _starts_elsewhere(dataset):
    torch.set_num_threads(1)
    return starts_of(dataset)


def test_crops_are_the_same_in_a_fresh_process_and_in_a_copy(manifest):
    dataset = make_dataset(manifest, random_crop(epoch=7))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply(_starts_elsewhere, (dataset,))
    assert elsewhere == starts_of(copy.deepcopy(dataset)) == starts_of(dataset)


def test_filtered_dataset_follows_the_epoch(manifest):
    crop = random_crop(epoch=1)
    dataset = make_dataset(manifest, crop)
    chosen = dataset.filtered_sorted(sort_key="num_samples", reverse=True)
    before = starts_of(chosen)
    crop.epoch_counter.current = 2
    after = starts_of(chosen)
    assert next(iter(before)) == "item3"
    assert before["item3"] != after["item3"]
    assert after == starts_of(make_dataset(manifest, crop))


def test_centre_crop(manifest):
    dataset = make_dataset(manifest, centre_crop())
    expected = {
        key: (value["num_samples"] - SEGMENT) // 2
        for key, value in read(manifest).items()
    }
    assert starts_of(dataset) == expected


@pytest.mark.parametrize("make_crop", [random_crop, centre_crop])
def test_short_clips_go_on_with_the_speakers_others(tmp_path, make_crop):
    manifest = write_manifest(
        tmp_path, [100, 250, 200, 9000, 150], ["a", "a", "b", "b", "a"]
    )
    dataset = make_dataset(manifest, make_crop())
    items = {item["id"]: item["sig"].numpy() for item in dataset}

    # Speaker a has 500 samples in all: the item, then the others, then zeros.
    for key, number, length in (("item0", 0, 100), ("item4", 4, 150)):
        signal = items[key]
        assert signal.shape == (SEGMENT,)
        assert signal[:length] == pytest.approx(ramp(number, length), abs=1e-7)
        assert np.all(signal[500:] == 0)
        assert signal[:500].sum() == pytest.approx(
            sum(ramp(n, k).sum() for n, k in ((0, 100), (1, 250), (4, 150))),
            rel=1e-5,
        )
    # Speaker b has enough: no zero, and nothing of speaker a.
    assert items["item2"][:200] == pytest.approx(ramp(2, 200), abs=1e-7)
    assert items["item2"][200:] == pytest.approx(ramp(3, 400), abs=1e-7)


def test_every_other_clip_is_drawn_once_in_an_order_of_its_epoch(tmp_path):
    manifest = write_manifest(tmp_path, [75] * 8, ["a"] * 8)
    seconds = set()
    for epoch in range(20):
        signal = make_dataset(manifest, random_crop(epoch))[0]["sig"].numpy()
        drawn = [round(float(value) * 16) for value in signal[::75]]
        assert drawn[0] == 0
        assert sorted(drawn) == list(range(8))
        seconds.add(drawn[1])
    assert len(seconds) > 3


@pytest.mark.parametrize("make_crop", [random_crop, centre_crop])
def test_a_short_clip_costs_the_same_in_a_large_corpus(tmp_path, make_crop):
    """The speaker's recordings are not listed to draw two of them."""
    crop = make_crop()
    entry = read(write_manifest(tmp_path, [250], ["a"]))["item0"]
    manifest = {f"item{number}": entry for number in range(20_000)}
    clips = Clips(manifest)
    crop("item7", clips)  # whatever is loaded at the first time
    tracemalloc.start()
    crop("item7", clips)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A list of 20,000 takes 160,000.
    assert most < 50_000


def test_unknown_speaker_is_padded_with_zeros(tmp_path):
    manifest = write_manifest(tmp_path, [100, 900], ["", ""])
    signal = make_dataset(manifest, random_crop())[0]["sig"].numpy()
    assert signal[:100] == pytest.approx(ramp(0, 100), abs=1e-7)
    assert np.all(signal[100:] == 0)


def test_level_is_that_of_the_whole_recording(tmp_path):
    """A quiet crop of a loud recording stays quiet."""
    wav = np.full(SEGMENT, 0.01)
    wav[0] = 0.5
    manifest = write_manifest(tmp_path, [SEGMENT], wavs=[wav])
    peaks = []
    for epoch in range(50):
        crop = random_crop(epoch, level_range_db=[-30, -6])
        signal = make_dataset(manifest, crop)[0]["sig"]
        assert signal[1] / signal[0] == pytest.approx(0.02, rel=1e-5)
        peaks.append(20 * np.log10(signal[0].item()))
    assert -30.001 <= min(peaks) < -27
    assert -9 < max(peaks) <= -5.999
    assert abs(np.mean(peaks) + 18) < 3


def test_level_does_not_move_the_crop(manifest):
    plain = make_dataset(manifest, random_crop())
    scaled = make_dataset(manifest, random_crop(level_range_db=[-20, -10]))
    for first, second in zip(plain, scaled, strict=True):
        ratio = second["sig"] / first["sig"].clamp(min=1e-9)
        assert ratio[1:].std() < 1e-3 * ratio[1:].mean()
    again = make_dataset(manifest, random_crop(level_range_db=[-20, -10]))
    for first, second in zip(scaled, again, strict=True):
        assert torch.equal(first["sig"], second["sig"])


def test_a_pause_is_drawn_anew_but_not_for_ever(tmp_path):
    speech, pause = np.full(10 * SEGMENT, 0.5), np.zeros(10 * SEGMENT)
    wavs = [np.concatenate([speech, pause]), pause]
    manifest = write_manifest(tmp_path, [len(w) for w in wavs], wavs=wavs)
    heard = 0
    for epoch in range(100):
        half, nothing = make_dataset(manifest, random_crop(epoch))
        heard += bool(half["sig"].abs().max() > 0.1)
        assert torch.all(nothing["sig"] == 0)
    # One draw would hear half of them; of six, one in 64 hears nothing.
    assert heard >= 92


def test_silence_is_not_amplified(tmp_path):
    wavs = [np.zeros(700), np.full(700, 3e-5)]
    manifest = write_manifest(tmp_path, [700, 700], wavs=wavs)
    crop = random_crop(level_range_db=[-30, -6])
    silence, rounding = make_dataset(manifest, crop)
    assert torch.all(silence["sig"] == 0)
    assert rounding["sig"].max() < 1e-4


def test_speed_raises_the_pitch_and_reads_on(tmp_path):
    """A sine played faster by 20 % is the sine of a frequency 20 % higher."""
    hertz, length = 500, 5000
    sine = 0.5 * np.sin(2 * np.pi * hertz / RATE * np.arange(length))
    manifest = write_manifest(tmp_path, [length], wavs=[sine])
    for percent in (100, 120):
        crop = random_crop(speeds_percent=[percent])
        signal = make_dataset(manifest, crop)[0]["sig"].numpy()
        assert len(signal) == SEGMENT
        # Of a sine, x[n - 1] + x[n + 1] = 2 cos(w) x[n].
        inner = signal[70:-70]
        cosine = inner[1:-1] @ (inner[:-2] + inner[2:]) / 2
        cosine /= inner[1:-1] @ inner[1:-1]
        found = np.arccos(cosine) * RATE / (2 * np.pi)
        assert found == pytest.approx(hertz * percent / 100, rel=1e-3)


def test_speeds_are_drawn_evenly_and_leave_place_and_level_alone(manifest):
    plain = random_crop(level_range_db=[-20, -10])
    mixed = random_crop(level_range_db=[-20, -10], speeds_percent=[100, 110])
    content = read(manifest)
    dataset, changed = (make_dataset(manifest, crop) for crop in (plain, mixed))
    same = 0
    for epoch in range(1, 41):
        plain.epoch_counter.current = mixed.epoch_counter.current = epoch
        for index in range(len(content)):
            first, second = dataset[index]["sig"], changed[index]["sig"]
            same += torch.equal(first, second)
    assert 0.4 < same / (40 * len(content)) < 0.6


@pytest.mark.parametrize(
    "settings",
    [
        {"speeds_percent": [100, 90]},  # which would empty the band
        {"level_range_db": [-6, -30]},
        {"level_range_db": [-6, 3]},
    ],
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        random_crop(**settings)


@pytest.mark.parametrize(
    ("length", "nearest"),
    [
        (7960, None),
        (280, None),
        (8000, "7960 or 8280"),
        (7959, "7640 or 7960"),
        (100, "use 280 "),
        (0, "use 280 "),
        (-40, "use 280 "),
    ],
)
def test_segment_is_a_whole_number_of_latents(length, nearest):
    if nearest is None:
        check_segment_length(length, 320, 40)
        assert (1 + length // 40) % 8 == 0
    else:
        with pytest.raises(ConfigurationError, match=nearest):
            check_segment_length(length, 320, 40)
        with pytest.raises(ConfigurationError, match=nearest):
            CentreCrop(length, **LATENT)


def test_a_top_band_is_replicated_where_it_is_missing(tmp_path):
    random = np.random.default_rng(5)
    noise = np.fft.rfft(random.standard_normal(5000))
    noise[int(len(noise) * 0.7) :] = 0
    wav = 0.05 * np.fft.irfft(noise, 5000)
    path = write_manifest(
        tmp_path, [5000] * 2, bands=[5600, 8000], wavs=[wav, wav]
    )

    def top(**kwargs):
        dataset = make_dataset(path, random_crop(**kwargs))
        spectra = [torch.fft.rfft(item["sig"]).abs() for item in dataset]
        return [float(s[-60:].mean() / s[100:160].mean()) for s in spectra]

    assert max(top()) < 0.08
    filled, full = top(replicate_top_band=True)
    assert 0.1 < filled < 1.0
    assert full < 0.08  # whose manifest says that it is full
    assert top(replicate_top_band=True)[0] == filled


def test_the_filter_of_an_item_is_the_same_again_and_another_next_epoch(
    tmp_path,
):
    noise = 0.05 * np.random.default_rng(5).standard_normal(5000)
    path = write_manifest(tmp_path, [5000] * 2, wavs=[noise, noise])
    boost = {0: [0, 0], 8000: [6, 20]}

    def crop(ranges, epoch=1):
        crops = random_crop(epoch, equalization_db=ranges)
        return next(iter(make_dataset(path, crops)))["sig"]

    plain, filtered = crop(None), crop(boost)
    flat = crop({0: [0, 0], 8000: [0, 0]})
    assert torch.allclose(flat, plain, atol=1e-6)
    assert filtered.square().mean() > 1.3 * plain.square().mean()
    assert torch.equal(crop(boost), filtered)
    others = [crop(boost, epoch).square().mean() for epoch in range(2, 6)]
    assert len(set(others)) == 4
