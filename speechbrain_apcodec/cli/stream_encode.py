"""Encode audio from standard input while it arrives.

Takes a WAV or, with --raw, samples alone, at the model's rate; channels are
mixed to one. Each packet leaves at once. Ctrl-C, SIGTERM and the end of the
input end the stream properly.

For example:
  arecord -f S16_LE -r 48000 -t wav | apcodec stream encode | nc HOST 5000

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import add_codebooks_argument
from speechbrain_apcodec.cli.pipes import (
    add_live_arguments,
    ended_by_signals,
    load_live_model,
    say,
    say_report,
    standard_pipes,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_codebooks_argument(parser)
    add_live_arguments(parser, "input")


def run(arguments: Namespace) -> None:
    """Encode until the input ends."""
    source, packets = standard_pipes(
        "arecord -f S16_LE -r 48000 -t wav | apcodec stream encode > s.aps"
    )

    from speechbrain_apcodec.files.audio_stream import AudioInput
    from speechbrain_apcodec.files.live import encode_live

    model = load_live_model(arguments, arguments.codebooks)
    with ended_by_signals(source) as stoppable:
        audio = AudioInput(stoppable, model.sample_rate, arguments.raw)
        if audio.channels > 1:
            say(f"{audio.channels} channels are mixed to one")
        report = encode_live(model, audio, packets, arguments.codebooks)
    if audio.cancels_out:
        say("the channels cancel each other out: send one of them alone")
    if audio.missing:
        say(f"the WAV announced {audio.missing} more samples than came")
    say_report(report)
