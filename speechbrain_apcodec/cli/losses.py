"""Print every term of the training loss on one recording, as JSON.

The answer to "are my losses normal?": each term unweighted, then the
weighted totals. The model has to have its discriminators.

For example:
  apcodec losses --model my_model segment.wav

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import add_model_arguments, checked_device
from speechbrain_apcodec.models.names import kind_of
from speechbrain_apcodec.utils.audio_paths import check_source


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("input", metavar="AUDIO", help="recording to measure")
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Print the losses."""
    check_source(arguments.input)
    kind_of(arguments.model)

    from speechbrain_apcodec.release.reference_losses import reference_losses

    losses = reference_losses(
        arguments.model,
        arguments.input,
        run_opts={"device": checked_device(arguments.device)},
    )
    print(json.dumps(losses, indent=1))
