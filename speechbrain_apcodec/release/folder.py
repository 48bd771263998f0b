"""The folder of an exported model: what is in it, and how it is written.

==============================  ==============================================
``hyperparams.yaml``            builds and loads the codec, nothing else
``codec.safetensors``           its weights
``config.json``                 model id, SHA-256 of the weights, rate and
                                sizes, and the network for those who want no
                                YAML
``README.md``                   model card
``losses.yaml``                 optional: codec, discriminators and losses,
                                for ``apcodec losses``
``discriminators.safetensors``  optional: their weights
==============================  ==============================================

A folder is written beside its place, loaded once to prove itself, and only
then put there: there is never half a model.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import save
from torch import Tensor, nn

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.config import (
    CONFIG_FILE,
    FORMAT_VERSION,
    file_sha256,
    read_config,
)
from speechbrain_apcodec.models.fit import load_state
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.models.network import describe_network, with_network
from speechbrain_apcodec.release.card import model_card, with_checksum
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.atomic import temporary_beside
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

HPARAMS_FILE = "hyperparams.yaml"
LOSSES_FILE = "losses.yaml"
CARD_FILE = "README.md"

#: Every file that an export may write.
OWN_FILES = {
    HPARAMS_FILE,
    LOSSES_FILE,
    CARD_FILE,
    CONFIG_FILE,
    weights_file("codec"),
    weights_file("discriminators"),
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def write_model(
    out_dir: AnyPath,
    hparams: str,
    states: Mapping[str, Mapping[str, Tensor]],
    name: str | None = None,
    half: bool = False,
    origin: str = "",
    card: str | None = None,
    force: bool = False,
) -> Path:
    """Write the folder of an exported model, as ``release.export`` says.

    Of ``hparams``, HyperPyYAML with a ``codec``, only what the model needs is
    kept. The ``states`` are tensors of the ``codec`` and, if they are to be
    in the model, of the ``discriminators``. The ``origin``, Markdown, says
    where they come from; an older model's ``card`` is kept.
    """
    name = checked_name(name, out_dir)
    with exported_folder(
        out_dir, OWN_FILES, CONFIG_FILE, read_config, force
    ) as temporary:
        _fill(temporary, hparams, states, name, half, origin, card)
        for file in (HPARAMS_FILE, LOSSES_FILE):
            if (temporary / file).exists():
                APCodec.from_hparams(
                    temporary, file, run_opts={"device": "cpu"}
                )
    return Path(out_dir)


@contextmanager
def exported_folder(
    out_dir: AnyPath,
    own_files: set[str],
    config_file: str,
    read: Callable[[Path], Any],
    force: bool = False,
) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``out_dir`` if all goes well.

    An earlier export is known by its ``config_file``, which ``read`` accepts,
    and by having ``own_files`` alone. With ``force`` it is replaced as a
    whole; anything else is refused by a CheckpointError.
    """
    out_dir = Path(out_dir)
    _check_replaceable(out_dir, own_files, config_file, read)
    if not force and out_dir.exists() and any(out_dir.iterdir()):
        raise CheckpointError(
            f"{out_dir} holds an earlier export: name another folder, or "
            "replace it with --force (in Python: force=True)"
        )
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(out_dir)
    temporary.mkdir()
    try:
        yield temporary
        _replace(out_dir, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(
    folder: Path,
    hparams: str,
    states: Mapping[str, Mapping[str, Tensor]],
    name: str,
    half: bool,
    origin: str,
    card: str | None,
) -> None:
    """Write all files of a model."""
    network = describe_network(hparams)
    hparams = with_network(hparams)
    texts = {HPARAMS_FILE: inference_hparams(hparams, ["codec"])}
    if "discriminators" in states:
        texts[LOSSES_FILE] = inference_hparams(
            hparams, ["codec", "discriminators"]
        )
    for file, text in texts.items():
        (folder / file).write_text(
            f"# {name}, written by speechbrain_apcodec\n{text}",
            encoding="utf-8",
        )
    with damage_named(
        CheckpointError,
        "the run's YAML builds no codec",
        "use the version of the package that it was trained with",
    ):
        built = load_hyperpyyaml(list(texts.values())[-1])
    digests = {}
    for module, state in states.items():
        load_state(built[module], state, f"the checkpoint's {module}")
        digests[weights_file(module)] = write_weights(
            folder / weights_file(module), built[module], half
        )
    codec = built["codec"]
    config = {
        "format_version": FORMAT_VERSION,
        "model_id": name,
        "sha256": digests,
        "sample_rate": codec.sample_rate,
        "hop_length": codec.hop_length,
        "num_codebooks": codec.num_codebooks,
        "codebook_size": codec.codebook_size,
    }
    if network is not None:
        config["network"] = network
    (folder / CONFIG_FILE).write_text(
        json.dumps(config, indent=4) + "\n", encoding="utf-8"
    )
    precision = "float16" if half else "float32"
    if card is None:
        card = model_card(config, codec, precision, origin)
    (folder / CARD_FILE).write_text(
        with_checksum(card, config), encoding="utf-8"
    )


def write_weights(path: Path, module: nn.Module, half: bool) -> str:
    """Write a module's tensors, in float32 or float16; return the SHA-256."""
    state = {
        key: value.half() if half and value.is_floating_point() else value
        for key, value in module.state_dict().items()
    }
    too_large = [
        key for key, value in state.items() if not torch.isfinite(value).all()
    ]
    if too_large:
        raise CheckpointError(
            f"{too_large[0]} is too large for float16: export without half "
            "precision"
        )
    # safetensors' own writing to a file leaves it unreadable for others.
    path.write_bytes(
        save(
            {key: value.contiguous() for key, value in state.items()},
            metadata={"format": "pt"},
        )
    )
    return file_sha256(path)


def checked_name(name: str | None, out_dir: AnyPath) -> str:
    """Return a name, that of the folder by default, for headers and hubs."""
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(out_dir).resolve().name)
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f"'{name}' cannot name a model: use up to 64 letters, digits, "
            "dots, dashes and underscores, a letter or digit first"
        )
    return name


def _check_replaceable(
    out_dir: Path,
    own_files: set[str],
    config_file: str,
    read: Callable[[Path], Any],
) -> None:
    """Refuse to delete what is not an export."""
    if out_dir.is_symlink() or (out_dir.exists() and not out_dir.is_dir()):
        raise CheckpointError(f"{out_dir} is no folder: name another one")
    if not out_dir.exists():
        return
    files = {file.name for file in out_dir.iterdir()}
    if not files:
        return
    foreign = sorted(files - own_files)
    if foreign or config_file not in files:
        raise CheckpointError(
            f"{out_dir} holds {(foreign or sorted(files))[0]}, which no "
            "export wrote: name another folder"
        )
    read(out_dir / config_file)


def _replace(out_dir: Path, temporary: Path) -> None:
    """Put the new folder where the old one is, if there is one."""
    if not out_dir.exists():
        temporary.rename(out_dir)
        return
    old = temporary.with_name(temporary.name + ".old")
    out_dir.rename(old)
    try:
        temporary.rename(out_dir)
    except OSError:
        old.rename(out_dir)
        raise
    shutil.rmtree(old)
