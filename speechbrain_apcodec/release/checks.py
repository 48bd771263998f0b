"""What must hold of a model's folder before others get it.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from pathlib import Path

import torch

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.config import (
    CONFIG_FILE,
    file_sha256,
    read_config,
)
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.release.card import card_checksums
from speechbrain_apcodec.release.folder import (
    CARD_FILE,
    HPARAMS_FILE,
    LOSSES_FILE,
)
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

_NEEDED = (HPARAMS_FILE, CONFIG_FILE, CARD_FILE, weights_file("codec"))

# A path of this machine, but neither a part of an address, of another path
# or of a fraction, nor a closing tag.
_PRIVATE = {
    "a path of a machine": re.compile(
        r"(?<![\w:/.<>~)\]}*-])(?:~|/[\w.-]+)/[\w.-]+|\b[A-Za-z]:\\\w+"
    ),
    "a token of the hub": re.compile(r"\bhf_\w{20,}"),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
}


def check_release(folder: AnyPath) -> None:
    """Make sure that a model's folder can be given to others.

    Raises
    ------
    CheckpointError
        If a file is missing, differs from its checksum in ``config.json`` or
        in the model card, or tells what is private; or if the model cannot
        be loaded with and without its YAML, or does not code.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}: check the path")
    for file in _NEEDED:
        if not (folder / file).is_file():
            raise CheckpointError(
                f"{folder} holds no {file}: give the folder of an exported "
                "model (`apcodec export` makes one)"
            )
    _check_checksums(folder)
    for path in sorted(folder.iterdir()):
        if path.suffix in (".yaml", ".json", ".md"):
            found = find_private(path.read_text(encoding="utf-8"))
            if found:
                raise CheckpointError(
                    f"{path.name} tells {found}: take it out before others "
                    "read it"
                )
    _check_coding(folder)


def find_private(text: str) -> str:
    """Find the first path of a machine, token or e-mail address in a text.

    Example
    -------
    >>> find_private("data_folder: /home/anna/VCTK")
    'a path of a machine, /home/anna'
    >>> find_private("6 kbit/s, https://arxiv.org/abs/2402.10533, a/b/c")
    ''
    """
    for kind, pattern in _PRIVATE.items():
        found = pattern.search(text)
        if found:
            shown = found[0] if "token" not in kind else found[0][:5] + "..."
            return f"{kind}, {shown}"
    return ""


def _check_checksums(folder: Path) -> None:
    """Compare every weight file with what is said of it."""
    stated = read_config(folder / CONFIG_FILE)["sha256"]
    for path in sorted(folder.glob("*.safetensors")):
        digest = file_sha256(path)
        if stated.get(path.name) != digest:
            raise CheckpointError(
                f"{path} was changed or damaged, or is foreign: its SHA-256 "
                f"is not the one in {CONFIG_FILE}; export the model again"
            )
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
        if card_checksums(card).get(path.name, digest) != digest:
            raise CheckpointError(
                f"{CARD_FILE} states another SHA-256 of {path.name} than the "
                "file has: export the model again"
            )


def _check_coding(folder: Path) -> None:
    """Load the model in both ways and code a second of noise."""
    cpu = {"device": "cpu"}
    model = APCodec.from_config(folder, run_opts=cpu)
    models = [model, APCodec.from_hparams(folder, run_opts=cpu)]
    if (folder / LOSSES_FILE).is_file():
        models.append(APCodec.from_hparams(folder, LOSSES_FILE, run_opts=cpu))
    generator = torch.Generator().manual_seed(0)
    wavs = 0.1 * torch.randn(1, model.sample_rate, generator=generator)
    tokens = [one.encode(wavs)[0] for one in models]
    if any(not torch.equal(tokens[0], others) for others in tokens[1:]):
        raise CheckpointError(
            f"{folder} is two models: {HPARAMS_FILE} and {CONFIG_FILE} "
            "describe different networks; export the model again"
        )
    decoded, _ = model.decode(tokens[0], num_samples=wavs.shape[1])
    if not (decoded.isfinite().all() and decoded.any()):
        raise CheckpointError(
            f"{folder} decodes noise to silence or to infinity: train it "
            "before you give it to others"
        )
