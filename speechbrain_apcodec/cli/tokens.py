"""Make the tokens of a whole corpus, for models that predict them.

One .npy file a recording, int16 [frames, codebooks], at the recording's path
below OUT, and a SpeechBrain manifest of them, which keeps all columns. The
same command again continues after an interruption. Started by torchrun,
processes on any number of machines that see OUT share the work.

For example:
  apcodec tokens train.csv tokens
  torchrun --nproc-per-node 8 -m speechbrain_apcodec tokens train.csv tokens

Authors
 * speechbrain_apcodec contributors, 2026
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from speechbrain_apcodec.cli.model import (
    add_codebooks_argument,
    add_model_arguments,
    load_model,
    positive,
)
from speechbrain_apcodec.corpus import BATCH_SECONDS

# Most left-out files that are named on the screen.
_NAMED = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "recordings",
        metavar="MANIFEST_OR_FOLDER",
        help="CSV or JSON list of recordings, or a folder of them",
    )
    parser.add_argument("out", metavar="OUT", help="folder to write")
    parser.add_argument(
        "--batch-seconds",
        type=positive,
        default=BATCH_SECONDS,
        metavar="S",
        help="audio encoded at a time, padding included (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        default=0,
        metavar="N",
        help="processes that read audio ahead, for each that encodes "
        "(default: it reads itself)",
    )
    parser.add_argument(
        "--shard-size",
        type=positive,
        metavar="N",
        help="also pack the tokens into OUT/shards, tar files of N "
        "utterances, as WebDataset reads them",
    )
    add_codebooks_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Extract the tokens and print how many there are."""
    from speechbrain.utils.distributed import if_main_process, run_on_main

    from speechbrain_apcodec.corpus.extraction import extract_tokens
    from speechbrain_apcodec.corpus.shards import write_shards

    if arguments.device == "cuda" and "LOCAL_RANK" in os.environ:
        arguments.device = f"cuda:{os.environ['LOCAL_RANK']}"
    with _processes():
        done = extract_tokens(
            load_model(arguments),
            arguments.recordings,
            arguments.out,
            arguments.codebooks,
            arguments.batch_seconds,
            arguments.workers,
        )
        shards = []
        if arguments.shard_size:
            shards = run_on_main(
                write_shards, [done.index, arguments.shard_size]
            )
        if not if_main_process():
            return
    for line in done.bad_files[:_NAMED]:
        print(f"left out: {line}", file=sys.stderr)
    if done.bad_files:
        bad_list = f"{done.index.with_suffix('')}_bad_files.txt"
        print(
            f"{len(done.bad_files)} left out in all, see {bad_list}",
            file=sys.stderr,
        )
    print(
        f"{done.index}: {done.num_utterances} recordings, "
        f"{done.seconds:.0f} s, {done.num_frames} frames"
        + (f", in {len(shards)} shards" if shards else "")
    )


@contextmanager
def _processes() -> Iterator[None]:
    """Join the processes that torchrun started, if it did."""
    if "RANK" not in os.environ:
        yield
        return
    import datetime

    import torch

    # The first to finish waits for the last, however long that takes.
    torch.distributed.init_process_group(
        "gloo", timeout=datetime.timedelta(days=30)
    )
    yield
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
