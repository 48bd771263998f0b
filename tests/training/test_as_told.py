"""The Brain does what the YAML says: average, dropout, schedules, numbers."""

import functools
import re

import pytest
import torch
from torch.optim.lr_scheduler import MultiStepLR

from tests.training.tiny_brain import (
    copied,
    fit,
    make_brain,
    make_hparams,
    make_items,
    start_brain,
    step,
)
from tests.training.tiny_run import history


@pytest.mark.parametrize("accumulation", [1, 2])
def test_average_follows_each_optimizer_step(accumulation, tmp_path):
    brain = start_brain(
        tmp_path,
        {"grad_accumulation_factor": accumulation},
        discriminator_start=99,
        ema_decay=0.9,  # less in the first steps
    )
    expected = copied(brain.codec)
    for number in range(3):
        for _ in range(accumulation):
            step(brain, make_items(1, seed=number))
        decay = min(0.9, (1 + number) / (10 + number))
        for name, parameter in brain.codec.named_parameters():
            expected[name].lerp_(parameter.detach(), 1 - decay)
    assert brain.optimizer_step == 3
    for name, average in brain.ema.module.named_parameters():
        torch.testing.assert_close(average, expected[name])


def test_quantizer_dropout_reaches_the_codec(tmp_path):
    brain = start_brain(tmp_path, discriminator_start=99, quantizer_dropout=1.0)
    seen = []
    brain.codec.register_forward_hook(
        lambda module, args, output: seen.append((args[1], output.quantized))
    )
    for _ in range(2):
        step(brain, make_items(4))
        numbers, quantized = seen.pop()
        assert torch.equal(numbers, brain._draw_num_codebooks(4))
        assert quantized is not None
    assert set(numbers.tolist()) == {1, 2}


def make_scheduled_brain(folder):
    """Make a Brain whose players' rates differ, and fall at other epochs."""
    brain = make_brain(folder, discriminator_start=0, learning_rate=0.01)
    brain.history.draw = lambda *args: None
    judge = brain.hparams.discriminator_opt_class
    brain.hparams.discriminator_opt_class = functools.partial(judge, lr=0.03)
    # Unlike an exponential schedule, they must know the epoch.
    for player, milestones in (
        ("generator", [1, 3]),
        ("discriminator", [2, 3]),
    ):
        schedule = functools.partial(MultiStepLR, milestones=milestones)
        setattr(brain.hparams, f"{player}_scheduler", schedule)
    return brain


def test_schedules_and_both_optimizers_survive_a_resume(tmp_path):
    items = make_items(1)
    whole = make_scheduled_brain(tmp_path / "whole")
    fit(whole, items, epochs=3, batch_size=1)
    fit(make_scheduled_brain(tmp_path / "parts"), items, 2, batch_size=1)
    resumed = make_scheduled_brain(tmp_path / "parts")
    fit(resumed, items, epochs=3, batch_size=1)
    assert history(tmp_path / "parts") == history(tmp_path / "whole")
    for brain in (whole, resumed):
        rates = {
            name: optimizer.param_groups[0]["lr"]
            for name, optimizer in brain.optimizers_dict.items()
        }
        assert rates == pytest.approx(
            {"generator": 1e-4, "discriminator": 3e-4}
        )
        assert brain.optimizer_step == 3
        assert brain.hparams.epoch_counter.current == 3
    for name, optimizer in whole.optimizers_dict.items():
        torch.testing.assert_close(
            resumed.optimizers_dict[name].state_dict(),
            optimizer.state_dict(),
            rtol=0,
            atol=0,
        )
    text = (tmp_path / "whole" / "train_log.txt").read_text(encoding="utf-8")
    # What an epoch was trained with, by the generator.
    logged = re.findall(r"learning_rate: ([\d.e-]+) - valid", text)
    assert [float(rate) for rate in logged] == [1e-2, 1e-3, 1e-3]


def test_published_numbers(tmp_path):
    """Section III of https://arxiv.org/abs/2402.10533, and HiFi-GAN's Adam."""
    hparams = make_hparams(tmp_path, "48khz_6kbps.yaml")
    weights = [torch.zeros(1, requires_grad=True)]
    for player in ("generator", "discriminator"):
        optimizer = hparams[f"{player}_opt_class"](weights)
        assert isinstance(optimizer, torch.optim.AdamW)
        assert optimizer.defaults["betas"] == (0.8, 0.99)
        assert optimizer.defaults["lr"] == 0.0002
        schedule = hparams[f"{player}_scheduler"](optimizer)
        assert schedule.gamma == 0.999
    assert hparams["loss"].weights == {
        "amplitude": 45.0,
        "instantaneous_phase": 100.0,
        "group_delay": 100.0,
        "instantaneous_angular_frequency": 100.0,
        "real": 45.0,
        "imaginary": 45.0,
        "consistency": 20.0,
        "mel_mae": 45.0,
        "mel_mse": 45.0,
        "codebook": 10.0,
        "commitment": 2.5,
        "mpd_generator": 1.0,
        "mpd_feature_matching": 1.0,
        "mpd_discriminator": 1.0,
        "mrd_generator": 0.1,
        "mrd_feature_matching": 0.1,
        "mrd_discriminator": 0.1,
    }
