"""What every Brain here does around its steps: records, resumes, checks.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import speechbrain as sb
import torch
import yaml
from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from torch import Tensor, nn

from speechbrain_apcodec.training.history import History, Window, cut_log
from speechbrain_apcodec.utils.errors import (
    NOTICE,
    APCodecError,
    ConfigurationError,
)
from speechbrain_apcodec.utils.types import Wav

logger = get_logger(__name__)


@register_checkpoint_hooks
class RecordedBrain(sb.Brain):
    """A Brain with a record that a resumed run continues.

    A subclass adds the terms of its steps to ``window``, calls ``log`` where
    a window ends, and returns from ``end_validation`` what a checkpoint is
    compared with others by.

    Hyper-parameters: ``output_folder``, ``train_log``, ``train_loggers``,
    ``use_tensorboard``, ``tensorboard`` and ``epoch_counter``. The arguments
    are those of ``speechbrain.Brain``.
    """

    # SpeechBrain's own attributes, which it does not type.
    optimizer_step: int
    optimizer_step_limit: int | None
    scaler: torch.GradScaler

    #: Original and decoded waveform, to be seen and heard.
    last_pair: tuple[Wav, Wav]
    #: Term of the record that is worth a warning if it stops falling.
    PLATEAU_TERM: str | None = None
    #: Term of the validation of which the lowest value is best.
    BEST_TERM: str

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        opt_class: Callable[..., Any] | None = None,
        hparams: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(modules, opt_class, hparams, **kwargs)
        if self.optimizer_step_limit is not None:
            # SpeechBrain 1.1 leaves it a string if the command line has it.
            self.optimizer_step_limit = int(self.optimizer_step_limit)
        self.history = History(self.hparams.output_folder)
        self.train_loggers = list(self.hparams.train_loggers)
        self.window = Window()
        self.training_window = self.window
        self.stopping = False

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train; Ctrl-C ends it after the current step, which is saved.

        It then raises ``KeyboardInterrupt``.
        """
        with self._stoppable():
            super().fit(*args, **kwargs)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """End softly at the first SIGINT, and at once at the second."""
        if (
            self.checkpointer is None
            or self.distributed_launch  # torchrun ends all processes itself
            or threading.current_thread() is not threading.main_thread()
        ):
            yield
            return

        def stop(*_: object) -> None:
            signal.signal(signal.SIGINT, former)
            self.stopping = True
            logger.log(
                NOTICE, "Saving after this step; Ctrl-C again stops at once"
            )

        former = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, former)

    def check_best(self) -> None:
        """Refuse a run that was validated, but never with a finite result."""
        if self.checkpointer is None:
            return
        values = [
            checkpoint.meta[self.BEST_TERM]
            for checkpoint in self.checkpointer.list_checkpoints()
            if self.BEST_TERM in checkpoint.meta
        ]
        if values and not any(map(math.isfinite, values)):
            raise APCodecError(
                f"{self.BEST_TERM} was never finite in validation: nothing "
                "was learned; lower learning_rate, and look for what is "
                "wrong in the data"
            )

    def check_loss_isfinite(self, loss: Tensor) -> None:
        """Count losses that are not finite, up to ``nonfinite_patience``."""
        try:
            super().check_loss_isfinite(loss)
        except ValueError as error:
            raise APCodecError(
                f"Loss is not finite, {self.nonfinite_count} times in this "
                "epoch, and patience is exhausted: lower learning_rate, or "
                "raise nonfinite_patience; the checkpoints are kept"
            ) from error

    def check_length(self, num_batches: int) -> None:
        """Refuse a run whose epoch has no batch for each process."""
        if num_batches == 0:
            ranks = int(os.environ.get("WORLD_SIZE", 1))
            raise ConfigurationError(
                "an epoch has too few items for one batch on each of "
                f"{ranks} process(es): add recordings or lower batch_size"
            )

    def on_fit_start(self) -> None:
        """Prepare everything, recover, and cut the history to match."""
        super().on_fit_start()
        self.history.resume(self.optimizer_step, in_epoch=self.step > 0)
        cut_log(self.hparams.train_log, self.optimizer_step)
        if self.hparams.use_tensorboard:
            self.train_loggers.append(
                self.hparams.tensorboard(purge_step=self.optimizer_step + 1)
            )
        self.window.to(self.device)

    def log(self, stage: str, **meta: Any) -> dict[str, float]:
        """Close the window, write its means to every log and return them."""
        self.window.gather()
        stats = self.window.means()
        self.window = Window()
        if if_main_process():
            self.history.append(stage, self.optimizer_step, stats)
            if self.PLATEAU_TERM and self.history.is_on_plateau(
                self.PLATEAU_TERM
            ):
                logger.warning(
                    "%s has not fallen for %d log lines: if that is "
                    "early in a run, see whether the latents carry "
                    "information and the codebooks are used",
                    self.PLATEAU_TERM,
                    self.history.PATIENCE,
                )
        epoch = self.hparams.epoch_counter.current
        meta = {"epoch": epoch, "step": self.optimizer_step, **meta}
        # On all ranks: SpeechBrain's loggers choose the main one themselves,
        # and the others wait for it.
        for train_logger in self.train_loggers:
            train_logger.log_stats(meta, **{f"{stage}_stats": stats})
        return stats

    def on_stage_start(self, stage: sb.Stage, epoch: int | None = None) -> None:
        """Keep the open window of the training apart from the validation."""
        if stage != sb.Stage.TRAIN:
            self.training_window, self.window = self.window, Window()

    def on_stage_end(
        self, stage: sb.Stage, stage_loss: float, epoch: int | None = None
    ) -> None:
        """Log, and save a checkpoint after a validation."""
        if stage == sb.Stage.TRAIN:
            return
        meta = {}
        if stage == sb.Stage.VALID:  # the first optimiser is the main one
            optimizer = next(iter(self.optimizers_dict.values()))
            meta["learning_rate"] = optimizer.param_groups[0]["lr"]
        stats = self.log(stage.name.lower(), **meta)
        self.window = self.training_window
        if stage == sb.Stage.TEST:
            return
        metrics = self.end_validation(stats)
        if self.checkpointer is not None:
            self.checkpointer.save_and_keep_only(
                meta={
                    "epoch": epoch,
                    "optimizer_step": self.optimizer_step,
                    **metrics,
                },
                min_keys=[self.BEST_TERM],
            )
        self.show(epoch)

    def end_validation(self, stats: dict[str, float]) -> dict[str, float]:
        """Choose from the means what a checkpoint is compared by."""
        return {self.BEST_TERM: stats[self.BEST_TERM]}

    def show(self, epoch: int | None) -> None:
        """Save pictures and sounds of what has been learned so far."""
        self.draw_pictures()

    def on_evaluate_start(
        self, max_key: str | None = None, min_key: str | None = None
    ) -> None:
        """Load the best checkpoint; by default the lowest ``BEST_TERM``."""
        if max_key is None and min_key is None:
            min_key = self.BEST_TERM
        if self.checkpointer and not self.checkpointer.find_checkpoint(
            max_key=max_key, min_key=min_key
        ):
            logger.warning(
                "No checkpoint says its %s yet: evaluating the newest one",
                max_key or min_key,
            )
            max_key = min_key = None
        super().on_evaluate_start(max_key, min_key)

    def draw_pictures(self) -> None:
        """Save curves and the last pair of sounds, if that is possible."""
        pair = (*self.last_pair, self.codec.sample_rate, self.optimizer_step)
        try:
            if if_main_process():
                self.history.draw(*pair)
            for train_logger in self.train_loggers:
                if hasattr(train_logger, "log_pair"):
                    train_logger.log_pair(*pair)
        except (APCodecError, OSError) as error:
            # A picture is not worth a run.
            logger.warning("No pictures of this epoch: %s", error)

    def _should_save_intra_epoch_ckpt(
        self, last_ckpt_time: float, steps_since_ckpt: int
    ) -> bool:
        # Gradients are not saved: wait until none are accumulated.
        if self.step % self.grad_accumulation_factor != 0:
            return False
        return self.stopping or super()._should_save_intra_epoch_ckpt(
            last_ckpt_time, steps_since_ckpt
        )

    def _save_intra_epoch_ckpt(self) -> None:
        super()._save_intra_epoch_ckpt()
        if self.stopping:
            raise KeyboardInterrupt

    @mark_as_saver
    def _save(self, path: Path) -> None:
        state = {
            "step": self.step,
            "avg_train_loss": float(self.avg_train_loss),
            "optimizer_step": self.optimizer_step,
            "window": self.window.state(),
        }
        with Path(path).open("w", encoding="utf-8") as stream:
            yaml.safe_dump(state, stream)

    @mark_as_loader
    def _recover(self, path: Path, end_of_epoch: bool) -> None:
        with Path(path).open(encoding="utf-8") as stream:
            state = yaml.safe_load(stream)
        self.window = Window.from_state(state.pop("window"))
        for name, value in state.items():
            setattr(self, name, value)
