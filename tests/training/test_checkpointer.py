"""Checkpoints of a run that is stopped while it saves."""

import errno
import math
import resource

import pytest
import torch

from speechbrain_apcodec.training.checkpointer import AtomicCheckpointer
from speechbrain_apcodec.utils.errors import CheckpointError


class Killed(BaseException):
    pass


def make_checkpointer(folder, value):
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for module in (first, second):
        torch.nn.init.constant_(module.weight, value)
    return AtomicCheckpointer(folder, {"first": first, "second": second})


def weights(checkpointer):
    return {
        module.weight.unique().item()
        for module in checkpointer.recoverables.values()
    }


def test_half_a_checkpoint_is_never_found(tmp_path):
    checkpointer = make_checkpointer(tmp_path, 1.0)
    checkpointer.save_and_keep_only(meta={"loss": 2.0}, min_keys=["loss"])

    def die(module, path):
        path.write_bytes(b"half a file")
        raise Killed

    checkpointer = make_checkpointer(tmp_path, 5.0)
    checkpointer.custom_save_hooks["second"] = die
    with pytest.raises(Killed):
        checkpointer.save_and_keep_only(meta={"loss": 1.0}, min_keys=["loss"])
    assert len(list(tmp_path.iterdir())) == 2

    for keys in ({}, {"min_key": "loss"}):
        resumed = make_checkpointer(tmp_path, 3.0)
        resumed.recover_if_possible(**keys)
        assert weights(resumed) == {1.0}

    # The next one clears up, and is found.
    make_checkpointer(tmp_path, 7.0).save_checkpoint(meta={"loss": 0.5})
    resumed.recover_if_possible(min_key="loss")
    assert weights(resumed) == {7.0}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_returned_is_where_it_lies(tmp_path):
    checkpoint = make_checkpointer(tmp_path, 1.0).save_checkpoint(name="best")
    assert checkpoint.path == tmp_path / "CKPT+best"
    assert set(checkpoint.paramfiles) == {"first", "second"}
    assert all(path.is_file() for path in checkpoint.paramfiles.values())
    found = make_checkpointer(tmp_path, 1.0).find_checkpoint()
    assert found.path == checkpoint.path


def test_two_checkpoints_of_one_second(tmp_path):
    checkpointer = make_checkpointer(tmp_path, 1.0)
    for _ in range(3):
        checkpointer.save_checkpoint()
    assert len(checkpointer.list_checkpoints()) == 3


@pytest.mark.parametrize(
    "history",
    [
        [1.9, math.nan],
        [math.nan, 1.9],
        [3.0, 2.0, 1.0, math.nan, math.nan],
        [2.0, math.inf, math.nan, 3.0],
    ],
)
def test_nan_is_the_worst_of_values(tmp_path, history):
    checkpointer = make_checkpointer(tmp_path, 1.0)
    for value in history:
        checkpointer.save_and_keep_only(
            meta={"loss": value, "gain": -value}, min_keys=["loss"]
        )
    best = min(value for value in history if not math.isnan(value))
    for keys in ({"min_key": "loss"}, {"max_key": "gain"}):
        assert checkpointer.find_checkpoint(**keys).meta["loss"] == best
    # The best and the newest are kept.
    kept = {str(c.meta["loss"]) for c in checkpointer.list_checkpoints()}
    assert kept == {str(best), str(history[-1])}


@pytest.fixture
def small_files():
    """Let files grow to 1 MiB and no more, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (1 << 20, before[1])
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, small_files):
    checkpointer = make_checkpointer(tmp_path, 1.0)

    def fail(obj, path):
        path.write_bytes(b"half a file")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    checkpointer.custom_save_hooks["second"] = fail
    with pytest.raises(RuntimeError):
        checkpointer.save_checkpoint()
    # What was written is given back, and there seems to be place again.
    small_files()
    with pytest.raises(OSError, match="File too large") as raised:
        checkpointer.save_checkpoint()
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["second.ckpt", "CKPT.yaml"])
@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"a: [", b"\x80"])
def test_damage_is_one_line(tmp_path, file, content):
    saved = make_checkpointer(tmp_path, 1.0).save_checkpoint()
    (saved.path / file).write_bytes(content)
    with pytest.raises(CheckpointError) as raised:
        make_checkpointer(tmp_path, 1.0).recover_if_possible()
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_network_is_one_line(tmp_path):
    make_checkpointer(tmp_path, 1.0).save_checkpoint()
    other = torch.nn.Linear(3, 2)
    for recoverables in ({"first": other}, {"first": other, "third": other}):
        with pytest.raises(CheckpointError, match="of another configuration"):
            AtomicCheckpointer(tmp_path, recoverables).recover_if_possible()


def make_training(folder, schedule, **settings):
    """Make an optimiser and a schedule that are saved."""
    optimizer = torch.optim.AdamW(
        [torch.ones(1, requires_grad=True)], **settings
    )
    schedule = schedule(optimizer)
    recoverables = {"optimizer": optimizer, "schedule": schedule}
    return AtomicCheckpointer(folder, recoverables), optimizer, schedule


def epoch(optimizer, schedule):
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    schedule.step()
    return optimizer.param_groups[0]["lr"]


def exponential(gamma):
    return lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(
        optimizer, gamma
    )


def halved_at_two(optimizer):
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda epoch: 1.0 if epoch < 2 else 0.5
    )


def test_settings_are_those_of_now_and_progress_is_that_of_then(tmp_path):
    saver, *training = make_training(tmp_path, exponential(0.5), lr=0.8)
    assert [epoch(*training) for _ in range(2)] == pytest.approx([0.4, 0.2])
    saver.save_checkpoint()
    loader, *training = make_training(
        tmp_path, exponential(0.1), lr=0.08, betas=(0.5, 0.6), weight_decay=0.3
    )
    loader.recover_if_possible()
    optimizer, schedule = training
    (group,) = optimizer.param_groups
    assert group["lr"] == pytest.approx(0.02)
    assert schedule.get_last_lr() == pytest.approx([0.02])
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.6), 0.3)
    assert schedule.last_epoch == 2
    assert optimizer.state[group["params"][0]]["step"] == 2
    assert epoch(*training) == pytest.approx(0.002)


def test_a_schedule_in_closed_form_goes_on_with_the_new_rate(tmp_path):
    saver, *training = make_training(tmp_path, halved_at_two, lr=0.8)
    epoch(*training)
    saver.save_checkpoint()
    loader, *training = make_training(tmp_path, halved_at_two, lr=0.2)
    loader.recover_if_possible()
    assert training[0].param_groups[0]["lr"] == pytest.approx(0.2)
    assert epoch(*training) == pytest.approx(0.1)
