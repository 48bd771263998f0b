"""Strict loading of exported models.

SpeechBrain's ``Pretrainer`` loads what fits and leaves the rest as it was
initialised, so that a wrong checkpoint gives a random model and no error.
Here weights are safetensors files, each tensor must be there once with its
shape, and what ``config.json`` says of the files must be true.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from sentencepiece import SentencePieceProcessor
from speechbrain.utils.fetching import FetchConfig, FetchSource, LocalStrategy
from speechbrain.utils.parameter_transfer import Pretrainer
from torch import Tensor, nn

from speechbrain_apcodec.models.config import (
    CONFIG_FILE,
    file_sha256,
    read_config,
)
from speechbrain_apcodec.models.fit import load_state
from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

#: Suffix of the weight files. No other place decides it.
WEIGHTS_SUFFIX = ".safetensors"

#: Suffix of the pieces of text.
TEXT_SUFFIX = ".model"


def weights_file(name: str) -> str:
    """Return the file name of a module's weights."""
    return name + WEIGHTS_SUFFIX


def read_weights(path: AnyPath) -> dict[str, Tensor]:
    """Read a safetensors file; CheckpointError if it is no whole one."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: give the model's folder")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({error}): fetch or "
            "export it again"
        ) from error


def read_checkpoint(path: AnyPath) -> Mapping[str, Any]:
    """Read a PyTorch file without running code that it may hold.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or holds anything but a dictionary
        of tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}: check the path")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    # Arbitrary bytes make the unpickler fail in arbitrary ways.
    except Exception as error:
        raise CheckpointError(
            f"{path} is damaged, or no PyTorch file of tensors alone: check "
            "the file"
        ) from error
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f"{path} holds no named tensors: check the file")
    return checkpoint


class SafetensorsPretrainer(Pretrainer):
    """SpeechBrain's pretrainer for strict safetensors files.

    It serves inference YAMLs (``pretrainer:``) and recipes that start from a
    trained model, such as one with a teacher. A loadable ``NAME`` is read
    from ``NAME.safetensors``, or, if it is a SentencePiece processor, from
    ``NAME.model``. If a ``config.json`` lies beside that file, the file must
    have the SHA-256 that is written there.

    Arguments
    ---------
    collect_in : str or pathlib.Path, optional
        Folder in which the files are collected; default: they are read
        where they lie.
    loadables : dict
        Module for each name.
    paths : dict, optional
        File for each name, where it is not in the default source.
    conditions : dict, optional
        Whether a name is to be loaded at all.
    parts : dict, optional
        For a name, the submodules to which loading is limited; the others
        stay as they are.

    Example
    -------
    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> folder = tempfile.mkdtemp()
    >>> trained, fresh = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> save_file(trained.state_dict(), Path(folder) / weights_file("layer"))
    >>> pretrainer = SafetensorsPretrainer(loadables={"layer": fresh})
    >>> _ = pretrainer.collect_files(default_source=folder)
    >>> pretrainer.load_collected()
    >>> torch.equal(fresh.weight, trained.weight)
    True
    """

    def __init__(
        self,
        collect_in: AnyPath | None = None,
        loadables: dict[str, Any] | None = None,
        paths: dict[str, str] | None = None,
        conditions: dict[str, bool] | None = None,
        parts: dict[str, list[str]] | None = None,
    ):
        super().__init__(
            collect_in=collect_in,
            loadables=loadables,
            paths=paths,
            conditions=conditions,
        )
        self.parts = parts or {}
        #: SHA-256 of each file that was loaded, by the name of its loadable.
        self.sha256: dict[str, str] = {}

    def collect_files(
        self,
        default_source: AnyPath | FetchSource | None = None,
        local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
        fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
    ) -> dict[str, Path]:
        """Fetch the weight files.

        Arguments
        ---------
        default_source : path or FetchSource, optional
            Where the files are that have no path of their own.
        local_strategy : LocalStrategy
            Whether ``collect_in`` gets links or copies.
        fetch_config : FetchConfig
            Revision, network and so on.

        Returns
        -------
        dict
            Path of each file by the name of its loadable.

        Raises
        ------
        CheckpointError
            If a file cannot be fetched.
        """
        collected = {}
        for name in filter(self.is_loadable, self.loadables):
            source, filename = default_source, self._filename(name)
            if name in self.paths:
                source, filename = self.split_path(self.paths[name])
            if source is None:
                raise CheckpointError(
                    f"nothing says where {filename} is: give a default "
                    "source or a path"
                )
            collected[name] = fetch_file(
                filename,
                source,
                savedir=self.collect_in,
                save_filename=self._filename(name),
                local_strategy=local_strategy,
                fetch_config=fetch_config,
            )
            self.paths[name] = str(collected[name])
            self.is_local.append(name)
        return collected

    def load_collected(self) -> None:
        """Load the files that ``collect_files`` found.

        Raises
        ------
        CheckpointError
            If a file was not collected, is damaged, differs from what
            ``config.json`` says, or does not fit its module.
        """
        for name in filter(self.is_loadable, self.loadables):
            if name not in self.is_local:
                raise CheckpointError(
                    f"{weights_file(name)} was not collected: call "
                    "collect_files first"
                )
            path = Path(self.paths[name])
            if self._is_text(name):
                self.sha256[name] = _checked_sha256(path, path.name)
                self._load_text(name, path)
                continue
            # The state is read first: its error says more about a file that
            # is missing or cut off than a wrong checksum does.
            state = read_weights(path)
            self.sha256[name] = _checked_sha256(path, weights_file(name))
            for module, tensors in self._targets(name, state):
                load_state(module, tensors, path)

    def _is_text(self, name: str) -> bool:
        return isinstance(self.loadables[name], SentencePieceProcessor)

    def _filename(self, name: str) -> str:
        return name + TEXT_SUFFIX if self._is_text(name) else weights_file(name)

    def _load_text(self, name: str, path: Path) -> None:
        try:
            self.loadables[name].load(str(path))
        except (RuntimeError, OSError) as error:
            raise CheckpointError(
                f"{path} is no SentencePiece model: fetch or export it again"
            ) from error

    def _targets(
        self, name: str, state: dict[str, Tensor]
    ) -> list[tuple[nn.Module, dict[str, Tensor]]]:
        """Pair each module to be loaded with its tensors."""
        if name not in self.parts:
            return [(self.loadables[name], state)]
        return [
            (
                self.loadables[name].get_submodule(part),
                {
                    key.removeprefix(f"{part}."): tensor
                    for key, tensor in state.items()
                    if key.startswith(f"{part}.")
                },
            )
            for part in self.parts[name]
        ]


def _checked_sha256(path: Path, filename: str) -> str:
    """Return the digest; it must be that of ``config.json``, if any."""
    digest = file_sha256(path)
    config = path.parent / CONFIG_FILE
    if config.is_file():
        expected = read_config(config)["sha256"].get(filename)
        if expected not in (None, digest):
            raise CheckpointError(
                f"{path} was changed or damaged: its SHA-256 is not the one "
                f"in {CONFIG_FILE}; fetch or export the model again"
            )
    return digest
