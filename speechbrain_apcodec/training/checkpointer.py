"""Checkpoints that count only when they are whole.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.checkpoints import METAFNAME, Checkpoint, Checkpointer
from speechbrain.utils.distributed import ddp_barrier, if_main_process

from speechbrain_apcodec.utils.atomic import temporary_beside
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError

# The meta file while the others are being written.
_UNFINISHED = f".{METAFNAME}"

# Bytes that are tried beside those that were written.
_MORE = 1 << 20

# The progress of a schedule; its other attributes are settings.
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

    Where checkpoints are ordered, NaN is the worst of values. Loading brings
    the progress of a training alone: optimisers and schedules keep the
    settings that they were made with.

    The arguments are those of ``speechbrain.utils.checkpoints.Checkpointer``.
    """

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> Checkpoint | None:
        """Save a checkpoint; None on other processes than the main one.

        A full disk, or a limit of file sizes, for which PyTorch raises a
        ``RuntimeError``, is an ``OSError`` here.
        """
        if if_main_process():
            self._clear_up()
        try:
            checkpoint = super().save_checkpoint(*args, **kwargs)
        except RuntimeError as error:
            written = self._unfinished_bytes()
            self._clear_up()
            reason = self._writing_error(written + _MORE)
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
        self,
        importance_key: Callable[[Checkpoint], float] | None = None,
        max_key: str | None = None,
        min_key: str | None = None,
        **kwargs: Any,
    ) -> list[Checkpoint]:
        """Find checkpoints, the best first and those of NaN last."""
        key, sign = (min_key, -1) if min_key else (max_key, 1)
        if key is None or importance_key is not None:
            return super().find_checkpoints(
                importance_key, max_key, min_key, **kwargs
            )
        given = kwargs.pop("ckpt_predicate", None)

        def importance(checkpoint: Checkpoint) -> float:
            value = sign * checkpoint.meta[key]
            return -math.inf if math.isnan(value) else value

        def has_key(checkpoint: Checkpoint) -> bool:
            return key in checkpoint.meta and (not given or given(checkpoint))

        return super().find_checkpoints(
            importance, ckpt_predicate=has_key, **kwargs
        )

    def list_checkpoints(self) -> list[Checkpoint]:
        """List all checkpoints; refuse a damaged meta file."""
        with damage_named(
            CheckpointError,
            f"a {METAFNAME} below {self.checkpoints_dir} is damaged",
            "remove its folder",
        ):
            found = super().list_checkpoints()
            for checkpoint in found:
                checkpoint.meta["unixtime"] + 0
            return found

    def load_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, with the present settings."""
        restorers = [
            _settings_restorer(obj) for obj in self.recoverables.values()
        ]
        with damage_named(
            CheckpointError,
            f"{checkpoint.path} is damaged, or of another configuration",
            "go on with that of the run, or remove the folder to go on from "
            "an earlier one",
        ):
            super().load_checkpoint(checkpoint)
        for restore in restorers:
            restore()

    def _unfinished_bytes(self) -> int:
        """Count the bytes of an unfinished checkpoint."""
        return sum(
            path.stat().st_size
            for unfinished in self.checkpoints_dir.glob(f"*/{_UNFINISHED}")
            for path in unfinished.parent.iterdir()
        )

    def _writing_error(self, num_bytes: int) -> OSError | None:
        """Try to write so many bytes, and return the error, if any."""
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

    def _clear_up(self) -> None:
        for unfinished in self.checkpoints_dir.glob(f"*/{_UNFINISHED}"):
            shutil.rmtree(unfinished.parent, ignore_errors=True)

    def _save_checkpoint_metafile(
        self, fpath: Path, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        return super()._save_checkpoint_metafile(
            fpath.with_name(_UNFINISHED), *args, **kwargs
        )


def _settings_restorer(obj: object) -> Callable[[], None]:
    """Return a function that gives an object its present settings again."""
    if isinstance(obj, torch.optim.Optimizer):
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in obj.param_groups
        ]
        return lambda: _restore_optimizer(obj, groups)
    if isinstance(obj, torch.optim.lr_scheduler.LRScheduler):
        settings = {
            key: value
            for key, value in vars(obj).items()
            if key not in _PROGRESS
            and key[0] != "_"
            and isinstance(value, int | float | str | bool | list | None)
        }
        return lambda: _restore_schedule(obj, settings)
    return lambda: None


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]
) -> None:
    for group, settings in zip(optimizer.param_groups, groups, strict=True):
        rate, former = group["lr"], group.get("initial_lr")
        now = settings.get("initial_lr")
        group.update(settings)
        group["lr"] = rate
        # A schedule multiplies the initial rate, and goes on with the new.
        if former and now and former != now:
            group["lr"] = rate * now / former


def _restore_schedule(
    schedule: torch.optim.lr_scheduler.LRScheduler, settings: dict[str, Any]
) -> None:
    vars(schedule).update(settings)
    groups = schedule.optimizer.param_groups
    schedule._last_lr = [group["lr"] for group in groups]
