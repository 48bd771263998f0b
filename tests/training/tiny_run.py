"""A training run of seconds: a tiny codec, through the recipe's script."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import soundfile

from tests.installed import ROOT

RECIPE = ROOT / "recipes" / "AudioFolder" / "codec"
DATASET = RECIPE / "hparams" / "dataset.yaml"
PROCESS = Path(__file__).with_name("recipe_process.py")
SAMPLE_RATE = 48000

# A step takes a fraction of a second, an epoch of 12 files 6 steps.
TINY = {
    "number_of_epochs": 3,
    "batch_size": 2,
    "segment_length": 2200,
    "valid_segment_length": 4120,
    "channels": 8,
    "hidden_channels": 16,
    "num_blocks": 1,
    "encoder_channels": 4,
    "latent_dim": 8,
    "num_codebooks": 2,
    "codebook_size": 32,
    "codebook_dim": 8,
    "mpd_periods": [2],
    "mpd_channels": [2, 2],
    "mrd_resolutions": [[256, 64, 128]],
    "mrd_channels": 2,
    "full_band_fraction": None,
    "log_every": 1,
    "warmup_steps": 3,
    "restart_every": 0,
    "discriminator_start": 5,
    "num_workers": 0,
}


def write_corpus(folder, num_train=12):
    """Write short recordings; return a manifest that splits them."""
    folder.mkdir(parents=True)
    rng = numpy.random.default_rng(0)
    splits = ["train"] * num_train + ["valid"] * 2 + ["test"]
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "path", "split"])
        for i, split in enumerate(splits):
            time = numpy.arange(6000) / SAMPLE_RATE
            wav = 0.1 * numpy.sin(2 * numpy.pi * 150 * (i + 1) * time)
            wav += 0.02 * rng.standard_normal(len(time))
            soundfile.write(folder / f"{i}.wav", wav, SAMPLE_RATE)
            writer.writerow([f"item{i}", f"{i}.wav", split])
    return manifest


def arguments(manifest, output_folder, *options, yaml="mini.yaml", **overrides):
    """Make the command line's arguments for a tiny run.

    Options are SpeechBrain's run options, overrides hyper-parameters.
    """
    hparams = {
        **TINY,
        "data_folder": str(manifest),
        "num_prepare_jobs": 1,
        "cache_folder": str(manifest.parent / "cache"),
        "output_folder": str(output_folder),
        **overrides,
    }
    return [
        str(ROOT / "hparams" / yaml),
        *(f"--{key}={json.dumps(value)}" for key, value in hparams.items()),
        "--ckpt_interval_minutes=0",
        "--noprogressbar",
        "--device=cpu",
        *options,
    ]


def run_process(run_arguments, launcher=(), **environment):
    """Run the recipe's script in a process of its own.

    A launcher is Python options before the script, such as torchrun's.
    """
    return subprocess.run(
        [sys.executable, *launcher, str(PROCESS), *run_arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        capture_output=True,
        text=True,
    )


def history(output_folder):
    """Read the lines of a run's record."""
    text = (Path(output_folder) / "history.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def checkpoints(output_folder):
    """List a run's checkpoints, the oldest first."""
    return sorted(
        (Path(output_folder) / "save").glob("CKPT*"),
        key=lambda path: (path / "CKPT.yaml").stat().st_mtime_ns,
    )
