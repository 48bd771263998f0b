"""The Brain that teaches a Transformer to speak in the tokens of a codec.

Teacher forcing: all steps of a sentence are predicted at once from the true
ones before. At 75 frames a second the step before tells nearly everything,
and a model would copy it and never read. So parts of the history are hidden;
and of some sentences the text, which lets generation amplify its influence.

The random choices in a step follow from seed, epoch and step, so that a
resumed run equals the uninterrupted one.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.distributed import if_main_process
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.training.ema import ExponentialMovingAverage
from speechbrain_apcodec.training.recorded_brain import RecordedBrain
from speechbrain_apcodec.tts.aligner import best_path, forward_sum_loss
from speechbrain_apcodec.tts.steps import Prediction
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.figures import save_attention


@dataclass
class Alignment:
    """Which piece of text each step says."""

    scores: Tensor  # float [batch, groups, pieces], from the aligner
    num_groups: Tensor  # int64 [batch], groups of frames of each item
    pieces: Tensor  # int64 [batch, steps]; after the last group, the last


def draw_hidden(
    shape: Iterable[int],
    share: float,
    span: int,
    device: torch.device | str | None = None,
) -> Tensor:
    """Choose the steps of the history that are hidden; bool [batch, steps].

    ``share`` of the steps, at least 0 and less than 1, is hidden in spans of
    ``span`` steps, which can overlap.
    """
    batch, steps = shape
    begins = 1 - (1 - share) ** (1 / span)
    begun = torch.rand(batch, steps + span - 1) < begins
    return begun.unfold(1, span, 1).any(dim=-1).to(device)


class TokenBrain(RecordedBrain):
    """Trains a model of text and tokens.

    Modules: ``model``, a ``tts.transformer.TokenTransformer``, and
    ``aligner``, a ``tts.aligner.TokenAligner``.

    Hyper-parameters: ``pattern`` (``tokens.patterns.DelayPattern``),
    ``history_hidden_share``, ``history_hidden_span``, ``text_hidden_share``,
    ``lr_scheduler`` (called with the optimiser before each step),
    ``ema_decay``, ``seed``, ``make_codec`` and ``generate`` (for the
    samples), ``sample_every`` (epochs), ``log_every`` (steps) and those of
    `RecordedBrain`.

    Arguments
    ---------
    modules : dict
        See above.
    opt_class : callable
        Makes the optimiser.
    hparams : dict
        See above.
    **kwargs : dict
        See ``speechbrain.Brain``.

    Raises
    ------
    ConfigurationError
        If ``guidance`` needs a model that text was hidden from, but
        ``text_hidden_share`` is 0.
    """

    BEST_TERM = "token_loss"

    def __init__(
        self,
        modules: dict[str, nn.Module],
        opt_class: Callable[..., torch.optim.Optimizer] | None = None,
        hparams: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(modules, opt_class, hparams, **kwargs)
        guided = getattr(self.hparams, "guidance", 1.0) != 1.0
        if guided and not self.hparams.text_hidden_share:
            raise ConfigurationError(
                f"guidance {self.hparams.guidance} needs a model that was also "
                "trained without text: set text_hidden_share to 0.1, say, or "
                "guidance to 1"
            )
        self.pattern = self.hparams.pattern
        self.model = self.modules.model
        self.codec = self.hparams.make_codec(
            run_opts={"device": str(self.device)}
        )
        codewords = self.codec.vocabulary[: self.pattern.num_codebooks]
        self.model.know_codewords(
            codewords.repeat_interleave(self.pattern.frames_per_step, dim=0)
        )
        self.ema = ExponentialMovingAverage(self.model, self.hparams.ema_decay)
        if self.checkpointer is not None:
            self.checkpointer.add_recoverable("ema", self.ema.module)
            self.checkpointer.add_recoverable(
                "lr_scheduler", self.hparams.lr_scheduler
            )
        self.first_sentence: tuple[Tensor, Tensor] | None = None

    # One batch ------------------------------------------------------------

    def on_fit_batch_start(self, batch: PaddedBatch, should_step: bool) -> None:
        """Seed the random choices by seed, epoch and step."""
        rank = self.rank if self.distributed_launch else 0
        epoch = self.hparams.epoch_counter.current
        torch.manual_seed(
            hash((self.hparams.seed, epoch, self.step, rank)) % 2**63
        )
        if should_step:
            self.hparams.lr_scheduler(self.optimizer)

    def compute_forward(
        self, batch: PaddedBatch, stage: sb.Stage
    ) -> tuple[Prediction, Alignment]:
        """Predict a batch's tokens, with the average weights unless training.

        The batch has ``text_ids``, int64 [batch, pieces], and ``tokens``, int64
        [batch, frames, codebooks]. The logits are those of real steps alone.
        """
        text, num_text = self._padded(batch.text_ids)
        sequence, num_steps = self._sequence(batch)
        alignment = self._align(batch, sequence.shape[1])
        inputs = self.pattern.special.prepend_bos(sequence)[:, :-1]
        steps = torch.arange(sequence.shape[1], device=self.device)
        where = steps < num_steps[:, None]
        given = (text, num_text, inputs, alignment.pieces, where)
        if stage != sb.Stage.TRAIN:
            return self.ema.module(*given), alignment
        hidden = None
        if self.hparams.history_hidden_share:
            hidden = draw_hidden(
                inputs.shape[:2],
                self.hparams.history_hidden_share,
                self.hparams.history_hidden_span,
                self.device,
            )
        textless = None
        if self.hparams.text_hidden_share:
            drawn = torch.rand(len(text)) < self.hparams.text_hidden_share
            textless = drawn.to(self.device)
        return self.modules.model(*given, hidden, textless), alignment

    def compute_objectives(
        self,
        predictions: tuple[Prediction, Alignment],
        batch: PaddedBatch,
        stage: sb.Stage,
    ) -> Tensor:
        """Sum the losses of tokens, reading and alignment."""
        prediction, alignment = predictions
        _, num_text = self._padded(batch.text_ids)
        sequence, num_steps = self._sequence(batch)
        steps = torch.arange(sequence.shape[1], device=self.device)
        targets = sequence[steps < num_steps[:, None]]
        logits = prediction.logits.float()
        pad = self.pattern.special.pad
        token_loss = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=pad
        )
        # After the last group there is no next piece.
        followed = steps[1:] < alignment.num_groups[:, None]
        advances = alignment.pieces.diff(dim=1)[followed].float()
        advance_loss = F.binary_cross_entropy_with_logits(
            prediction.advance.float()[:, :-1][followed], advances
        )
        alignment_loss = forward_sum_loss(
            alignment.scores, num_text, alignment.num_groups
        )
        loss = token_loss + advance_loss + alignment_loss
        terms = {
            "loss": loss,
            "token_loss": token_loss,
            "advance_loss": advance_loss,
            "alignment_loss": alignment_loss,
        }
        terms |= self._accuracies(logits.detach(), targets)
        self.window.add(terms)
        if stage == sb.Stage.VALID and self.first_sentence is None:
            num_frames = self._padded(batch.tokens)[1]
            self.first_sentence = (
                batch.text_ids.data[0, : num_text[0]].clone(),
                batch.tokens.data[0, : num_frames[0]].clone(),
            )
        return loss

    def on_fit_batch_end(
        self, batch: PaddedBatch, outputs: Any, loss: Tensor, should_step: bool
    ) -> None:
        """Average the weights, and log every ``log_every`` steps."""
        if not should_step:
            return
        self.ema.update(self.optimizer_step)
        if self.optimizer_step % self.hparams.log_every == 0:
            self.log("train")

    def _padded(self, padded: Any) -> tuple[Tensor, Tensor]:
        """Return data and integer lengths, on the device."""
        data = padded.data.to(self.device)
        lengths = torch.round(padded.lengths.double() * data.shape[1]).long()
        return data, lengths.to(self.device)

    def _sequence(self, batch: PaddedBatch) -> tuple[Tensor, Tensor]:
        """Arrange a batch's tokens, followed by EOS, into steps."""
        tokens, num_frames = self._padded(batch.tokens)
        ended = self.pattern.special.append_eos(tokens, num_frames)
        return self.pattern.build(ended, num_frames + 1)

    def _align(self, batch: PaddedBatch, steps: int) -> Alignment:
        """Find the piece of text that each step says."""
        text, num_text = self._padded(batch.text_ids)
        tokens, num_frames = self._padded(batch.tokens)
        group = self.pattern.frames_per_step
        # float [batch, frames, codeword_dim], up to a factor the latents
        codewords = self.model.codewords[::group]
        codebooks = torch.arange(len(codewords), device=self.device)
        latents = codewords[codebooks, tokens].sum(dim=2)
        frames = torch.arange(tokens.shape[1], device=self.device)
        beyond = frames >= num_frames[:, None]
        latents = latents.masked_fill(beyond[..., None], 0.0)
        latents = F.pad(latents, (0, 0, 0, -tokens.shape[1] % group))
        latents = latents.unflatten(1, (-1, group)).flatten(2)
        num_groups = (num_frames + group - 1) // group
        if (num_text > num_groups).any():
            worst = int((num_text - num_groups).argmax())
            raise ConfigurationError(
                f"the sentence {batch.id[worst]} has {num_text[worst]} pieces "
                f"of text, but only {num_groups[worst]} steps of speech: leave "
                "it out, or set frames_per_step to 1 or another text_type"
            )
        scores = self.modules.aligner(text, num_text, latents, num_groups)
        path = best_path(scores.detach(), num_text, num_groups)
        last = (num_text - 1)[:, None].expand(-1, steps - path.shape[1])
        return Alignment(scores, num_groups, torch.cat([path, last], dim=1))

    def _accuracies(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the share of right tokens of each codebook."""
        right = (logits.argmax(dim=-1) == targets).float()
        given = (targets != self.pattern.special.pad).float()
        books = self.pattern.num_codebooks
        right = (right * given).sum(dim=0).view(books, -1).sum(dim=1)
        share = right / given.sum(dim=0).view(books, -1).sum(dim=1)
        return {f"accuracy_{k + 1}": share[k] for k in range(books)}

    # Logging and checkpoints ----------------------------------------------

    def show(self, epoch: int | None) -> None:
        """Make a sample after every ``sample_every`` epochs."""
        due = epoch is not None and epoch % self.hparams.sample_every == 0
        if due and if_main_process():
            self._speak()

    def _speak(self) -> None:
        """Say the first sentence of the validation; save sound and picture."""
        assert self.first_sentence is not None  # a validation came before
        text, tokens = self.first_sentence
        num_text = torch.tensor([len(text)], device=self.device)
        spoken = self.hparams.generate(
            self.ema.module, text[None].to(self.device), num_text
        )
        save_attention(
            self.history.folder / "attention.png",
            spoken.attention[0],
            spoken.pieces[0],
            title=f"Attention after {self.optimizer_step} steps",
        )
        self.last_pair = tuple(
            self.codec.decode(x)[0][0].cpu()
            for x in (tokens[None], spoken.tokens)
        )
        self.draw_pictures()
