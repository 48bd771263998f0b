"""Restore a recording from an .apc file.

The result has the length, rate, channels and sample format of the original.
Its suffix chooses the container (.wav, .flac, .ogg...). A damaged file is
refused, unless --salvage asks for what is left of it: then the damaged
seconds fade out, and are named.

For example:
  apcodec decode speech.apc restored.wav

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import (
    add_force_argument,
    add_model_arguments,
    load_model,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("input", metavar="APC", help=".apc file to decode")
    parser.add_argument("output", metavar="AUDIO", help="recording to write")
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="decode a damaged file, and conceal the seconds that are lost",
    )
    add_force_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Decode a file and describe the recording."""
    from speechbrain_apcodec.files.coding import decode_file

    header = decode_file(
        load_model(arguments),
        arguments.input,
        arguments.output,
        arguments.force,
        arguments.salvage,
    )
    print(
        f"{arguments.output}: {header.seconds:.2f} s, "
        f"{header.sample_rate} Hz, {header.channels} channel(s)"
    )
