"""From a training run, or from an older export, to a model's folder.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from pathlib import Path
from typing import Any

import torch
import yaml

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.config import CONFIG_FILE
from speechbrain_apcodec.models.loading import (
    read_checkpoint,
    read_weights,
    weights_file,
)
from speechbrain_apcodec.release.folder import (
    CARD_FILE,
    HPARAMS_FILE,
    LOSSES_FILE,
    write_model,
)
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

#: What trainings keep their best checkpoint by; lower is better.
BEST_BY = ("mel_mae", "token_loss")

#: SpeechBrain's name of the file of facts in a checkpoint.
META_FILE = "CKPT.yaml"

# Levels between a checkpoint and the run's own folder, and some to spare.
_LEVELS = 4


def export(
    checkpoint_dir: AnyPath,
    out_dir: AnyPath,
    name: str | None = None,
    half: bool = False,
    discriminators: bool = False,
    force: bool = False,
) -> Path:
    """Export a checkpoint of a training run as a model's folder.

    The averaged weights (``ema.ckpt``) are taken where there are any. A
    folder that was exported before is written anew, with its own name,
    precision and model card: an older one then has what this version adds.

    Arguments
    ---------
    checkpoint_dir : str or pathlib.Path
        A ``CKPT+...`` folder, or the run's output folder: then the
        checkpoint that did best in validation, or the newest one if none
        was validated. Or a model's folder.
    out_dir : str or pathlib.Path
        The folder to write.
    name : str, optional
        Name of the model, which coded files carry; default: that of the
        folder.
    half : bool
        Store float16 instead of float32: half the size.
    discriminators : bool
        Export the discriminators too, which ``apcodec losses`` needs.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, it does not fit the run's YAML, or
        there is something in ``out_dir`` that may not be replaced.
    """
    if (Path(checkpoint_dir) / CONFIG_FILE).is_file():
        return _export_again(
            Path(checkpoint_dir), out_dir, name, half, discriminators, force
        )
    checkpoint = find_checkpoint(checkpoint_dir)
    hparams = find_hparams(checkpoint)
    averaged = (checkpoint / "ema.ckpt").is_file()
    files = {"codec": "ema.ckpt" if averaged else "codec.ckpt"}
    if discriminators:
        files["discriminators"] = "discriminators.ckpt"
    states = {
        module: read_checkpoint(checkpoint / file)
        for module, file in files.items()
    }
    return write_model(
        out_dir,
        hparams.read_text(encoding="utf-8"),
        states,
        name,
        half,
        describe_origin(checkpoint, averaged),
        force=force,
    )


def find_checkpoint(folder: AnyPath) -> Path:
    """Find the checkpoint to export: itself, or in a folder or its ``save``.

    Raises
    ------
    CheckpointError
        If there is none, or none was ever validated with a finite result.
    """
    folder = Path(folder)
    if (folder / META_FILE).is_file():
        return folder
    found = [
        meta.parent
        for place in (folder, folder / "save")
        for meta in place.glob(f"CKPT*/{META_FILE}")
    ]
    if not found:
        raise CheckpointError(
            f"{folder} holds no checkpoint: give a CKPT+... folder or the "
            "output folder of a training run"
        )
    metas = {checkpoint: _read_meta(checkpoint) for checkpoint in found}
    for key in BEST_BY:
        validated = [c for c in found if key in metas[c]]
        finite = [c for c in validated if math.isfinite(metas[c][key])]
        if finite:
            # Of equals the newest, as SpeechBrain chooses.
            return min(
                finite, key=lambda c: (metas[c][key], -metas[c]["unixtime"])
            )
        if validated:
            raise CheckpointError(
                f"{key} was never finite in the validations of {folder}: "
                "there is nothing to export; name a CKPT+... folder if you "
                "want it nonetheless"
            )
    return max(found, key=lambda c: metas[c]["unixtime"])


def _export_again(
    folder: Path,
    out_dir: AnyPath,
    name: str | None,
    half: bool,
    discriminators: bool,
    force: bool,
) -> Path:
    """Write an exported model anew; its weights and card stay."""
    if Path(out_dir).exists() and folder.samefile(out_dir):
        raise CheckpointError(
            f"{out_dir} is the model itself, which is never replaced: name "
            "another folder"
        )
    file = LOSSES_FILE if (folder / LOSSES_FILE).is_file() else HPARAMS_FILE
    if discriminators and file != LOSSES_FILE:
        raise CheckpointError(
            f"{folder} holds no discriminators: export the training run"
        )
    # Frozen, it would have its weights folded.
    model = APCodec.from_hparams(
        folder, file, run_opts={"device": "cpu"}, freeze_params=False
    )
    stored = read_weights(folder / weights_file("codec")).values()
    card = folder / CARD_FILE
    return write_model(
        out_dir,
        (folder / file).read_text(encoding="utf-8"),
        {key: module.state_dict() for key, module in model.mods.items()},
        name or model.model_id,
        half or all(tensor.dtype == torch.float16 for tensor in stored),
        card=card.read_text(encoding="utf-8") if card.is_file() else None,
        force=force,
    )


def _read_meta(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / META_FILE
    with damage_named(
        CheckpointError, f"{path} is damaged", "name another checkpoint"
    ):
        meta = yaml.safe_load(path.read_text(encoding="utf-8"))
        meta["unixtime"] + 0
        return meta


def find_hparams(checkpoint: Path) -> Path:
    """Find the YAML of the run that a checkpoint belongs to."""
    for folder in list(checkpoint.resolve().parents)[:_LEVELS]:
        if (folder / HPARAMS_FILE).is_file():
            return folder / HPARAMS_FILE
    raise CheckpointError(
        f"no {HPARAMS_FILE} lies above {checkpoint}: leave the checkpoint "
        "in the output folder of its run"
    )


def describe_origin(checkpoint: Path, averaged: bool) -> str:
    """Say in Markdown where the weights, maybe a moving average, come from."""
    kind = "moving average" if averaged else "last values"
    lines = [f"Trained with speechbrain_apcodec ({kind} of the weights).", ""]
    lines += ["| at the checkpoint | |", "| --- | --- |"]
    for key, value in sorted(_read_meta(checkpoint).items()):
        if type(value) is int:
            lines.append(f"| {key} | {value} |")
        elif type(value) is float and key != "unixtime":
            lines.append(f"| {key} | {value:.4g} |")
    return "\n".join(lines)
