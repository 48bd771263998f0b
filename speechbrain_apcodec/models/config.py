"""The ``config.json`` of an exported model, and the checksums in it.

It says in plain JSON what a model is, without running the code that a YAML
may name. Its ``network`` is that of the YAML, in version 1 an
``architecture`` (``models/network.py``).

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechbrain_apcodec.utils.errors import CheckpointError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

#: Facts about an exported model, beside its weights.
CONFIG_FILE = "config.json"

#: Version of the folder's layout that this code writes. It reads 1, too.
FORMAT_VERSION = 2


def read_config(path: AnyPath) -> dict[str, Any]:
    """Read the ``config.json`` of an exported model.

    It holds ``format_version``, ``model_id``, ``sha256`` (of each weight
    file), ``sample_rate``, ``hop_length``, ``num_codebooks`` and
    ``codebook_size``; ``network``, if one describes the codec.

    Raises
    ------
    CheckpointError
        If the file is not ours, or a newer version wrote it.
    """
    path = Path(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version = config["format_version"]
        entries_are_sound = (
            isinstance(config["model_id"], str)
            and isinstance(config.get("architecture", {}), dict)
            and isinstance(config.get("network", {}), dict)
            and all(
                isinstance(digest, str) for digest in config["sha256"].values()
            )
            and all(
                isinstance(config[key], int)
                for key in (
                    "sample_rate",
                    "hop_length",
                    "num_codebooks",
                    "codebook_size",
                )
            )
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CheckpointError(
            f"{path} is not the {CONFIG_FILE} of an exported model: run "
            "`apcodec export` on the training run"
        ) from error
    if version not in (1, FORMAT_VERSION):
        raise CheckpointError(
            f"{path} has format version {version}, but this "
            f"speechbrain_apcodec reads up to {FORMAT_VERSION}: install the "
            "version that the model was exported with"
        )
    if not entries_are_sound:
        raise CheckpointError(f"{path} is damaged: export the model again")
    return config


def file_sha256(path: AnyPath) -> str:
    """Compute the SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
