"""Time a training step, with and without each measure that makes it fast.

``python -m benchmarks.training_step benchmarks/results/training_step``
writes a CSV and a Markdown table; what the CSV has is not measured again.
That all variants compute the same gradients is tested in
``tests/benchmarks/test_literal.py``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import copy
from functools import partial
from pathlib import Path

import torch

from benchmarks.literal import LiteralCodec, LiteralTraining
from benchmarks.measure import Table, build, heading, paired
from speechbrain_apcodec.training.adversarial import (
    adversarial_terms,
    discriminator_terms,
)

COLUMNS = [
    "precision", "batch", "step", "median (s)", "steps per second",
    "against literal",
]  # fmt: skip
OPTIMIZER = partial(torch.optim.AdamW, lr=2e-4, betas=(0.8, 0.99))


class Step:
    """One step of the package's training.

    Arguments
    ---------
    parts : tuple
        Codec, discriminators and loss; they are copied.
    autocast : callable
        Makes the context of the networks' passes.
    fused : bool
        Let one kernel update all weights.
    thrifty : bool
        Freeze the discriminators in the generator's pass.
    """

    def __init__(self, parts, autocast, fused=True, thrifty=True):
        self.codec, self.discriminators, self.loss = copy.deepcopy(parts)
        self.autocast, self.thrifty = autocast, thrifty
        self.optimizers = [
            OPTIMIZER(module.parameters(), fused=fused)
            for module in (self.discriminators, self.codec)
        ]

    def __call__(self, wavs):
        """Train both players on a batch."""
        loss = self.loss
        with self.autocast():
            output = self.codec(wavs)
            terms = discriminator_terms(
                self.discriminators, loss, wavs, output.decoded
            )
        self.update(0, terms)
        with self.autocast():
            terms = loss.reconstruction(output)
            if self.thrifty:
                terms |= adversarial_terms(
                    self.discriminators, loss, wavs, output.decoded
                )
            else:
                real = self.discriminators(wavs)
                fake = self.discriminators(output.decoded)
                terms |= loss.adversarial(real, fake)
        self.update(1, terms)

    def update(self, player, terms):
        """Step one player."""
        optimizer = self.optimizers[player]
        optimizer.zero_grad()
        self.loss.total(terms).backward()
        optimizer.step()


def literal_step(parts, autocast):
    """Make the step of the literal implementation."""
    codec, discriminators, loss = copy.deepcopy(parts)
    codec = LiteralCodec(codec).to(next(codec.parameters()).device)
    optimizers = [
        OPTIMIZER(module.parameters()) for module in (codec, discriminators)
    ]
    training = LiteralTraining(
        codec, discriminators, loss.weights, autocast, optimizers
    )
    return training.step


STEPS = {
    "literal": literal_step,
    "package": Step,
    "package, one update a weight": partial(Step, fused=False),
    "package, gradients that are thrown away": partial(Step, thrifty=False),
}


def main():
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, help="stem of .csv and .md")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precisions", nargs="*", default=["fp32", "bf16"])
    parser.add_argument("--steps", nargs="*", default=list(STEPS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table(arguments.output.with_suffix(".csv"), COLUMNS, keys=3)
    parts = build(names=("codec", "discriminators", "loss"))
    for part in parts:
        part.to(arguments.device)
    wavs = 0.1 * torch.randn(arguments.batch, 7960, device=arguments.device)
    for precision in arguments.precisions:
        if table.has(precision, arguments.batch):
            continue
        autocast = partial(
            torch.autocast,
            torch.device(arguments.device).type,
            torch.bfloat16,
            enabled=precision == "bf16",
        )
        steps = {
            name: partial(STEPS[name](parts, autocast), wavs)
            for name in arguments.steps
        }
        if precision == "bf16" and "literal" in steps:
            # What the half precision is compared with, in the same run.
            exact = partial(autocast, enabled=False)
            steps["literal, fp32"] = partial(literal_step(parts, exact), wavs)
        medians = paired(steps, arguments.rounds)
        base = medians.get("literal, fp32", medians.get("literal"))
        for name, seconds in medians.items():
            against = base / seconds if base else ""
            table.add(
                precision, arguments.batch, name, seconds, 1 / seconds, against
            )
    table.write_markdown(
        f"{heading(arguments.device)} {arguments.threads} threads, full "
        "width; compared with the literal step in float32."
    )


if __name__ == "__main__":
    main()
