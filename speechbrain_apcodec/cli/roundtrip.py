"""Encode and decode a recording, to hear what the codec does.

The result has the length, rate, channels and sample format of the original.

For example:
  apcodec roundtrip speech.wav decoded.wav

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import (
    add_codebooks_argument,
    add_force_argument,
    add_model_arguments,
    load_model,
)
from speechbrain_apcodec.utils.audio_paths import check_source


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "input", metavar="AUDIO", help="recording to code, - for standard input"
    )
    parser.add_argument("output", metavar="OUT", help="recording to write")
    add_codebooks_argument(parser)
    add_force_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Encode and decode a file and print the bitrate."""
    from speechbrain_apcodec.utils.audio_writing import check_audio_destination

    check_source(arguments.input)
    check_audio_destination(
        arguments.output, [arguments.input], arguments.force
    )
    model = load_model(arguments)

    from speechbrain_apcodec.files.coding import roundtrip_file

    header = roundtrip_file(
        model,
        arguments.input,
        arguments.output,
        arguments.codebooks,
        arguments.force,
    )
    print(
        f"{arguments.output}: {header.seconds:.2f} s, "
        f"{header.sample_rate} Hz, {header.channels} channel(s), "
        f"coded at {header.bitrate / 1000:.2f} kbps"
    )
