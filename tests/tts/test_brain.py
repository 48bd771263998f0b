"""Training to speak: it resumes exactly, learns by heart, and hides evenly."""

import signal

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch

from speechbrain_apcodec.training.recipe import run_recipe
from speechbrain_apcodec.tts.brain import draw_hidden
from speechbrain_apcodec.tts.sentences import split_sentences
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import load_hparams
from tests.support.tiny_sentences import (
    DATASET,
    RECIPE,
    arguments,
    write_sentences,
)
from tests.training.tiny_run import checkpoints, history, run_process


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences"))


def test_killed_run_equals_uninterrupted_run(data, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ["--ckpt_interval_steps=2"]
    where = {"RECIPE_FOLDER": str(RECIPE)}
    done = run_process(arguments(data, whole, *options), **where)
    assert done.returncode == 0, done.stderr
    train = [line for line in history(whole) if line["stage"] == "train"]
    steps = len(train) // 3  # of an epoch
    assert steps >= 4
    assert {"advance_loss", "alignment_loss", "accuracy_2"} <= set(train[0])

    # In an epoch, after a step that no checkpoint holds.
    for step in (3, steps + 3):
        stopped = run_process(
            arguments(data, killed, *options),
            KILL_AFTER_STEP=str(step),
            **where,
        )
        assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    done = run_process(arguments(data, killed, *options), **where)
    assert done.returncode == 0, done.stderr
    assert history(killed) == history(whole)
    for name in ("model", "aligner", "ema", "optimizer", "lr_scheduler"):
        ours, theirs = (
            torch.load(checkpoints(folder)[-1] / f"{name}.ckpt")
            for folder in (killed, whole)
        )
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("frames_per_step", [1, 2])
def test_sentences_are_learnt_by_heart(data, tmp_path, frames_per_step):
    brain = run_recipe(
        split_sentences,
        DATASET,
        arguments(
            data,
            tmp_path,
            frames_per_step=frames_per_step,
            number_of_epochs=1,
            frames_per_batch=1000,
            num_buckets=1,
            learning_rate=0.01,
            warmup_steps=30,
            d_model=32,
            dropout=0.0,
            history_hidden_share=0.0,
            text_hidden_share=0.0,
            guidance=1.0,
            ema_decay=0.9,
            log_every=1000,
        ),
    )
    train = brain.hparams.make_train_data()
    brain.modules.train()
    batch = PaddedBatch(list(train))
    for _ in range(250):
        brain.step += 1
        brain.fit_batch(batch)
    for item in train:
        text = item["text_ids"][None]
        said = brain.hparams.generate(
            brain.ema.module, text, torch.tensor([text.shape[1]]), temperature=0
        )
        assert said.ended.all()
        assert torch.equal(said.tokens[0], item["tokens"])


def test_text_and_history_are_hidden_in_training_alone(data, tmp_path):
    shares = {"history_hidden_share": 0.4, "text_hidden_share": 0.5}
    file, run_opts, overrides = sb.parse_arguments(
        arguments(data, tmp_path, **shares)
    )
    hparams = load_hparams(file, overrides, [DATASET])
    hparams["prepare"](split_sentences(**hparams["dataset"]))
    hparams["pretrainer"].collect_files()
    hparams["pretrainer"].load_collected()
    brain = hparams["brain_class"](
        hparams["modules"], hparams["opt_class"], hparams, run_opts=run_opts
    )
    batch, seen = PaddedBatch(list(brain.hparams.make_train_data())), []
    for model in (brain.model, brain.ema.module):
        model.register_forward_pre_hook(lambda _, args: seen.append(args))
    for brain.step in (1, 2):
        brain.on_fit_batch_start(batch, should_step=False)
        brain.compute_forward(batch, sb.Stage.TRAIN)
    brain.compute_forward(batch, sb.Stage.VALID)
    *training, validation = seen
    for *given, hidden, textless in training:
        assert hidden.shape == given[2].shape[:2]
        assert 0.2 < hidden.float().mean() < 0.6
        assert 0 < textless.sum() < len(textless) == len(given[0])
    # Each step hides others; what is shown for validation is all there is.
    assert not torch.equal(training[0][5], training[1][5])
    assert validation[5:] == ()


def test_more_text_than_speech_is_refused(data, tmp_path):
    with pytest.raises(ConfigurationError, match="pieces of text, but only"):
        run_recipe(
            split_sentences,
            DATASET,
            arguments(data, tmp_path, frames_per_step=24),
        )


def test_guidance_needs_hidden_text(data, tmp_path):
    with pytest.raises(ConfigurationError, match="text_hidden_share"):
        run_recipe(
            split_sentences,
            DATASET,
            arguments(data, tmp_path, text_hidden_share=0.0),
        )


@pytest.mark.parametrize(("share", "span"), [(0.0, 4), (0.3, 1), (0.5, 6)])
def test_share_and_spans_of_hidden_steps(share, span):
    torch.manual_seed(0)
    hidden = draw_hidden((50, 400), share, span)
    assert abs(hidden.float().mean().item() - share) < 0.02
    # What begins within an item lasts a span or longer.
    begins = hidden[:, 1:-span] & ~hidden[:, : -span - 1]
    for later in range(span):
        shifted = hidden[:, 1 + later : hidden.shape[1] - span + later]
        assert shifted[begins].all()
