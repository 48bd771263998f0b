"""Decode packets from standard input while they arrive.

Writes a 16-bit WAV or, with --raw, samples alone. If the stream is cut off
or damaged, all that came before is written, and the exit code is 2. Ctrl-C
waits for the end of the stream, a second one does not.

For example:
  nc -l 5000 | apcodec stream decode | aplay

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.pipes import (
    add_live_arguments,
    load_live_model,
    patient,
    say_report,
    standard_pipes,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "--low-delay",
        action="store_true",
        help="hold no samples back that may lie behind the end: the sound "
        "may become up to a token frame longer",
    )
    add_live_arguments(parser, "output")


def run(arguments: Namespace) -> None:
    """Decode until the stream ends."""
    source, sound = standard_pipes("apcodec stream decode < s.aps | aplay")

    from speechbrain_apcodec.files.audio_stream import AudioOutput
    from speechbrain_apcodec.files.live import decode_live
    from speechbrain_apcodec.files.packets import PacketReader

    model = load_live_model(arguments)
    with patient():
        report = decode_live(
            model,
            PacketReader(source),
            AudioOutput(sound, model.sample_rate, arguments.raw),
            arguments.low_delay,
        )
    say_report(report)
