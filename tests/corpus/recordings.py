"""A small corpus: short recordings with a manifest."""

import csv

import torch

from speechbrain_apcodec.utils.audio import write_audio


def voice(num_samples, pitch, sample_rate=48000):
    """Make something like a vowel: harmonics that swell, and breath."""
    time = torch.arange(num_samples) / sample_rate
    phase = 2 * torch.pi * (pitch * time + 3 * torch.sin(5 * time))
    wav = sum(torch.sin(k * phase) / k for k in range(1, 12))
    swell = 0.5 + 0.5 * torch.sin(20 * time)
    breath = torch.randn(
        num_samples, generator=torch.Generator().manual_seed(int(pitch))
    )
    return 0.1 * swell * wav + 0.01 * breath


def write_recordings(folder, count, sample_rate=48000):
    """Write recordings of 0.05 to 0.4 s, in two folders.

    Return a manifest, ``train.csv``, with their texts.
    """
    folder.mkdir()
    rows = []
    for i in range(count):
        name = f"{'ab'[i % 2]}/{i:02d}.wav"
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        # No two lengths are equal, and none is a whole number of frames.
        num_samples = sample_rate // 20 + (i * 7919) % (sample_rate // 3)
        wav = voice(num_samples, 100 + 10 * i, sample_rate)
        write_audio(path, wav[None], sample_rate)
        rows.append({"path": name, "text": f"number {i}"})
    manifest = folder / "train.csv"
    with manifest.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["path", "text"])
        writer.writeheader()
        writer.writerows(rows)
    return manifest
