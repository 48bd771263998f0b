"""How the Brain trains, skips, limits itself, saves and shows."""

import math

import pytest
import torch
from speechbrain.core import Stage
from speechbrain.dataio.batch import PaddedBatch

from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.training.tiny_brain import (
    SEGMENT,
    changed,
    copied,
    fit,
    make_brain,
    make_items,
    make_loader,
    start_brain,
    step,
)
from tests.training.tiny_run import history


@pytest.fixture
def brain(tmp_path):
    return start_brain(tmp_path)


def make_nan_items(number):
    items = make_items(number)
    items[0]["sig"][100] = math.nan
    return items


def test_a_batch_trains_both_and_counts_once(brain):
    codec = copied(brain.codec)
    judges = copied(brain.modules.discriminators)
    for expected in (1, 2):
        loss = step(brain, make_items(2))
        assert torch.isfinite(loss)
        assert brain.optimizer_step == expected
    # The generator's pass leaves no gradient for the next of the judges.
    for p in brain.modules.discriminators.parameters():
        assert p.grad is None
    assert changed(brain.codec, codec) >= {
        "encoder.amplitude.downsample.bias",
        "encoder.joint_convolution.bias",
        "quantizer.quantizers.0.codebook.weight",
        "quantizer.quantizers.1.out_proj.bias",
        "decoder.phase.heads.1.bias",
    }
    assert len(changed(brain.modules.discriminators, judges)) == len(judges)


@pytest.mark.parametrize(
    ("setting", "moved"),
    [
        ({"discriminator_start": 2}, [False, False, True]),
        ({"discriminator_every": 2}, [True, False, True, False]),
    ],
    ids=["begins at its step", "sits out steps in between"],
)
def test_gan_trains_in_its_steps(tmp_path, setting, moved):
    brain = start_brain(tmp_path, **setting)
    for expected in moved:
        judges = copied(brain.modules.discriminators)
        step(brain, make_items(2))
        found = changed(brain.modules.discriminators, judges)
        assert bool(found) == expected


def test_nan_batch_is_skipped_and_reported(brain, caplog):
    step(brain, make_items(2))
    codec, ema = copied(brain.codec), copied(brain.ema.module)
    judges = copied(brain.modules.discriminators)
    assert torch.isnan(step(brain, make_nan_items(2)))
    assert "skipping the batch of ['item0', 'item1']" in caplog.text
    assert not changed(brain.codec, codec)
    assert not changed(brain.ema.module, ema)
    assert not changed(brain.modules.discriminators, judges)
    assert brain.optimizer_step == 2
    assert torch.isfinite(step(brain, make_items(2)))
    assert changed(brain.codec, codec)
    assert all(math.isfinite(v) for v in brain.window.means().values())


def test_nan_beyond_patience_stops(tmp_path):
    brain = make_brain(tmp_path, {"nonfinite_patience": 1}, checkpointer=False)
    with pytest.raises(ValueError, match="patience is exhausted"):
        fit(brain, make_nan_items(1) * 4, valid=False)
    assert brain.nonfinite_count == 2


def test_nonfinite_gradient_is_skipped(brain, caplog):
    step(brain, make_items(2))
    codec = copied(brain.codec)
    judges = copied(brain.modules.discriminators)
    bias = brain.codec.decoder.input_convolution.bias
    hook = bias.register_hook(lambda grad: grad * math.inf)
    step(brain, make_items(2))
    assert "generator's gradient is not finite" in caplog.text
    assert not changed(brain.codec, codec)
    assert changed(brain.modules.discriminators, judges)
    assert brain.optimizer_step == 2
    hook.remove()
    step(brain, make_items(2))
    assert changed(brain.codec, codec)


def test_accumulation_equals_a_larger_batch(tmp_path):
    items = make_items(4)
    gradients = []
    for factor, batches in ((1, [items]), (2, [items[:2], items[2:]])):
        torch.manual_seed(0)
        brain = start_brain(
            tmp_path,
            {"grad_accumulation_factor": factor},
            discriminator_start=99,
            grn_statistic="frame",
        )
        seen = []
        brain.optimizers_step = lambda brain=brain, seen=seen: seen.append(
            [p.grad.clone() for p in brain.codec.parameters()]
        )
        for batch in batches:
            step(brain, batch)
        assert brain.optimizer_step == 1
        gradients.extend(seen)
    whole, parts = gradients
    for ours, theirs in zip(parts, whole, strict=True):
        torch.testing.assert_close(
            ours, theirs, rtol=1e-3, atol=1e-4 * theirs.abs().max().item()
        )


def test_no_checkpoint_within_accumulation(tmp_path):
    brain = make_brain(
        tmp_path,
        {"grad_accumulation_factor": 3, "ckpt_interval_steps": 1},
        ckpt_interval_minutes=0,
    )
    due = []
    for brain.step in range(1, 7):
        due.append(brain._should_save_intra_epoch_ckpt(0.0, 5))
    assert due == [False, False, True] * 2


@pytest.mark.parametrize("limit", [0.5, 1e9])
def test_max_grad_norm(tmp_path, limit):
    brain = start_brain(tmp_path, {"max_grad_norm": limit}, log_every=9)
    norms = {}

    def remember(optimizer, *_, player):
        gradients = [
            p.grad
            for p in optimizer.param_groups[0]["params"]
            if p.grad is not None
        ]
        norms[player] = torch.nn.utils.get_total_norm(gradients).item()

    for player, optimizer in brain.optimizers_dict.items():
        optimizer.register_step_pre_hook(
            lambda *args, player=player: remember(*args, player=player)
        )
    step(brain, make_items(2))
    before = brain.window.means()
    for player, norm in norms.items():
        expected = min(limit, before[f"{player}_gradient_norm"])
        assert norm == pytest.approx(expected, rel=1e-3)
    assert before["generator_gradient_norm"] > 0.5


@pytest.mark.parametrize("limit", [3, "3"])
def test_optimizer_step_limit(tmp_path, limit):
    # SpeechBrain's command line leaves a string.
    brain = make_brain(
        tmp_path, {"optimizer_step_limit": limit}, checkpointer=False
    )
    fit(brain, make_items(10), epochs=3, valid=False)
    assert brain.optimizer_step == 3


def test_bf16_keeps_the_phase_in_float32(tmp_path):
    brain = start_brain(tmp_path, {"precision": "bf16"})
    seen = []
    brain.codec.register_forward_hook(
        lambda module, args, output: seen.append(output)
    )
    dtypes = []
    brain.codec.encoder.amplitude.backbone.output_linear.register_forward_hook(
        lambda module, args, output: dtypes.append(output.dtype)
    )
    assert torch.isfinite(step(brain, make_items(2)))
    assert dtypes == [torch.bfloat16]
    assert seen[0].predicted.phase.dtype == torch.float32
    assert seen[0].predicted.log_amplitude.dtype == torch.float32
    assert seen[0].decoded.dtype == torch.float32
    assert seen[0].quantized.quantized.dtype == torch.float32
    assert all(math.isfinite(v) for v in brain.window.means().values())


def test_trained_paths_go_through_forward(brain):
    # What --compile and DDP replace is the forward of a module.
    calls = {}
    for name in ("codec", "discriminators"):
        module = brain.modules[name]
        calls[name] = 0

        def count(module, args, name=name):
            calls[name] += 1

        module.register_forward_pre_hook(count)
    step(brain, make_items(2))
    # The codec once for both players; the discriminators for real and
    # decoded together, then for each alone.
    assert calls == {"codec": 1, "discriminators": 3}


def test_frozen_parts_stay_as_they_are(tmp_path):
    brain = start_brain(
        tmp_path,
        frozen_parts=["encoder", "quantizer"],
        quantizer_dropout=0.5,
    )
    codec = copied(brain.codec)
    for _ in range(3):
        step(brain, make_items(2))
    moved = changed(brain.codec, codec)
    decoder = {key for key in codec if key.startswith("decoder.")}
    assert moved == decoder
    averaged = changed(brain.ema.module, codec)
    assert averaged
    assert averaged <= decoder


def test_frozen_quantizer_cannot_be_maintained(tmp_path):
    with pytest.raises(ConfigurationError, match="restart_every"):
        make_brain(tmp_path, frozen_parts=["quantizer"], restart_every=10)


@pytest.mark.parametrize("refit_iterations", [0, 1])
def test_restart_reaches_the_average(refit_iterations, tmp_path):
    brain = start_brain(
        tmp_path,
        restart_every=2,
        refit_iterations=refit_iterations,
    )
    for _ in range(2):
        step(brain, make_items(2))
    brain.step += 1
    brain._maintain_codebooks(2)
    dead = brain.health.counts.sum(1)
    assert dead.tolist() == [0, 0]
    for ours, theirs in zip(
        brain.ema.module.quantizer.quantizers,
        brain.codec.quantizer.quantizers,
        strict=True,
    ):
        same = (ours.codebook.weight == theirs.codebook.weight).all(1)
        # A restart moves some codewords, a refit all.
        assert same.all() if refit_iterations else 0 < same.sum() < len(same)
    for p in brain.ema.module.parameters():
        assert p.is_leaf
        assert not p.requires_grad


def test_quantizer_dropout_draws_reproducibly(tmp_path):
    brain = make_brain(tmp_path, checkpointer=False, quantizer_dropout=0.5)
    drawn = []
    for brain.step in range(1, 41):
        drawn.append(brain._draw_num_codebooks(4))
        assert torch.equal(brain._draw_num_codebooks(4), drawn[-1])
    drawn = torch.cat(drawn)
    assert set(drawn.tolist()) == {1, 2}
    # Half of the items keep all; the rest draw 1 or 2.
    assert (drawn == 1).float().mean() == pytest.approx(0.25, abs=0.1)


def test_best_checkpoint_has_the_lowest_mel_mae(tmp_path):
    brain = make_brain(
        tmp_path,
        warmup_steps=4,
        learning_rate=0.003,
        ema_decay=0.0,
    )
    brain.history.draw = lambda *args: None
    # Epochs of 2 steps: the first two train without the quantiser.
    fit(brain, make_items(4), epochs=4)
    lines = [x for x in history(tmp_path) if x["stage"] == "valid"]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert "usage_1" not in lines[1]
    assert "usage_1" in lines[2]
    best = min(lines[2:], key=lambda line: line["mel_mae"])
    found = brain.checkpointer.find_checkpoint(min_key="mel_mae")
    assert found.meta["mel_mae"] == best["mel_mae"]
    assert found.meta["optimizer_step"] == best["step"]

    torch.nn.init.zeros_(brain.codec.decoder.input_convolution.bias)
    brain.evaluate(make_loader(make_items(2, seed=9)))
    last = history(tmp_path)[-1]
    assert last["stage"] == "test"
    assert last["mel_mae"] == best["mel_mae"]
    assert last["lsd"] == best["lsd"]


def test_validation_uses_the_average(brain):
    step(brain, make_items(2))
    batch = PaddedBatch(make_items(2, seed=9))
    with torch.no_grad():
        before = brain.compute_forward(batch, Stage.VALID).decoded
        torch.nn.init.normal_(brain.codec.decoder.input_convolution.bias)
        after = brain.compute_forward(batch, Stage.VALID).decoded
    assert torch.equal(before, after)


def test_tensorboard_holds_curves_pictures_and_sound(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    brain = make_brain(tmp_path, use_tensorboard=True)
    fit(brain, make_items(4))
    events = EventAccumulator(
        str(tmp_path / "tensorboard"), {"images": 0, "audio": 0, "scalars": 0}
    ).Reload()
    tags = events.Tags()
    assert {"mel_mae/train", "mel_mae/valid", "usage_1/train"} <= set(
        tags["scalars"]
    )
    curve = events.Scalars("mel_mae/train")
    assert [event.step for event in curve] == [1, 2]
    lines = [x for x in history(tmp_path) if x["stage"] == "train"]
    assert [event.value for event in curve] == pytest.approx(
        [line["mel_mae"] for line in lines], rel=1e-6
    )
    assert set(tags["images"]) == {
        "spectrogram/original",
        "spectrogram/decoded",
    }
    assert set(tags["audio"]) == {"original", "decoded"}
    assert events.Audio("decoded")[0].length_frames == SEGMENT
    for name in ("curves.png", "spectrograms.png", "decoded.wav"):
        assert (tmp_path / name).stat().st_size > 0
