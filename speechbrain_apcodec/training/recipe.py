"""The main program that all recipes share.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import speechbrain as sb
import torch
from speechbrain.dataio.sampler import DynamicBatchSampler
from speechbrain.utils.distributed import ddp_init_group, run_on_main
from speechbrain.utils.logger import get_logger
from torch.nn.parallel import DistributedDataParallel

from speechbrain_apcodec.models.network import check_parts
from speechbrain_apcodec.training.resume import open_run
from speechbrain_apcodec.utils.atomic import read_json
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.devices import check_device
from speechbrain_apcodec.utils.errors import NOTICE, ConfigurationError
from speechbrain_apcodec.utils.hparams import (
    load_hparams,
    merge_hparams,
    read_values,
)

if TYPE_CHECKING:
    from speechbrain_apcodec.training.recorded_brain import RecordedBrain
    from speechbrain_apcodec.utils.types import AnyPath

logger = get_logger(__name__)

#: Whole numbers of the recipes, and the least that each may be.
_LEAST = {
    "number_of_epochs": 1,
    "batch_size": 1,
    "valid_batch_size": 1,
    "frames_per_batch": 1,
    "log_every": 1,
    "sample_every": 1,
    "num_workers": 0,
    "num_prepare_jobs": 1,
}


def run_recipe(
    list_files: Callable[..., Mapping[str, Any]],
    dataset: AnyPath,
    arguments: Sequence[str] | None = None,
) -> RecordedBrain:
    """Prepare the data, train, validate and test.

    Ctrl-C ends it after the current step, which is saved, with exit code 130.

    Arguments
    ---------
    list_files : callable
        Lists what ``train``, ``valid`` and ``test`` consist of. Its arguments
        are ``dataset`` of the YAML; ``prepare`` takes what it returns. Both
        are called on the main process.
    dataset : str or pathlib.Path
        The recipe's `hparams/dataset.yaml`, merged above the configuration.
    arguments : list of str, optional
        A configuration, run options and overrides; default: those of the
        command line. The configuration is a YAML or, as in `mini` and
        `hparams/mini.yaml`, the name of one in a folder `hparams` above the
        recipe.

    Returns
    -------
    speechbrain_apcodec.training.recorded_brain.RecordedBrain
        After training.

    Raises
    ------
    APCodecError
        If the configuration, the data or the output folder cannot be used,
        or no validation had a finite result.
    """
    try:
        if arguments is None:
            arguments = sys.argv[1:]
        brain = _run(list_files, Path(dataset).resolve(), arguments)
    except KeyboardInterrupt:
        logger.log(NOTICE, "Interrupted: the same command goes on from here")
        sys.exit(128 + signal.SIGINT)
    if torch.distributed.is_initialized():
        _leave_group(brain)
    return brain


def _leave_group(brain: RecordedBrain) -> None:
    """End the process group and its threads.

    A thread that still needs Python when the interpreter exits aborts the
    process, and DDP's wrappers would keep the group alive until then.
    """
    torch.distributed.barrier()
    for name, module in brain.modules.items():
        if isinstance(module, DistributedDataParallel):
            brain.modules[name] = module.module
    gc.collect()
    torch.distributed.destroy_process_group()
    gc.collect()


def _find_configuration(given: str, dataset: Path) -> Path:
    """Find a YAML by its path, or by its name in `hparams` above the recipe."""
    path = Path(given)
    if path.is_file():
        return path
    known = {
        yaml.stem: yaml
        for folder in reversed(dataset.parents[2:])  # the nearest is the last
        for yaml in sorted(folder.glob("hparams/*.yaml"))
    }
    name = path.name.removesuffix(".yaml")
    # A name alone, or as it was written when each recipe had its own YAMLs.
    named = path.parent.resolve() in (Path.cwd(), dataset.parent)
    if not named or name not in known:
        raise ConfigurationError(
            f"there is no configuration {given}: give a YAML or the name of "
            f"one, {', '.join(known)}"
        )
    return known[name]


def _run(
    list_files: Callable[..., Mapping[str, Any]],
    dataset: Path,
    arguments: Sequence[str],
) -> RecordedBrain:
    given, run_opts, overrides = sb.parse_arguments(arguments)
    if run_opts["device"] is not None:
        check_device(run_opts["device"])
    hparams_file = _find_configuration(given, dataset)
    merged = merge_hparams(hparams_file, overrides, [dataset])
    check_parts(merged)
    values = read_values(merged, hparams_file)
    _check_numbers(values)
    ddp_init_group(run_opts)
    # Before anything is built: the checkpointer makes its folder at once.
    run_on_main(open_run, args=[values["output_folder"], merged])
    with damage_named(
        ConfigurationError,
        f"{hparams_file} with these settings builds no training",
        "see the settings that differ",
    ):
        hparams = load_hparams(hparams_file, overrides, [dataset])
    sb.create_experiment_directory(hparams["output_folder"])
    run_on_main(lambda: hparams["prepare"](list_files(**hparams["dataset"])))

    if "pretrainer" in hparams:
        hparams["pretrainer"].collect_files()  # on all ranks, to know where
        hparams["pretrainer"].load_collected()
    train_data = hparams["make_train_data"]()
    valid_data = hparams["make_valid_data"]()
    brain = hparams["brain_class"](
        modules=hparams["modules"],
        opt_class=hparams.get("opt_class"),
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    sampler = hparams["make_train_sampler"](train_data)
    # A batch sampler chooses the size of each batch itself.
    batched = isinstance(sampler, DynamicBatchSampler)
    if not (brain.debug or brain.test_only):
        ranks = int(os.environ.get("WORLD_SIZE", 1))
        brain.check_length(
            len(sampler) // ranks
            if batched
            else len(sampler) // ranks // hparams["batch_size"]
        )
    brain.fit(
        hparams["epoch_counter"],
        train_data,
        valid_data,
        train_loader_kwargs={
            **hparams["train_loader_options"],
            "worker_init_fn": _ignore_interrupts,
            "batch_sampler" if batched else "sampler": sampler,
        },
        valid_loader_kwargs=hparams["valid_loader_options"],
    )
    brain.check_best()
    if read_json(hparams["test_manifest"]):
        brain.evaluate(
            hparams["make_test_data"](),
            test_loader_kwargs=hparams["valid_loader_options"],
        )
    return brain


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse numbers that no training can have, by the names of the YAML."""
    for name, least in _LEAST.items():
        value = values.get(name, least)
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or value < least
        ):
            raise ConfigurationError(
                f"{name} is {value!r}: it must be a whole number from {least}"
            )
    rate = values.get("learning_rate", 1.0)
    if not (isinstance(rate, int | float) and 0 < rate < math.inf):
        raise ConfigurationError(
            f"learning_rate is {rate!r}: it must be a number above 0"
        )


def _ignore_interrupts(worker_id: int) -> None:
    """Let the main process end a step for which it needs its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
