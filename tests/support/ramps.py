"""Recordings whose samples tell where they come from, and crops of them."""

import json

import numpy as np
import pytest
import soundfile
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_apcodec.training.crops import CentreCrop, RandomCrop
from speechbrain_apcodec.training.voices import VoiceChanges

RATE = 16000
SEGMENT = 600
LATENT = {"sample_rate": RATE, "hop_length": 320, "stft_hop_length": 40}


def ramp(item, num_samples):
    """Samples that tell their item and their position in it."""
    return item / 16 + np.arange(num_samples) / 2**20


def write_manifest(folder, lengths, speakers=None, bands=None, wavs=None):
    content = {}
    for number, length in enumerate(lengths):
        wav = ramp(number, length) if wavs is None else wavs[number]
        path = folder / f"{number}.wav"
        soundfile.write(path, wav, RATE, subtype="FLOAT")
        content[f"item{number}"] = {
            "wav": str(path),
            "num_samples": length,
            "peak": float(np.abs(wav).max()),
            "band_hz": bands[number] if bands else 8000,
            "speaker": speakers[number] if speakers else f"s{number}",
        }
    path = folder / "manifest.json"
    path.write_text(json.dumps(content))
    return path


def read(manifest):
    return json.loads(manifest.read_text())


def counter_at(epoch):
    counter = EpochCounter(1000)
    counter.current = epoch
    return counter


def random_crop(epoch=1, seed=0, **changes):
    return RandomCrop(
        SEGMENT,
        **LATENT,
        seed=seed,
        epoch_counter=counter_at(epoch),
        changes=VoiceChanges(**changes),
    )


def centre_crop():
    return CentreCrop(SEGMENT, **LATENT)


def start_of(item):
    """Tell where the crop of an item of ramps starts; check its content."""
    number = int(item["id"].removeprefix("item").partition("~")[0])
    start = round((item["sig"][0].item() - number / 16) * 2**20)
    expected = ramp(number, 40000)[start : start + SEGMENT]
    assert item["sig"].numpy() == pytest.approx(expected, abs=1e-7)
    return start


def starts_of(dataset):
    return {item["id"]: start_of(item) for item in dataset}
