"""A SpeechBrain recipe of somebody else, whose targets are our tokens."""

import sys
from pathlib import Path

import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.tokens.flattening import token_index_offsets


class TokenBrain(sb.Brain):
    """Predicts each step of the delay pattern from those before it."""

    def compute_forward(self, batch, stage):
        """Return logits [batch, steps, codebooks, classes], and targets."""
        hparams, special = self.hparams, self.hparams.pattern.special
        tokens, lengths = batch.to(self.device).tokens
        num_frames = (lengths * tokens.shape[1]).round().long()
        ended = special.append_eos(tokens, num_frames)
        targets, _ = hparams.pattern.build(ended, num_frames + 1)
        inputs = special.prepend_bos(targets)[:, :-1]
        offsets = token_index_offsets(hparams.num_codebooks, hparams.classes)
        embedded = self.modules.embedding(inputs + offsets.to(self.device))
        hidden, _ = self.modules.rnn(embedded.sum(dim=2))
        logits = self.modules.head(hidden)
        return logits.unflatten(-1, (hparams.num_codebooks, -1)), targets

    def compute_objectives(self, predictions, batch, stage):
        """Compute the cross-entropy where there is a token."""
        logits, targets = predictions
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 2),
            targets.flatten(),
            ignore_index=self.hparams.pattern.special.pad,
        )

    def fit_batch(self, batch):
        """Train one step and keep its loss."""
        loss = super().fit_batch(batch)
        with Path(self.hparams.output_folder, "losses.txt").open("a") as file:
            print(loss.item(), file=file)
        return loss


if __name__ == "__main__":
    hparams_file, run_opts, overrides = sb.parse_arguments(sys.argv[1:])
    with open(hparams_file) as file:  # noqa: PTH123
        hparams = load_hyperpyyaml(file, overrides)
    sb.create_experiment_directory(
        hparams["output_folder"], hparams_file, overrides
    )
    brain = TokenBrain(
        hparams["modules"], hparams["opt_class"], hparams, run_opts
    )
    brain.fit(
        range(hparams["number_of_epochs"]),
        hparams["train_data"],
        train_loader_kwargs={"batch_size": hparams["batch_size"]},
    )
