"""A Brain of a tiny codec, in the test's own process, on noise."""

import torch
from speechbrain.core import RunOptions
from speechbrain.dataio.batch import PaddedBatch
from torch.utils.data import DataLoader

from speechbrain_apcodec.utils.hparams import load_hparams
from tests.installed import ROOT
from tests.training.tiny_run import TINY

SEGMENT = TINY["segment_length"]


def make_hparams(output_folder, yaml="mini.yaml", **overrides):
    """Load a configuration with the sizes of a tiny run."""
    return load_hparams(
        ROOT / "hparams" / yaml,
        {
            **TINY,
            "output_folder": str(output_folder),
            "warmup_steps": 0,
            "discriminator_start": 0,
            **overrides,
        },
    )


def make_brain(output_folder, run_opts=None, checkpointer=True, **overrides):
    """Make a Brain of SpeechBrain's run options and hyper-parameters."""
    hparams = make_hparams(output_folder, **overrides)
    run_opts = {"device": "cpu", "noprogressbar": True, **(run_opts or {})}
    run_opts = RunOptions.from_dictionary(run_opts)
    brain = hparams["brain_class"](
        modules=hparams["modules"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"] if checkpointer else None,
    )
    brain.hparams.epoch_counter.current = 1
    return brain


def start_brain(output_folder, run_opts=None, **overrides):
    """Make a Brain without checkpoints, as ``fit`` prepares it."""
    brain = make_brain(output_folder, run_opts, False, **overrides)
    brain.on_fit_start()
    brain.nonfinite_count = 0
    return brain


def make_items(number, seed=0, length=SEGMENT):
    """Make items of noise, some louder than others."""
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "id": f"item{i}",
            "sig": 0.1 / (1 + i) * torch.randn(length, generator=generator),
        }
        for i in range(number)
    ]


def make_loader(items, batch_size=2):
    """Load items in their order."""
    return DataLoader(items, batch_size, collate_fn=PaddedBatch)


def fit(brain, items, epochs=1, batch_size=2, valid=True):
    """Train on items for some epochs, and validate."""
    brain.hparams.epoch_counter.limit = epochs
    brain.hparams.epoch_counter.current = 0
    brain.fit(
        brain.hparams.epoch_counter,
        make_loader(items, batch_size),
        make_loader(make_items(2, seed=9)) if valid else None,
    )


def step(brain, items):
    """Train on one batch, as the loop of ``fit`` does."""
    brain.modules.train()
    brain.step += 1
    return brain.fit_batch(PaddedBatch(items))


def copied(module):
    """Copy a module's weights."""
    return {k: v.clone() for k, v in module.state_dict().items()}


def changed(module, before):
    """Name the weights that are not bit for bit what they were."""
    return {
        key
        for key, value in module.state_dict().items()
        if not torch.equal(value, before[key])
    }
