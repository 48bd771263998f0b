"""Checkpoints that count only when they are whole.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
import shutil

import torch
from speechbrain.utils.checkpoints import METAFNAME, Checkpointer
from speechbrain.utils.distributed import ddp_barrier, if_main_process

from speechbrain_apcodec.utils.atomic import temporary_beside
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError

# The meta file while the others are being written.
_UNFINISHED = f".{METAFNAME}"

# Bytes for which there was no place behind those that were written.
_MORE = 1 << 20

# How far a schedule has come; all else of it is a setting.
_PROGRESS = {
    "last_epoch",
    "best",
    "num_bad_epochs",
    "cooldown_counter",
    "T_cur",
    "T_i",
}


class AtomicCheckpointer(Checkpointer):
    """SpeechBrain's checkpointer, safe against a kill while it saves.

    SpeechBrain takes a folder with a meta file for a checkpoint, and writes
    that file first: after a kill the newest checkpoint lacks files, and the
    run can neither resume nor start. Here the meta file gets its name last.

    Where checkpoints are ordered, NaN is the worst of values. What is loaded
    is how far a training has come: the settings of optimisers and schedules
    stay those that they were made with.

    Arguments
    ---------
    *args : tuple
        See ``speechbrain.utils.checkpoints.Checkpointer``.
    **kwargs : dict
        See ``speechbrain.utils.checkpoints.Checkpointer``.
    """

    def save_checkpoint(self, *args, **kwargs):
        """Save a checkpoint; see SpeechBrain's.

        Arguments
        ---------
        *args : tuple
            See ``Checkpointer.save_checkpoint``.
        **kwargs : dict
            See ``Checkpointer.save_checkpoint``.

        Returns
        -------
        speechbrain.utils.checkpoints.Checkpoint or None
            None on other processes than the main one.

        Raises
        ------
        OSError
            If the disk is full, or files may not grow so large, which
            PyTorch calls by other names.
        """
        if if_main_process():
            self._clear_up()
        try:
            checkpoint = super().save_checkpoint(*args, **kwargs)
        except RuntimeError as error:
            written = self._unfinished_bytes()
            self._clear_up()
            reason = self._why_not(written + _MORE)
            if reason is None:
                raise
            raise reason from error
        ddp_barrier()
        if checkpoint is not None:
            unfinished = checkpoint.path / _UNFINISHED
            unfinished.replace(checkpoint.path / METAFNAME)
        ddp_barrier()
        return checkpoint

    def find_checkpoints(
        self, importance_key=None, max_key=None, min_key=None, **kwargs
    ):
        """Find checkpoints, the best first; see SpeechBrain's.

        Arguments
        ---------
        importance_key : callable, optional
            See ``Checkpointer.find_checkpoints``.
        max_key : str, optional
            Key of ``meta`` of which the highest value is best.
        min_key : str, optional
            Key of ``meta`` of which the lowest value is best.
        **kwargs : dict
            See ``Checkpointer.find_checkpoints``.

        Returns
        -------
        list of speechbrain.utils.checkpoints.Checkpoint
        """
        key, sign = (min_key, -1) if min_key else (max_key, 1)
        if key is None or importance_key is not None:
            return super().find_checkpoints(
                importance_key, max_key, min_key, **kwargs
            )
        given = kwargs.pop("ckpt_predicate", None)

        def importance(checkpoint):
            value = sign * checkpoint.meta[key]
            return -math.inf if math.isnan(value) else value

        def has_key(checkpoint):
            return key in checkpoint.meta and (not given or given(checkpoint))

        return super().find_checkpoints(
            importance, ckpt_predicate=has_key, **kwargs
        )

    def list_checkpoints(self):
        """List all checkpoints; see SpeechBrain's.

        Returns
        -------
        list of speechbrain.utils.checkpoints.Checkpoint

        Raises
        ------
        CheckpointError
            If the meta file of one is damaged.
        """
        with damage_named(
            CheckpointError,
            f"a {METAFNAME} below {self.checkpoints_dir} is damaged",
            "remove its folder",
        ):
            found = super().list_checkpoints()
            for checkpoint in found:
                checkpoint.meta["unixtime"] + 0
            return found

    def load_checkpoint(self, checkpoint):
        """Go on from a checkpoint, with the present settings.

        Arguments
        ---------
        checkpoint : speechbrain.utils.checkpoints.Checkpoint
            Checkpoint to load.

        Raises
        ------
        CheckpointError
            If it is damaged, or of another network.
        """
        restore = [
            _remember_settings(obj) for obj in self.recoverables.values()
        ]
        with damage_named(
            CheckpointError,
            f"{checkpoint.path} is damaged, or of another configuration",
            "go on with that of the run, or remove the folder to go on from "
            "an earlier one",
        ):
            super().load_checkpoint(checkpoint)
        for settle in restore:
            settle()

    def _unfinished_bytes(self):
        """Count what an unfinished checkpoint takes."""
        return sum(
            path.stat().st_size
            for unfinished in self.checkpoints_dir.glob(f"*/{_UNFINISHED}")
            for path in unfinished.parent.iterdir()
        )

    def _why_not(self, num_bytes):
        """Return the error of writing so much, None if there is none."""
        probe = temporary_beside(self.checkpoints_dir / "probe")
        try:
            with probe.open("wb", buffering=0) as file:
                while num_bytes > 0:
                    num_bytes -= file.write(bytes(min(num_bytes, _MORE)))
        except OSError as error:
            error.filename = str(self.checkpoints_dir)
            return error
        finally:
            probe.unlink(missing_ok=True)
        return None

    def _clear_up(self):
        for unfinished in self.checkpoints_dir.glob(f"*/{_UNFINISHED}"):
            shutil.rmtree(unfinished.parent, ignore_errors=True)

    def _save_checkpoint_metafile(self, fpath, *args, **kwargs):
        return super()._save_checkpoint_metafile(
            fpath.with_name(_UNFINISHED), *args, **kwargs
        )


def _remember_settings(obj):
    """Return what gives an object the settings that it has now."""
    if isinstance(obj, torch.optim.Optimizer):
        groups = [_without(group, "params") for group in obj.param_groups]
        return lambda: _settle_optimizer(obj, groups)
    if isinstance(obj, torch.optim.lr_scheduler.LRScheduler):
        settings = {
            key: value
            for key, value in vars(obj).items()
            if key not in _PROGRESS
            and key[0] != "_"
            and isinstance(value, int | float | str | bool | list | None)
        }
        return lambda: _settle_schedule(obj, settings)
    return lambda: None


def _without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


def _settle_optimizer(optimizer, groups):
    for group, settings in zip(optimizer.param_groups, groups, strict=True):
        rate, former = group["lr"], group.get("initial_lr")
        now = settings.get("initial_lr")
        group.update(settings)
        group["lr"] = rate
        # A schedule multiplies the initial rate, and goes on with the new.
        if former and now and former != now:
            group["lr"] = rate * now / former


def _settle_schedule(schedule, settings):
    vars(schedule).update(settings)
    groups = schedule.optimizer.param_groups
    schedule._last_lr = [group["lr"] for group in groups]
