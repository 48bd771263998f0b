"""Turn checkpoints of the published format into a model folder.

The published quantiser lies in the encoder's checkpoint. With the
discriminators the folder also serves 'apcodec losses'.

For example:
  apcodec convert --encoder g_encoder --decoder g_decoder converted

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace

from speechbrain_apcodec.cli.model import add_force_argument


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    for name in ("encoder", "decoder"):
        parser.add_argument(
            f"--{name}",
            required=True,
            metavar="FILE",
            help=f"checkpoint {{'{name}': state}}",
        )
    parser.add_argument(
        "--discriminators",
        metavar="FILE",
        help="checkpoint {'mpd': state, 'mrd': state}",
    )
    parser.add_argument("output", metavar="OUT_DIR", help="folder to write")
    parser.add_argument(
        "--name", help="the model's id (default: the name of OUT_DIR)"
    )
    add_force_argument(parser)


def run(arguments: Namespace) -> None:
    """Convert and say where the model is."""
    from speechbrain_apcodec.release.convert import convert

    convert(
        arguments.encoder,
        arguments.decoder,
        arguments.output,
        discriminators=arguments.discriminators,
        name=arguments.name,
        force=arguments.force,
    )
    print(f"{arguments.output}: use it with --model {arguments.output}")
