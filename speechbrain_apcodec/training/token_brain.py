"""The Brain that teaches a Transformer to speak in the tokens of a codec.

Teacher forcing: all steps of a sentence are predicted at once from the true
ones before. At 150 frames a second the step before tells nearly everything,
and a model would copy it and never read. So parts of the history are hidden,
and the attention is guided along the diagonal (https://arxiv.org/abs/1710.08969).

What chance decides in a step follows from seed, epoch and step, so that a
resumed run is the run that was never interrupted.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import speechbrain as sb
import torch
from speechbrain.utils.distributed import if_main_process
from torch.nn import functional as F

from speechbrain_apcodec.training.ema import ExponentialMovingAverage
from speechbrain_apcodec.training.recorded_brain import RecordedBrain
from speechbrain_apcodec.utils.figures import save_attention


def draw_hidden(shape, share, span, device=None):
    """Choose the steps of the history that are hidden, in spans.

    Arguments
    ---------
    shape : tuple of int
        Batch and steps.
    share : float
        Share of steps to hide, at least 0 and less than 1.
    span : int
        Steps of a span; spans can overlap.
    device : torch.device, optional
        Where to.

    Returns
    -------
    torch.Tensor
        bool [batch, steps].

    Example
    -------
    >>> _ = torch.manual_seed(0)
    >>> hidden = draw_hidden((8, 1000), 0.4, 5)
    >>> round(hidden.float().mean().item(), 1)
    0.4
    """
    batch, steps = shape
    begins = 1 - (1 - share) ** (1 / span)
    begun = torch.rand(batch, steps + span - 1) < begins
    return begun.unfold(1, span, 1).any(dim=-1).to(device)


class TokenBrain(RecordedBrain):
    """Trains a model of text and tokens.

    Modules: ``model``, a ``lobes.token_transformer.TokenTransformer``.

    Hyper-parameters: ``pattern`` (``tokens.patterns.DelayPattern``),
    ``guided_attention`` (SpeechBrain's loss), ``guided_attention_weight``,
    ``history_hidden_share``, ``history_hidden_span``, ``lr_scheduler``
    (called with the optimiser before each step), ``ema_decay``, ``seed``,
    ``make_codec`` and ``generate`` (for the samples), ``sample_every``
    (epochs), ``log_every`` (steps) and those of `RecordedBrain`.

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
    """

    BEST_TERM = "token_loss"

    def __init__(self, modules, opt_class=None, hparams=None, **kwargs):
        super().__init__(modules, opt_class, hparams, **kwargs)
        self.pattern = self.hparams.pattern
        self.model = self.modules.model
        self.ema = ExponentialMovingAverage(self.model, self.hparams.ema_decay)
        if self.checkpointer is not None:
            self.checkpointer.add_recoverable("ema", self.ema.module)
            self.checkpointer.add_recoverable(
                "lr_scheduler", self.hparams.lr_scheduler
            )
        self.codec = None
        self.first_sentence = None

    # One batch ------------------------------------------------------------

    def on_fit_batch_start(self, batch, should_step):
        """Let chance follow from seed, epoch and step.

        Arguments
        ---------
        batch : speechbrain.dataio.batch.PaddedBatch
            The batch.
        should_step : bool
            Whether the optimiser steps after it.
        """
        rank = self.rank if self.distributed_launch else 0
        epoch = self.hparams.epoch_counter.current
        torch.manual_seed(
            hash((self.hparams.seed, epoch, self.step, rank)) % 2**63
        )
        if should_step:
            self.hparams.lr_scheduler(self.optimizer)

    def compute_forward(self, batch, stage):
        """Predict a batch's tokens, with the average weights unless training.

        Arguments
        ---------
        batch : speechbrain.dataio.batch.PaddedBatch
            With ``text_ids``, int64 [batch, pieces], and ``tokens``, int64
            [batch, frames, codebooks].
        stage : speechbrain.Stage
            Train, valid or test.

        Returns
        -------
        speechbrain_apcodec.lobes.token_transformer.Prediction
            With the logits of those steps that an item has.
        """
        text, num_text = self._padded(batch.text_ids)
        sequence, num_steps = self._sequence(batch)
        inputs = self.pattern.special.prepend_bos(sequence)[:, :-1]
        steps = torch.arange(sequence.shape[1], device=self.device)
        where = steps < num_steps[:, None]
        if stage != sb.Stage.TRAIN:
            return self.ema.module(text, num_text, inputs, where)
        hidden = None
        if self.hparams.history_hidden_share:
            hidden = draw_hidden(
                inputs.shape[:2],
                self.hparams.history_hidden_share,
                self.hparams.history_hidden_span,
                self.device,
            )
        return self.modules.model(text, num_text, inputs, where, hidden)

    def compute_objectives(self, predictions, batch, stage):
        """Sum the losses of tokens and attention.

        Arguments
        ---------
        predictions : speechbrain_apcodec.lobes.token_transformer.Prediction
            From ``compute_forward``.
        batch : speechbrain.dataio.batch.PaddedBatch
            The same batch.
        stage : speechbrain.Stage
            Train, valid or test.

        Returns
        -------
        torch.Tensor
            Scalar.
        """
        _, num_text = self._padded(batch.text_ids)
        sequence, num_steps = self._sequence(batch)
        steps = torch.arange(sequence.shape[1], device=self.device)
        targets = sequence[steps < num_steps[:, None]]
        logits = predictions.logits.float()
        pad = self.pattern.special.pad
        token_loss = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=pad
        )
        attention_loss = self.hparams.guided_attention(
            predictions.attention.mean(dim=1).float(), num_text, num_steps
        )
        weight = self.hparams.guided_attention_weight
        loss = token_loss + weight * attention_loss
        terms = {
            "loss": loss,
            "token_loss": token_loss,
            "attention_loss": attention_loss,
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

    def on_fit_batch_end(self, batch, outputs, loss, should_step):
        """Follow the weights, and log now and then.

        Arguments
        ---------
        batch : speechbrain.dataio.batch.PaddedBatch
            The batch.
        outputs : speechbrain_apcodec.lobes.token_transformer.Prediction
            What was predicted.
        loss : torch.Tensor
            Scalar.
        should_step : bool
            Whether the optimiser stepped.
        """
        if not should_step:
            return
        self.ema.update(self.optimizer_step)
        if self.optimizer_step % self.hparams.log_every == 0:
            self.log("train")

    def _padded(self, padded):
        """Return data and integer lengths, on the device."""
        data = padded.data.to(self.device)
        lengths = torch.round(padded.lengths.double() * data.shape[1]).long()
        return data, lengths.to(self.device)

    def _sequence(self, batch):
        """Arrange a batch's tokens, EOS behind them, into steps."""
        tokens, num_frames = self._padded(batch.tokens)
        ended = self.pattern.special.append_eos(tokens, num_frames)
        return self.pattern.build(ended, num_frames + 1)

    def _accuracies(self, logits, targets):
        """Count the right tokens of each codebook."""
        right = (logits.argmax(dim=-1) == targets).float()
        given = (targets != self.pattern.special.pad).float()
        books = self.pattern.num_codebooks
        right = (right * given).sum(dim=0).view(books, -1).sum(dim=1)
        share = right / given.sum(dim=0).view(books, -1).sum(dim=1)
        return {f"accuracy_{k + 1}": share[k] for k in range(books)}

    # Logging and checkpoints ----------------------------------------------

    def show(self, epoch):
        """Let a sentence be heard, after some of the epochs.

        Arguments
        ---------
        epoch : int
            The current epoch.
        """
        if epoch % self.hparams.sample_every == 0 and if_main_process():
            self._speak()

    def _speak(self):
        """Say the first sentence of the validation; save what is heard."""
        if self.codec is None:
            self.codec = self.hparams.make_codec(
                run_opts={"device": str(self.device)}
            )
        text, tokens = self.first_sentence
        num_text = torch.tensor([len(text)], device=self.device)
        spoken = self.hparams.generate(
            self.ema.module, text[None].to(self.device), num_text
        )
        save_attention(
            self.history.folder / "attention.png",
            spoken.attention[0],
            title=f"Attention after {self.optimizer_step} steps",
        )
        self.last_pair = tuple(
            self.codec.decode(x)[0][0].cpu()
            for x in (tokens[None], spoken.tokens)
        )
        self.draw_pictures()
