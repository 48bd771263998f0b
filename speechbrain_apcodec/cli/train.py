"""Train a codec or a voice: run a recipe by its configuration's name.

What follows the name goes to the recipe: any key of its YAML, and
SpeechBrain's own options such as --device or --precision. The same command
again continues the run. For several GPUs start the recipe's train.py with
torchrun.

For example:
  apcodec train AudioFolder/mini --data_folder recordings
  apcodec train --list                     all configurations
  apcodec train AudioFolder/mini --help    the keys of one, and their values
  apcodec train AudioFolder/tts_mini --tokens tokens --codec_model my_codec

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import runpy
import sys
from itertools import dropwhile, takewhile
from pathlib import Path

import speechbrain_apcodec
from speechbrain_apcodec.cli.model import print_facts
from speechbrain_apcodec.utils.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "--list", action="store_true", help="list all configurations"
    )
    parser.add_argument(
        "config",
        nargs="?",
        metavar="CONFIG",
        help="DATASET/NAME, such as AudioFolder/mini: one of the recipes, and "
        "one of hparams",
    )
    parser.add_argument(
        "overrides",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="options for the recipe, such as --number_of_epochs 3",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the recipe's script as if it were called by its path."""
    if arguments.list:
        scripts, yamls = _scripts(), _configurations()
        print(f"DATASET: {', '.join(scripts)}\nNAME:")
        print_facts({name: _summary(path) for name, path in yamls.items()})
        return
    if arguments.config is None:
        raise ConfigurationError(
            "no configuration is named: see `apcodec train --list`"
        )
    script, hparams = find_recipe(arguments.config)
    if {"-h", "--help"} & {*arguments.overrides}:
        _print_keys(arguments.config, hparams, script)
        return
    sys.argv = [str(script), str(hparams), *arguments.overrides]
    # As Python does for a script: the recipe imports the list of its files.
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def find_recipe(config: str) -> tuple[Path, Path]:
    """Find the script and the YAML of ``DATASET/NAME``; the error lists all."""
    dataset, _, name = config.partition("/")
    scripts, yamls = _scripts(name), _configurations()
    if dataset not in scripts or name not in yamls:
        raise ConfigurationError(
            f"there is no configuration {config}: for DATASET/NAME choose "
            f"DATASET from {', '.join(scripts)} and NAME from "
            f"{', '.join(yamls)}"
        )
    return scripts[dataset], yamls[name]


def _scripts(name: str = "") -> dict[str, Path]:
    """Find the script of each data set: that of a voice, or of a codec."""
    folder = _recipes()
    task = "TTS" if name.startswith("tts") else "codec"
    return {
        path.relative_to(folder).parts[0]: path
        for path in sorted(folder.glob(f"*/{task}/**/train.py"))
    }


def _configurations() -> dict[str, Path]:
    """Find the YAML of each name."""
    folder = _recipes().parent / "hparams"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _print_keys(name: str, path: Path, script: Path) -> None:
    """Print the keys that a configuration has, with comments and values."""
    from speechbrain_apcodec.utils.hparams import merge_hparams

    dataset = script.parent / "hparams" / "dataset.yaml"
    merged = merge_hparams(path, above=[dataset]).splitlines()
    print(
        f"{name}: {_summary(path)}\n\n"
        "Set any key below by --KEY VALUE, those of `network` too, as in "
        "--num_codebooks 8.\nSpeechBrain's own options, such as --device, "
        "follow in the same way."
    )
    # Its first comment is that of the file which all others include.
    print(*dropwhile(_is_comment, merged), sep="\n")


def _summary(path: Path) -> str:
    """Return the first paragraph of a YAML's first comment on one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    heading = takewhile(lambda line: line.startswith("# "), lines)
    return " ".join(line.lstrip("# ") for line in heading)


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def _recipes() -> Path:
    """Return the recipes' folder, inside the package or the checkout."""
    package = Path(speechbrain_apcodec.__file__).parent
    for folder in (package / "recipes", package.parent / "recipes"):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        "this installation has no recipes: install speechbrain_apcodec again"
    )
