"""Make a model folder from a checkpoint of a training run.

The folder holds all that inference needs and nothing of the training. Of a
run's folder the best or last checkpoint is taken. A voice, of a TTS run, gets
its codec into the folder. From the folder of an older model it makes one that
has all that this version writes.

For example:
  apcodec export results/apcodec_mini my_model
  apcodec export results/tts_mini my_voice

Authors
 * speechbrain_apcodec contributors, 2026
"""


def add_arguments(parser):
    """Describe the command's arguments."""
    parser.add_argument(
        "checkpoint",
        metavar="CKPT_DIR",
        help="folder save/CKPT+... of a run, the run's folder, or a model's",
    )
    parser.add_argument("output", metavar="OUT_DIR", help="folder to write")
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
        help="a voice's codec, if it is not where it was in the training",
    )


def run(arguments):
    """Export and say where the model is."""
    from speechbrain_apcodec.inference.export import export
    from speechbrain_apcodec.inference.export_tts import (
        export_tts,
        is_tts_run,
    )

    if is_tts_run(arguments.checkpoint):
        export_tts(
            arguments.checkpoint,
            arguments.output,
            name=arguments.name,
            half=arguments.half,
            codec_model=arguments.codec,
        )
        print(f"{arguments.output}: let it speak with `apcodec say`")
        return
    export(
        arguments.checkpoint,
        arguments.output,
        name=arguments.name,
        half=arguments.half,
        discriminators=arguments.discriminators,
    )
    print(f"{arguments.output}: use it with --model {arguments.output}")
