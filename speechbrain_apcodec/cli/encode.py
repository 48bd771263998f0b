"""Compress a recording into an .apc file.

Any rate, any number of channels, any format that soundfile reads.

For example:
  apcodec encode speech.wav speech.apc

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


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "input",
        metavar="AUDIO",
        help="recording to compress, - for standard input",
    )
    parser.add_argument("output", metavar="APC", help=".apc file to write")
    add_codebooks_argument(parser)
    add_force_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Encode a file and print its size and bitrate."""
    from pathlib import Path

    from speechbrain_apcodec.files.apc_header import measured_kbps
    from speechbrain_apcodec.files.coding import encode_file

    header = encode_file(
        load_model(arguments),
        arguments.input,
        arguments.output,
        arguments.codebooks,
        arguments.force,
    )
    num_bytes = Path(arguments.output).stat().st_size
    print(
        f"{arguments.output}: {header.seconds:.2f} s in {num_bytes} bytes, "
        f"{measured_kbps(num_bytes, header):.2f} kbps "
        f"({header.bitrate / 1000:.2f} kbps without header)"
    )
