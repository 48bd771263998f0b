"""Restore recordings from .apc files and .aps packet files.

The result has the length, rate, channels and sample format of the original.
Its suffix chooses the container (.wav, .flac, .ogg...); it is .wav if only a
folder is named, or nothing. A damaged .apc file is refused, unless --salvage
asks for what is left of it: then the damaged seconds fade out, and are named.

For example:
  apcodec decode speech.apc restored.wav
  apcodec decode one.apc two.apc -o restored   into a folder
  apcodec decode - < speech.apc | aplay

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

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
    add_model_arguments,
    embedded_model,
    load_model,
)
from speechbrain_apcodec.utils.audio_paths import is_pipe

_SUFFIXES = (".apc", ".aps")


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_file_arguments(parser, "APC", ".apc or .aps files to decode")
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="decode damaged .apc files, and conceal the seconds that are lost",
    )
    add_model_arguments(parser)
    parser.set_defaults(model=None)  # that in the package which encoded


def run(arguments: Namespace) -> int:
    """Decode files and describe each recording."""
    from speechbrain_apcodec.files.salvage import Salvage, salvage_apc
    from speechbrain_apcodec.files.stored import read_stored
    from speechbrain_apcodec.utils.audio_writing import check_audio_destination

    words, output = with_last_as_output(arguments, _is_output)
    inputs = find_inputs(words, _SUFFIXES)
    jobs = plan(inputs, output, ".wav", _SUFFIXES)
    batch = Batch(arguments.quiet, inputs.faults)
    model_of: dict[str, str] = {}
    piped: dict[str, Salvage] = {}

    def read(source: str) -> Salvage:
        if arguments.salvage:
            return salvage_apc(source)
        return Salvage(*read_stored(source), gaps=[])

    def check_source(source: str) -> None:
        stored = read(source)
        model_id = stored.header.model_id
        model_of[source] = arguments.model or embedded_model(model_id)
        if source == "-" or is_pipe(source):  # can be read once
            piped[source] = stored

    def check_target(job: Job) -> None:
        check_audio_destination(job.target, [job.source], arguments.force)

    jobs = batch.checked(jobs, check_source, check_target)
    needed = dict.fromkeys(model_of[job.source] for job in jobs)
    models = {name: load_model(arguments, name) for name in needed}

    def decode(job: Job) -> str:
        from speechbrain_apcodec.files.coding import write_decoded

        stored = piped.get(job.source) or read(job.source)
        header = stored.header
        with written_to(job, ".wav") as path:
            write_decoded(
                models[model_of[job.source]],
                stored,
                path,
                arguments.quiet,
            )
        return (
            f"{job.target_name}: {header.seconds:.2f} s, "
            f"{header.sample_rate} Hz, {header.channels} channel(s)"
        )

    batch.run(jobs, decode)
    return batch.code


def _is_output(word: str) -> bool:
    known = Path(word).suffix.lower() in _SUFFIXES
    return not known and not Path(word).is_dir()
