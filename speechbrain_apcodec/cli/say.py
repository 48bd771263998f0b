"""Speak a sentence with a trained voice.

The voice is a model folder that 'apcodec export' made of a TTS run. The same
seed gives the same speech; another one says it a little differently.

For example:
  apcodec say "Good morning." morning.wav --model my_voice

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse

from speechbrain_apcodec.cli.model import (
    add_device_argument,
    add_force_argument,
    checked_device,
    positive,
)


def add_arguments(parser):
    """Describe the command's arguments."""
    parser.add_argument("text", metavar="TEXT", help="what to say")
    parser.add_argument("output", metavar="AUDIO", help="recording to write")
    add_force_argument(parser)
    add_voice_arguments(parser)


def add_voice_arguments(parser):
    """Add the arguments around a voice.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets ``--model``, ``--seed``, ``--temperature``, ``--top-k``,
        ``--guidance`` and ``--device``.
    """
    parser.add_argument(
        "--model",
        required=True,
        metavar="FOLDER_OR_HUB_ID",
        help="folder of an exported voice, or its id on the hub",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of chance (default: %(default)s)"
    )
    parser.add_argument(
        "--temperature",
        type=_number,
        metavar="T",
        help="how much is left to chance, 0 for nothing (default: the "
        "model's own)",
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
        help="how often what the text adds is counted, 1 for once (default: "
        "the model's own)",
    )
    add_device_argument(parser)


def run(arguments):
    """Speak, and say how long it took to say."""
    from speechbrain_apcodec.tts.interface import TokenTTS

    tts = TokenTTS.from_hparams(
        arguments.model,
        run_opts={"device": checked_device(arguments.device)},
    )
    seconds = tts.synthesize_file(
        arguments.text,
        arguments.output,
        arguments.seed,
        arguments.force,
        **drawing(arguments),
    )
    print(f"{arguments.output}: {seconds:.2f} s, {tts.sample_rate} Hz")


def drawing(arguments):
    """Collect how tokens are to be drawn, where the user says so.

    Arguments
    ---------
    arguments : argparse.Namespace
        With ``temperature``, ``top_k`` and ``guidance``, None where the
        model's own hold.

    Returns
    -------
    dict

    Example
    -------
    >>> given = {"temperature": 0.5, "top_k": None, "guidance": None}
    >>> drawing(argparse.Namespace(**given))
    {'temperature': 0.5}
    """
    return {
        name: value
        for name in ("temperature", "top_k", "guidance")
        if (value := getattr(arguments, name)) is not None
    }


def _number(text):
    """Parse a number from 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return value
