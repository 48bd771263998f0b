"""Measure a model on your own recordings, beside other codecs.

Codes every file of a folder (searched with its subfolders) or JSON manifest,
and writes into OUT_DIR per_file.csv, means.md, means.png, spectrograms and
index.html, a page to listen to some of the files. Recordings of another rate
are resampled to the model's, stereo is mixed to mono. Where the manifest has a
column `text` in English, words are counted that a recogniser gets wrong.
Metrics whose package is missing are named in means.md. The same command again
continues, and does only what is new.

Other codecs: opus6 to opus256, codec2-3200, codec2-2400 and codec2-1600 by
their programs, encodec6 and dac6 where their weights are on the disk.

For example:
  apcodec eval recordings results --against opus6,opus12

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.cli.model import (
    add_device_argument,
    checked_device,
    positive,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "reference",
        metavar="REFERENCE",
        help="folder of recordings, or a JSON manifest of them",
    )
    parser.add_argument(
        "output",
        nargs="?",
        default="apcodec_eval",
        metavar="OUT_DIR",
        help="folder to write, made if missing (default: apcodec_eval)",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        default=[DEFAULT_MODEL],
        metavar="[NAME=]MODEL",
        help="folders of exported models, or their ids on the hub, and what "
        "to call them (default: the model inside the package)",
    )
    parser.add_argument(
        "--codebooks",
        nargs="+",
        type=positive,
        default=[None],
        metavar="K",
        help="measure with the first K codebooks, for each K (default: all)",
    )
    parser.add_argument(
        "--against",
        type=_names,
        default=[],
        metavar="CODEC,...",
        help="other codecs to compare with (default: none)",
    )
    parser.add_argument(
        "--metrics",
        type=_names,
        metavar="METRIC,...",
        help="such as lsd,stoi (default: all that are installed)",
    )
    parser.add_argument(
        "--train-manifest",
        metavar="FILE",
        help="group the recordings by whether their speaker is in it",
    )
    add_device_argument(parser)


def run(arguments: Namespace) -> None:
    """Evaluate, write and print the means."""
    from speechbrain_apcodec.evaluation.report import write_report

    report = write_report(
        arguments.reference,
        arguments.output,
        models=arguments.model,
        peers=arguments.against,
        num_codebooks=arguments.codebooks,
        metrics=arguments.metrics,
        train_manifest=arguments.train_manifest,
        device=checked_device(arguments.device),
    )
    print(report)
    print(f"{arguments.output}/index.html: listen to it in a browser")


def _names(text: str) -> list[str]:
    """Parse names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
