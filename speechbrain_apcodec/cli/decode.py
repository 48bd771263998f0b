"""Restore a recording from an .apc file.

The result has the length, rate, channels and sample format of the original.
Its suffix chooses the container (.wav, .flac, .ogg...).

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
    add_force_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Decode a file and describe the recording."""
    from speechbrain_apcodec.files.bitstream import read_apc
    from speechbrain_apcodec.utils.audio_writing import check_audio_destination

    check_audio_destination(
        arguments.output, [arguments.input], arguments.force
    )
    read_apc(arguments.input)
    model = load_model(arguments)

    from speechbrain_apcodec.files.coding import decode_file

    header = decode_file(
        model,
        arguments.input,
        arguments.output,
        arguments.force,
    )
    print(
        f"{arguments.output}: {header.seconds:.2f} s, "
        f"{header.sample_rate} Hz, {header.channels} channel(s)"
    )
