"""Train a codec or a voice: run a recipe by its configuration's name.

What follows the name goes to the recipe: any key of its YAML, and
SpeechBrain's own options such as --device or --precision. The same command
again continues the run. For several GPUs start the recipe's train.py with
torchrun.

For example:
  apcodec train AudioFolder/mini --data_folder recordings
  apcodec train AudioFolder/tts_mini --tokens tokens --codec_model my_codec

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import runpy
import sys
from pathlib import Path

import speechbrain_apcodec
from speechbrain_apcodec.utils.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="DATASET/NAME, such as AudioFolder/mini: one of the recipes, and "
        "one of hparams; a wrong name lists all",
    )
    parser.add_argument(
        "overrides",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="options for the recipe, such as --number_of_epochs 3",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the recipe's script as if it were called by its path."""
    script, hparams = find_recipe(arguments.config)
    sys.argv = [str(script), str(hparams), *arguments.overrides]
    # As Python does for a script: the recipe imports the list of its files.
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def find_recipe(config: str) -> tuple[Path, Path]:
    """Find the script and the YAML of ``DATASET/NAME``; the error lists all."""
    folder = _recipes()
    dataset, _, name = config.partition("/")
    task = "TTS" if name.startswith("tts") else "codec"
    scripts = {
        path.relative_to(folder).parts[0]: path
        for path in sorted(folder.glob(f"*/{task}/**/train.py"))
    }
    yamls = {
        path.stem: path for path in sorted(folder.parent.glob("hparams/*.yaml"))
    }
    if dataset not in scripts or name not in yamls:
        raise ConfigurationError(
            f"there is no configuration {config}: for DATASET/NAME choose "
            f"DATASET from {', '.join(scripts)} and NAME from "
            f"{', '.join(yamls)}"
        )
    return scripts[dataset], yamls[name]


def _recipes() -> Path:
    """Return the recipes' folder, inside the package or the checkout."""
    package = Path(speechbrain_apcodec.__file__).parent
    for folder in (package / "recipes", package.parent / "recipes"):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        "this installation has no recipes: install speechbrain_apcodec again"
    )
