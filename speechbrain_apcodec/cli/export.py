"""Make a model folder from a checkpoint of a training run.

The folder holds all that inference needs and nothing of the training. Of a
run's folder the best or last checkpoint is taken. A voice, of a TTS run, gets
its codec into the folder. From the folder of an older model it makes one that
has all that this version writes.

With --onnx, a model folder becomes a folder of ONNX graphs, for programs
without PyTorch: encoder, decoder, and, of a model that can be streamed, both
again with the state of a stream as inputs and outputs. onnx.json describes
them.

For example:
  apcodec export results/apcodec_mini my_model
  apcodec export results/tts_mini my_voice
  apcodec export --onnx my_model my_model_onnx

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import add_force_argument
from speechbrain_apcodec.utils.errors import ConfigurationError


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "source",
        metavar="CKPT_DIR",
        help="folder save/CKPT+... of a run, the run's folder, or a model's; "
        "with --onnx, a model's folder, or its id on the hub",
    )
    parser.add_argument("output", metavar="OUT_DIR", help="folder to write")
    parser.add_argument(
        "--onnx",
        action="store_true",
        help="write ONNX graphs of a model",
    )
    parser.add_argument(
        "--name", help="the model's id (default: the name of OUT_DIR)"
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="store the weights in 16 bits: half the size",
    )
    parser.add_argument(
        "--discriminators",
        action="store_true",
        help="add the discriminators, for 'apcodec losses'",
    )
    parser.add_argument(
        "--codec",
        metavar="FOLDER_OR_HUB_ID",
        help="a voice's codec, if it was moved since the training",
    )
    add_force_argument(parser)


def run(arguments: Namespace) -> None:
    """Export and say where the model is."""
    if arguments.onnx:
        _run_onnx(arguments)
        return
    from speechbrain_apcodec.release.export import export
    from speechbrain_apcodec.tts.export import (
        export_tts,
        is_tts_run,
    )

    if is_tts_run(arguments.source):
        export_tts(
            arguments.source,
            arguments.output,
            name=arguments.name,
            half=arguments.half,
            codec_model=arguments.codec,
            force=arguments.force,
        )
        print(f"{arguments.output}: let it speak with `apcodec say`")
        return
    export(
        arguments.source,
        arguments.output,
        name=arguments.name,
        half=arguments.half,
        discriminators=arguments.discriminators,
        force=arguments.force,
    )
    print(f"{arguments.output}: use it with --model {arguments.output}")


def _run_onnx(arguments: Namespace) -> None:
    """Export graphs and say how to run them."""
    for option in ("name", "half", "discriminators", "codec"):
        if getattr(arguments, option):
            raise ConfigurationError(
                f"--{option} is for model folders: leave it out with --onnx"
            )
    from speechbrain_apcodec.onnx.export import export_onnx

    export_onnx(arguments.source, arguments.output, arguments.force)
    print(
        f"{arguments.output}: run it with ONNXCodec.from_folder"
        f"({arguments.output!r}) of speechbrain_apcodec.onnx.codec"
    )
