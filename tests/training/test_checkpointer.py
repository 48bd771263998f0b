"""Checkpoints of a run that is stopped while it saves."""

import pytest
import torch

from speechbrain_apcodec.training.checkpointer import AtomicCheckpointer


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
