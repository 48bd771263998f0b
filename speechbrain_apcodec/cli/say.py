"""Speak a sentence with a trained voice.

The voice is a model folder that 'apcodec export' made of a TTS run. The same
seed gives the same speech; another one says it a little differently.

For example:
  apcodec say "Good morning." morning.wav --model my_voice

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from speechbrain_apcodec.cli.model import (
    add_device_argument,
    add_force_argument,
    checked_device,
    positive,
)
from speechbrain_apcodec.models.names import kind_of

if TYPE_CHECKING:
    from speechbrain_apcodec.tts.interface import TokenTTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("text", metavar="TEXT", help="what to say")
    parser.add_argument("output", metavar="AUDIO", help="recording to write")
    add_force_argument(parser)
    add_voice_arguments(parser)


def add_voice_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a voice and of its sampling."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="FOLDER_OR_HUB_ID",
        help="folder of an exported voice, or its id on the hub",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the random numbers (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=_number,
        metavar="T",
        help="randomness, 0 for none (default: the model's own)",
    )
    parser.add_argument(
        "--top-k",
        type=positive,
        metavar="K",
        help="draw from the K most probable tokens (default: the model's own)",
    )
    parser.add_argument(
        "--guidance",
        type=_number,
        metavar="G",
        help="factor of what the text adds to the logits (default: the "
        "model's own)",
    )
    add_device_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Speak, and print the duration of the speech."""
    from speechbrain_apcodec.utils.audio_writing import check_audio_destination

    check_audio_destination(arguments.output, force=arguments.force)
    tts = load_voice(arguments)
    seconds = tts.synthesize_file(
        arguments.text,
        arguments.output,
        arguments.seed,
        arguments.force,
        **sampling_options(arguments),
    )
    print(f"{arguments.output}: {seconds:.2f} s, {tts.sample_rate} Hz")


def load_voice(arguments: argparse.Namespace) -> TokenTTS:
    """Load the voice that ``--model`` and ``--device`` name."""
    kind_of(arguments.model)  # a wrong name is refused at once

    from speechbrain_apcodec.tts.interface import TokenTTS

    return TokenTTS.from_hparams(
        arguments.model,
        run_opts={"device": checked_device(arguments.device)},
    )


def sampling_options(arguments: argparse.Namespace) -> dict[str, float]:
    """Collect the sampling options that the user sets."""
    return {
        name: value
        for name in ("temperature", "top_k", "guidance")
        if (value := getattr(arguments, name)) is not None
    }


def _number(text: str) -> float:
    """Parse a number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of 0 or more"
        )
    return value
