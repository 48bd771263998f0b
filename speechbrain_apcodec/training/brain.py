"""The Brain that trains the codec against its discriminators.

A batch trains the discriminators first, then the generator. One pass of the
codec serves both; ``adversarial.py`` says what else is computed once.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from collections.abc import Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.logger import get_logger
from torch import Tensor, nn

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.training.adversarial import (
    adversarial_terms,
    discriminator_terms,
    level_gain,
)
from speechbrain_apcodec.training.distillation import (
    FeatureDistillation,
    captured_features,
)
from speechbrain_apcodec.training.ema import ExponentialMovingAverage
from speechbrain_apcodec.training.mean_metrics import mean_metrics
from speechbrain_apcodec.training.quantizer_dropout import draw_num_codebooks
from speechbrain_apcodec.training.recorded_brain import RecordedBrain
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Tokens

logger = get_logger(__name__)


class CodecBrain(RecordedBrain):
    """Trains a codec with spectral, quantisation and GAN losses.

    Modules: ``codec``, and ``discriminators`` unless there is no GAN.

    Hyper-parameters: ``loss``, ``generator_opt_class``,
    ``discriminator_opt_class``, ``generator_scheduler``,
    ``discriminator_scheduler`` (callables that take the optimiser),
    ``epoch_counter``, ``seed``, ``ema_decay`` (0: none),
    ``discriminator_start`` (optimiser steps before the GAN begins),
    ``discriminator_every`` (steps between two in which it takes part),
    ``discriminator_level_db`` (at which it hears every item, or None),
    ``quantizer_dropout`` (share of items with fewer codebooks),
    ``frozen_parts`` (of the codec, not trained), ``codebook_health``,
    ``log_every`` (steps a log line), ``valid_metrics`` (dict of callables
    of reference and decoded waveform) and those of `RecordedBrain`.

    With ``make_distillation``, a callable that takes the codec and returns a
    ``training.distillation.FeatureDistillation``, a frozen teacher is
    distilled into it.

    The arguments are those of ``speechbrain.Brain``; ``opt_class`` is unused,
    as generator and discriminators have optimisers of their own.
    """

    PLATEAU_TERM = BEST_TERM = "mel_mae"

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        opt_class: None = None,
        hparams: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.distillation: FeatureDistillation | None = None
        if hparams and "make_distillation" in hparams:
            self.distillation = hparams["make_distillation"](modules["codec"])
            modules = {**modules, "distillation": self.distillation}
        super().__init__(modules, opt_class, hparams, **kwargs)
        self.codec = self.modules.codec
        self.hparams.loss.to(self.device)
        for part in self.hparams.frozen_parts:
            getattr(self.codec, part).requires_grad_(False)
        self.health = self.hparams.codebook_health
        if "quantizer" in self.hparams.frozen_parts and self.health.active:
            raise ConfigurationError(
                "frozen_parts names the quantizer, but its codebooks would "
                "be changed: set warmup_steps: 0 and restart_every: 0"
            )
        self.has_gan = "discriminators" in self.modules
        self.ema: ExponentialMovingAverage | None = None
        if self.hparams.ema_decay:
            self.ema = ExponentialMovingAverage(
                self.codec, self.hparams.ema_decay
            )
        self.scalers = {
            "generator": self.scaler,
            "discriminator": torch.GradScaler(
                self.device, enabled=self.scaler.is_enabled()
            ),
        }
        self.player = "generator"
        if self.checkpointer is not None:
            self._add_recoverables()

    def _add_recoverables(self) -> None:
        # Here, not in init_optimizers: evaluate() alone needs them too.
        self.checkpointer.add_recoverable("health", self.health)
        if self.ema is not None:
            self.checkpointer.add_recoverable("ema", self.ema.module)
        if self.distillation is not None and self.distillation.projections:
            self.checkpointer.add_recoverable(
                "projections", self.distillation.projections
            )
        if self.scaler.is_enabled():
            self.checkpointer.add_recoverable(
                "discriminator_scaler",
                self.scalers["discriminator"],
                optional_load=True,
            )

    # Optimisers -----------------------------------------------------------

    def init_optimizers(self) -> None:
        """Make and register an optimiser and a scheduler a player."""
        players = {"generator": self.modules.codec}
        if self.has_gan:
            players["discriminator"] = self.modules.discriminators
        self.optimizers_dict, self.schedulers = {}, {}
        for name, module in players.items():
            trained = [p for p in module.parameters() if p.requires_grad]
            if name == "generator" and self.distillation is not None:
                trained += self.distillation.projections.parameters()
            optimizer = getattr(self.hparams, f"{name}_opt_class")(trained)
            scheduler = getattr(self.hparams, f"{name}_scheduler")(optimizer)
            self.optimizers_dict[name] = optimizer
            self.schedulers[name] = scheduler
            if self.checkpointer is not None:
                self.checkpointer.add_recoverable(f"{name}_opt", optimizer)
                self.checkpointer.add_recoverable(
                    f"{name}_scheduler", scheduler
                )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients: with zeros, AdamW would still step."""
        for optimizer in (self.optimizers_dict or {}).values():
            optimizer.zero_grad(set_to_none=set_to_none)

    def on_fit_start(self) -> None:
        """Prepare everything, recover, and cut the history to match."""
        super().on_fit_start()
        if self.optimizer_step == 0 and self.ema is not None:
            # The weights may have been loaded after the Brain was made.
            self.ema.reset()

    def check_length(self, num_batches: int) -> None:
        """Refuse a run that would end before the quantiser is trained."""
        super().check_length(num_batches)
        epochs = self.hparams.epoch_counter.limit
        steps = epochs * (num_batches // self.grad_accumulation_factor)
        if steps <= self.health.warmup_steps:
            raise ConfigurationError(
                f"{epochs} epochs of {num_batches} batches end before the "
                f"warm-up of {self.health.warmup_steps} steps, and the "
                "quantiser would never be trained: raise number_of_epochs"
            )

    # One batch ------------------------------------------------------------

    def fit_batch(self, batch: PaddedBatch) -> Tensor:
        """Train the discriminators, then the generator, on one batch.

        The batch has ``sig``, float [batch, samples]; the generator's loss is
        returned.
        """
        should_step = self.step % self.grad_accumulation_factor == 0
        self.on_fit_batch_start(batch, should_step)
        step = self.optimizer_step
        self._maintain_codebooks(step)
        wavs = batch.sig.data.to(self.device)
        gan_is_due = self._gan_is_due(step)
        gain = level_gain(wavs, self.hparams.discriminator_level_db)
        names = self.distillation.names if self.distillation else []
        terms: dict[str, Tensor] = {}
        with self.no_sync(not should_step):
            with (
                self.training_ctx,
                captured_features(self.codec, names) as features,
            ):
                output = self.compute_forward(batch, sb.Stage.TRAIN)
            if gan_is_due:
                judged = (gain * wavs, gain * output.decoded)
                self._take_turn("discriminator")
                with self.training_ctx:
                    terms |= discriminator_terms(
                        self.modules.discriminators, self.hparams.loss, *judged
                    )
                    loss = self.hparams.loss.total(terms)
                if not self._backward(loss, batch):
                    return self._skipped(step, should_step)
                if should_step:
                    self.optimizers_step()
            self._take_turn("generator")
            with self.training_ctx:
                generator_terms = self.hparams.loss.reconstruction(output)
                if gan_is_due:
                    generator_terms |= adversarial_terms(
                        self.modules.discriminators, self.hparams.loss, *judged
                    )
                if self.distillation is not None:
                    generator_terms |= self.modules.distillation(
                        features, output.natural
                    )
                loss = self.hparams.loss.total(generator_terms)
            terms |= generator_terms | {"generator_total": loss}
            if not self._backward(loss, batch):
                return self._skipped(step, should_step)
        if should_step:
            self.optimizers_step()
            # Both players step once a batch: count the batch, not them.
            self.optimizer_step = step + 1
            if self.ema is not None:
                self.ema.update(step)
        tokens = _tokens(output)
        self.health.observe(output.latent, tokens)
        self._accumulate(terms, tokens)
        if should_step and self.optimizer_step % self.hparams.log_every == 0:
            self.log("train")
        self.on_fit_batch_end(batch, output, loss, should_step)
        return loss.detach().cpu()

    def compute_forward(
        self, batch: PaddedBatch, stage: sb.Stage
    ) -> CodecOutput:
        """Encode and decode; unless training, with the average weights."""
        wavs = batch.sig.data.to(self.device)
        if stage == sb.Stage.TRAIN:
            return self.modules.codec(
                wavs,
                self._draw_num_codebooks(len(wavs)),
                self.health.quantizes(self.optimizer_step),
            )
        codec = self.codec if self.ema is None else self.ema.module
        return codec(wavs, quantize=self._has_quantized())

    def _has_quantized(self) -> bool:
        """Tell whether the last training step used the quantiser."""
        return self.health.quantizes(max(0, self.optimizer_step - 1))

    def compute_objectives(
        self, predictions: CodecOutput, batch: PaddedBatch, stage: sb.Stage
    ) -> Tensor:
        """Weight and sum the terms of a validation, which has no GAN."""
        terms = self.hparams.loss.reconstruction(predictions)
        loss = self.hparams.loss.total(terms)
        wavs = batch.sig.data.to(predictions.decoded)
        terms |= mean_metrics(
            self.hparams.valid_metrics, wavs, predictions.decoded
        )
        terms |= {"generator_total": loss}
        self._accumulate(terms, _tokens(predictions))
        self.last_pair = (wavs[0].cpu(), predictions.decoded[0].float().cpu())
        return loss

    def _gan_is_due(self, step: int) -> bool:
        """Tell whether the GAN takes part in a step."""
        since = step - self.hparams.discriminator_start
        return (
            self.has_gan
            and since >= 0
            and since % self.hparams.discriminator_every == 0
        )

    def _draw_num_codebooks(self, batch_size: int) -> Tensor | None:
        """Choose a bitrate for each item, reproducibly."""
        rank = self.rank if self.distributed_launch else 0
        epoch = self.hparams.epoch_counter.current
        number = draw_num_codebooks(
            batch_size,
            self.codec.num_codebooks,
            self.hparams.quantizer_dropout,
            seed=hash((self.hparams.seed, epoch, self.step, rank)) % 2**63,
        )
        return None if number is None else number.to(self.device)

    def _backward(self, loss: Tensor, batch: PaddedBatch) -> bool:
        """Backpropagate a finite loss; report and refuse any other."""
        finite = torch.isfinite(loss.detach()).float()
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(
                finite, op=torch.distributed.ReduceOp.MIN
            )
        if not finite:
            logger.warning(
                "The %s's loss is %s: skipping the batch of %s",
                self.player,
                loss.item(),
                batch.id,
            )
            self.check_loss_isfinite(loss.new_tensor(math.nan))
            return False
        self.scaler.scale(loss / self.grad_accumulation_factor).backward()
        return True

    def _skipped(self, step: int, should_step: bool) -> Tensor:
        self.zero_grad()
        self._take_turn("generator")
        if should_step:
            self.optimizer_step = step + 1
        return torch.tensor(math.nan)

    def optimizers_step(self) -> None:
        """Step the player whose turn it is, unless a gradient is not finite.

        SpeechBrain's own method steps on after clipping by a norm that is
        not finite, which makes every weight so.
        """
        optimizer = self.optimizers_dict[self.player]
        self.scaler.unscale_(optimizer)
        limit = self.max_grad_norm if self.max_grad_norm > 0 else math.inf
        norm = torch.nn.utils.clip_grad_norm_(
            [p for g in optimizer.param_groups for p in g["params"]], limit
        )
        if torch.isfinite(norm):
            self._accumulate({f"{self.player}_gradient_norm": norm})
        elif not self.scaler.is_enabled():
            logger.warning(
                "The %s's gradient is not finite: skipping its step",
                self.player,
            )
            self.check_loss_isfinite(norm)
            optimizer.zero_grad(set_to_none=True)
            return
        with self.training_ctx:  # Muon multiplies matrices
            self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.zero_grad(set_to_none=True)

    def _take_turn(self, player: str) -> None:
        """Let a player train, with its own loss scale."""
        self.player = player
        self.scaler = self.scalers[player]

    @torch.no_grad()
    def _maintain_codebooks(self, step: int) -> None:
        accumulation = self.grad_accumulation_factor
        if self.step % accumulation != 1 % accumulation:
            return  # within a window of accumulation
        done = self.health.maintain(step)
        if done.initialized:
            logger.info("Step %d: codebooks initialised", step)
            if self.ema is not None:
                self.ema.reset()
        if any(done.num_restarted):
            logger.info("Step %d: restarted %s", step, done.num_restarted)
        if self.ema is not None:
            done.carry_over(self.ema.module.quantizer)

    # Logging and checkpoints ----------------------------------------------

    def _accumulate(
        self,
        terms: Mapping[str, Tensor | float],
        tokens: Tokens | None = None,
    ) -> None:
        self.window.add(terms)
        if tokens is not None:
            self.window.count(tokens, self.codec.codebook_size)

    def end_validation(self, stats: dict[str, float]) -> dict[str, float]:
        """Step the schedulers, and name the metric of the checkpoint.

        There is none while the quantiser is left out: every metric looks
        better then than it will ever be again.
        """
        self.schedulers["generator"].step()
        if (
            self.has_gan
            and self.optimizer_step > self.hparams.discriminator_start
        ):
            self.schedulers["discriminator"].step()
        return super().end_validation(stats) if self._has_quantized() else {}


def _tokens(output: CodecOutput) -> Tokens | None:
    return None if output.quantized is None else output.quantized.tokens
