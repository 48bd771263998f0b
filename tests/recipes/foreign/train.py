"""A SpeechBrain recipe of somebody else, with a Brain of its own.

It is written as if speechbrain_apcodec were any package with lobes: plain
``load_hyperpyyaml``, plain ``Brain``, nothing of ``CodecBrain``.
"""

import sys
from pathlib import Path

import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml


class ForeignBrain(sb.Brain):
    """Trains the codec against a discriminator that never learns."""

    def compute_forward(self, batch, stage):
        """Code and decode."""
        return self.modules.codec(batch.to(self.device))

    def compute_objectives(self, predictions, batch, stage):
        """Sum the losses that this recipe likes."""
        natural, predicted = predictions.natural, predictions.predicted
        terms = {
            **self.hparams.amplitude_loss(
                natural.log_amplitude, predicted.log_amplitude
            ),
            **self.hparams.phase_loss(natural.phase, predicted.phase),
            **self.hparams.mel_loss(
                (natural.real, natural.imaginary), predictions.consistent
            ),
            **self.hparams.adversarial_loss(
                self.modules.judge(batch.to(self.device)),
                self.modules.judge(predictions.decoded),
            ),
        }
        quantized = predictions.quantized
        return (
            sum(terms.values())
            + quantized.codebook_loss
            + 0.25 * quantized.commitment_loss
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
    hparams["judge"].requires_grad_(False)

    time = torch.arange(hparams["segment_samples"]) / hparams["sample_rate"]
    pitches = 100.0 * torch.arange(1, hparams["batch_size"] + 1)
    wavs = 0.1 * torch.sin(2 * torch.pi * pitches[:, None] * time)
    wavs = wavs + 0.01 * torch.randn_like(wavs)

    brain = ForeignBrain(
        hparams["modules"], hparams["opt_class"], hparams, run_opts
    )
    # The same batch at every step.
    loader = torch.utils.data.DataLoader(
        [wavs] * hparams["num_steps"], batch_size=None
    )
    brain.fit(range(1), loader)
