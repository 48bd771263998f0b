"""A run that is killed and started again is the run that never was.

The kills are real, by SIGKILL, each after a step that no checkpoint holds.
"""

import re
import signal

import torch

from tests.training.tiny_run import (
    arguments,
    checkpoints,
    history,
    run_process,
    write_corpus,
)

LOSSES = {
    "generator_total",
    "weighted_amplitude",
    "instantaneous_phase",
    "mel_mae",
    "decoded_amplitude",
    "codebook",
    "commitment",
    "mpd_generator",
    "mpd_feature_matching",
    "mpd_discriminator",
    "mrd_discriminator",
    "generator_gradient_norm",
    "usage_1",
    "perplexity_2",
}


def run_with_kills(run_arguments, kills):
    for step in kills:
        killed = run_process(run_arguments, KILL_AFTER_STEP=str(step))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run_process(run_arguments)
    assert done.returncode == 0, done.stderr


def assert_same_run(expected, actual):
    """Compare the records line by line, and the last weights."""
    for ours, theirs in zip(history(actual), history(expected), strict=True):
        assert ours == theirs
    ours, theirs = (checkpoints(folder)[-1] for folder in (actual, expected))
    files = {path.name for path in ours.glob("*.ckpt")}
    assert (
        files
        == {path.name for path in theirs.glob("*.ckpt")}
        >= {
            f"{player}_{part}.ckpt"
            for player in ("generator", "discriminator")
            for part in ("opt", "scheduler")
        }
    )
    for name in files - {"brain.ckpt"}:  # which has the mean loss of floats
        if name in ("epoch_counter.ckpt", "dataloader-TRAIN.ckpt"):
            assert (ours / name).read_text() == (theirs / name).read_text()
            continue
        torch.testing.assert_close(
            torch.load(ours / name), torch.load(theirs / name), rtol=0, atol=0
        )


def restarts(output_folder):
    """Read from the log after which steps how many codes were restarted."""
    text = (output_folder / "log.txt").read_text(encoding="utf-8")
    return {
        int(step): sum(map(int, numbers.split(", ")))
        for step, numbers in re.findall(
            r"Step (\d+): restarted \[([\d, ]+)\]", text
        )
    }


def test_killed_run_equals_uninterrupted_run(tmp_path):
    # Epochs end after steps 6, 12 and 18; checkpoints lie at every second
    # step of an epoch.
    manifest = write_corpus(tmp_path / "data")
    options = ["--ckpt_interval_steps=2"]
    overrides = {
        "warmup_steps": 4,
        "discriminator_start": 6,
        "restart_every": 5,
        "quantizer_dropout": 0.5,
        "num_workers": 1,
    }
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run_process(arguments(manifest, whole, *options, **overrides))
    assert done.returncode == 0, done.stderr
    assert restarts(whole)[9] > 0
    train = [line for line in history(whole) if line["stage"] == "train"]
    assert [line["step"] for line in train] == list(range(1, 19))
    assert set(train[-1]) >= LOSSES

    run_with_kills(
        arguments(manifest, killed, *options, **overrides),
        # Before the codebooks are initialised; after that, the start of the
        # GAN and the first restart.
        kills=[3, 11],
    )
    assert_same_run(whole, killed)


def test_gradient_accumulation(tmp_path):
    # An epoch has 7 batches, which make 3 steps and leave one batch over.
    # A checkpoint is due at every batch, within the windows of accumulation
    # too; and the record's windows of 2 steps span the checkpoints.
    manifest = write_corpus(tmp_path / "data", num_train=14)
    options = ["--ckpt_interval_steps=1", "--grad_accumulation_factor=2"]
    overrides = {
        "warmup_steps": 3,
        "discriminator_start": 4,
        "restart_every": 3,
        "log_every": 2,
    }
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run_process(arguments(manifest, whole, *options, **overrides))
    assert done.returncode == 0, done.stderr
    train = [line for line in history(whole) if line["stage"] == "train"]
    assert [line["step"] for line in train] == [2, 4, 6, 8]
    # What a step does that begins in one epoch and anew in the next, it
    # does once.
    log = (whole / "log.txt").read_text(encoding="utf-8")
    assert re.findall(r"Step (\d+): (\w+)", log) == [
        ("3", "codebooks"),
        ("6", "restarted"),
        ("9", "restarted"),
    ]

    run_with_kills(
        arguments(manifest, killed, *options, **overrides), kills=[8]
    )
    assert_same_run(whole, killed)
