"""The folder of an exported model: what is in it, and how it is written.

=========================  ==================================================
``hyperparams.yaml``       builds and loads the codec, nothing else
``codec.safetensors``      its weights
``config.json``            model id, SHA-256 of the weights, rate and sizes,
                           and the network for those who want no YAML
``README.md``              model card
``losses.yaml``            optional: codec, discriminators and losses, for
                           ``apcodec losses``
``discriminators.safetensors``  optional: their weights
=========================  ==================================================

A folder is written beside its place, loaded once to prove itself, and only
then put there: there is never half a model.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import torch
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import save

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.config import (
    CONFIG_FILE,
    FORMAT_VERSION,
    file_sha256,
    read_config,
)
from speechbrain_apcodec.models.fit import load_state
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.release.card import (
    model_card,
    with_checksum,
)
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.atomic import temporary_beside
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.network import describe_network, with_network

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
    out_dir,
    hparams,
    states,
    name=None,
    half=False,
    origin="",
    card=None,
    force=False,
):
    """Write the folder of an exported model.

    Arguments
    ---------
    out_dir : str or pathlib.Path
        The folder.
    hparams : str
        HyperPyYAML text with a ``codec``, of which only what the model
        needs is kept.
    states : dict
        Tensors of the ``codec``, and of the ``discriminators`` if they are
        to be in the model.
    name : str, optional
        Name of the model, which coded files carry; default: that of the
        folder.
    half : bool
        Store float16 instead of float32.
    origin : str
        Where the weights come from, for the model card, Markdown.
    card : str, optional
        A model card to keep; default: a new one.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    CheckpointError
        If there is something in ``out_dir`` that may not be replaced, the
        name cannot serve, or the tensors do not fit the configuration.
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
def exported_folder(out_dir, own_files, config_file, read, force=False):
    """Yield a temporary folder that becomes ``out_dir`` if all goes well.

    Arguments
    ---------
    out_dir : str or pathlib.Path
        The folder.
    own_files : set of str
        What an export of this kind consists of.
    config_file : str
        The file by which an earlier export is known.
    read : callable
        From the path of that file to its content; raises CheckpointError.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced, as a
        whole.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    CheckpointError
        If there is something in ``out_dir`` that may not be replaced.
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


def _fill(folder, hparams, states, name, half, origin, card):
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


def write_weights(path, module, half):
    """Write a module's tensors.

    Arguments
    ---------
    path : pathlib.Path
        The safetensors file.
    module : torch.nn.Module
        The module.
    half : bool
        Store float16 instead of float32.

    Returns
    -------
    str
        The file's SHA-256.

    Raises
    ------
    CheckpointError
        If a value is too large for float16.
    """
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


def checked_name(name, out_dir):
    """Return a name that a file's header and a hub can carry.

    Arguments
    ---------
    name : str or None
        The name, or None to take the folder's.
    out_dir : str or pathlib.Path
        The model's folder.

    Returns
    -------
    str

    Raises
    ------
    CheckpointError
        If it cannot serve as a name.
    """
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(out_dir).resolve().name)
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f"'{name}' cannot name a model: use up to 64 letters, digits, "
            "dots, dashes and underscores, a letter or digit first"
        )
    return name


def _check_replaceable(out_dir, own_files, config_file, read):
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


def _replace(out_dir, temporary):
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
