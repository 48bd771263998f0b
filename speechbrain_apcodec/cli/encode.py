"""Compress recordings into .apc files.

Any rate, any number of channels, any format that soundfile reads. Of a folder
all recordings are taken, those in its subfolders too.

For example:
  apcodec encode speech.wav speech.apc
  apcodec encode one.wav two.wav          each beside its recording
  apcodec encode recordings -o coded      a folder
  sox in.wav -t wav - | apcodec encode - > out.apc

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from speechbrain_apcodec.cli.batch import Batch, written_to
from speechbrain_apcodec.cli.jobs import (
    Job,
    add_file_arguments,
    find_inputs,
    plan,
    with_last_as_output,
)
from speechbrain_apcodec.cli.model import (
    add_codebooks_argument,
    add_model_arguments,
    load_model,
)
from speechbrain_apcodec.utils.audio_paths import (
    AUDIO_SUFFIXES,
    check_apc_destination,
    check_source,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_file_arguments(parser, "AUDIO", "recordings to compress")
    add_codebooks_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> int:
    """Encode files, and print the size and the bitrate of each."""
    words, output = with_last_as_output(arguments, _is_output)
    inputs = find_inputs(words, AUDIO_SUFFIXES)
    jobs = plan(inputs, output, ".apc", AUDIO_SUFFIXES)
    batch = Batch(arguments.quiet, inputs.faults)

    def check_target(job: Job) -> None:
        check_apc_destination(job.target, [job.source], arguments.force)

    jobs = batch.checked(jobs, check_source, check_target)
    if not jobs:
        return batch.code
    model = load_model(arguments)

    from speechbrain_apcodec.files.apc_header import measured_kbps
    from speechbrain_apcodec.files.coding import checked_codebooks, encode_file

    num_codebooks = checked_codebooks(model, arguments.codebooks)

    def encode(job: Job) -> str:
        with written_to(job, ".apc") as path:
            header = encode_file(
                model,
                job.source,
                path,
                num_codebooks,
                arguments.force,
                arguments.quiet,
            )
            num_bytes = path.stat().st_size
        return (
            f"{job.target_name}: {header.seconds:.2f} s in {num_bytes} bytes, "
            f"{measured_kbps(num_bytes, header):.2f} kbps "
            f"({header.bitrate / 1000:.2f} kbps without header)"
        )

    batch.run(jobs, encode)
    return batch.code


def _is_output(word: str) -> bool:
    return word == "-" or Path(word).suffix.lower() == ".apc"
