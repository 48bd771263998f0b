"""What commands share: the arguments of a model, and its loading.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.models.names import kind_of

if TYPE_CHECKING:
    from speechbrain_apcodec import APCodec


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--device``."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="FOLDER_OR_HUB_ID",
        help="folder of an exported model, or its id on the hub "
        "(default: the model inside the package)",
    )
    add_device_argument(parser)


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        default="cpu",
        help="where to compute: cpu, cuda, cuda:1... (default: cpu)",
    )


def add_force_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--force``."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace what is there already, but never the input",
    )


def add_codebooks_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--codebooks``."""
    parser.add_argument(
        "--codebooks",
        type=positive,
        metavar="K",
        help="use only the first K codebooks: fewer bits, less quality "
        "(default: all)",
    )


def load_model(
    arguments: argparse.Namespace, source: str | None = None
) -> APCodec:
    """Load a model, by default that of ``--model``, onto ``--device``."""
    source = source or arguments.model
    kind_of(source)  # a wrong name is refused at once

    from speechbrain_apcodec import APCodec

    device = checked_device(arguments.device)
    return APCodec.from_hparams(source=source, run_opts={"device": device})


def embedded_model(model_id: str) -> str:
    """Name the model in the package that made tokens, else the default one.

    ``model_id`` is that of a coded file: ``NAME@`` and a part of the weights'
    SHA-256.
    """
    for folder in (DEFAULT_MODEL, STREAMING_MODEL):
        config = Path(folder, "config.json").read_text(encoding="utf-8")
        if json.loads(config)["model_id"] == model_id.rpartition("@")[0]:
            return folder
    return DEFAULT_MODEL


def checked_device(device: str) -> str:
    """Call ``utils.devices.check_device``, and import torch only now."""
    from speechbrain_apcodec.utils.devices import check_device

    return check_device(device)


def positive(text: str) -> int:
    """Parse a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number above 0"
        )
    return int(text)


def print_facts(facts: dict[str, str]) -> None:
    """Print a fact a line, the values below each other."""
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")
