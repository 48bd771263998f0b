"""The main program that all recipes share.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import os
import sys
from pathlib import Path

import speechbrain as sb
from speechbrain.dataio.sampler import DynamicBatchSampler
from speechbrain.utils.distributed import (
    ddp_init_group,
    if_main_process,
    run_on_main,
)

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.hparams import load_hparams, merge_hparams


def run_recipe(prepare, arguments=None):
    """Prepare the data, train, validate and test.

    Arguments
    ---------
    prepare : callable
        Prepares the data; is called on the main process with
        ``prepare_arguments`` of the YAML file.
    arguments : list of str, optional
        Hyper-parameter file, run options and overrides; default: those of
        the command line.

    Returns
    -------
    speechbrain_apcodec.training.recorded_brain.RecordedBrain
        After training.
    """
    hparams_file, run_opts, overrides = sb.parse_arguments(
        sys.argv[1:] if arguments is None else arguments
    )
    ddp_init_group(run_opts)
    hparams = load_hparams(hparams_file, overrides)
    output_folder = Path(hparams["output_folder"])
    sb.create_experiment_directory(output_folder)
    if if_main_process():
        # Complete and not resolved: later commands read from it how the
        # model was built, and plain HyperPyYAML loads it.
        with atomic_path(output_folder / "hyperparams.yaml") as temporary:
            temporary.write_text(
                merge_hparams(hparams_file, overrides), encoding="utf-8"
            )
    run_on_main(prepare, kwargs=hparams["prepare_arguments"])

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
            "batch_sampler" if batched else "sampler": sampler,
        },
        valid_loader_kwargs=hparams["valid_loader_options"],
    )
    if json.loads(Path(hparams["test_manifest"]).read_text(encoding="utf-8")):
        brain.evaluate(
            hparams["make_test_data"](),
            test_loader_kwargs=hparams["valid_loader_options"],
        )
    return brain
