"""The graphs of a codec, run by ONNX Runtime on NumPy arrays.

It needs neither PyTorch nor SpeechBrain. ``onnx.codec`` makes an ``APCodec`` of
it; ``onnx.folder`` says what the graphs of streams take.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechbrain_apcodec.models.config import file_sha256
from speechbrain_apcodec.onnx.folder import (
    DECODER,
    ENCODER,
    ONNX_CONFIG_FILE,
    import_onnx_package,
    read_onnx_config,
)
from speechbrain_apcodec.utils.errors import CheckpointError


class Graphs:
    """The graphs that ``apcodec export --onnx`` wrote, on the CPU.

    Arguments
    ---------
    folder : str or pathlib.Path
        The folder.
    num_threads : int
        Threads for one call; 0: as many as ONNX Runtime wants.

    Raises
    ------
    MissingExtraError
        If ONNX Runtime is not installed.
    CheckpointError
        If there are no graphs, or one was changed.

    Example
    -------
    >>> graphs = Graphs("my_model_onnx")  # doctest: +SKIP
    >>> tokens = graphs.encode(wavs)  # doctest: +SKIP
    >>> wavs = graphs.decode(tokens)  # doctest: +SKIP
    """

    def __init__(
        self, folder: str | PathLike[str], num_threads: int = 0
    ) -> None:
        folder = Path(folder)
        #: Content of the folder's ``onnx.json``.
        self.config = read_onnx_config(folder / ONNX_CONFIG_FILE)
        self.hop_length: int = self.config["hop_length"]
        self.num_codebooks: int = self.config["num_codebooks"]
        self.sessions = {
            file: _load(folder / file, graph["sha256"], num_threads)
            for file, graph in self.config["graphs"].items()
        }

    def run(
        self, file: str, inputs: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Run a graph; the inputs are in the order of ``onnx.json``."""
        session = self.sessions[file]
        names = [entry.name for entry in session.get_inputs()]
        arrays = map(np.ascontiguousarray, inputs)
        return session.run(None, dict(zip(names, arrays, strict=True)))

    def encode(
        self,
        wavs: NDArray[np.float32],
        num_samples: Sequence[int] | None = None,
    ) -> NDArray[np.int64]:
        """Encode whole waveforms.

        Arguments
        ---------
        wavs : float32 [batch, samples]
        num_samples : list of int, optional
            Samples of each item; default: all.

        Returns
        -------
        int64 [batch, ceil(samples / hop_length), codebooks]
            0 beyond an item's own frames.
        """
        batch, samples = wavs.shape
        frames = -(-samples // self.hop_length)
        tokens = np.zeros((batch, frames, self.num_codebooks), np.int64)
        for length, items in group_by_count(num_samples or [samples] * batch):
            (own,) = self.run(ENCODER, [wavs[items, :length]])
            tokens[items, : own.shape[1]] = own
        return tokens

    def decode(
        self,
        tokens: NDArray[np.int64],
        num_frames: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """Decode whole waveforms.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
            The codebooks may be fewer than trained.
        num_frames : list of int, optional
            Frames of each item; default: all.

        Returns
        -------
        float32 [batch, frames * hop_length]
            0 beyond an item's own frames.
        """
        batch, frames, _ = tokens.shape
        tokens = self.pad_codebooks(tokens)
        wavs = np.zeros((batch, frames * self.hop_length), np.float32)
        for length, items in group_by_count(num_frames or [frames] * batch):
            (own,) = self.run(DECODER, [tokens[items, :length]])
            wavs[items, : own.shape[1]] = own
        return wavs

    def pad_codebooks(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put -1 into the codebooks that are not used."""
        missing = self.num_codebooks - tokens.shape[-1]
        return np.pad(
            tokens, ((0, 0), (0, 0), (0, missing)), constant_values=-1
        )


def group_by_count(counts: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Group the items of a batch by their count; leave zeros out.

    Example
    -------
    >>> list(group_by_count([3, 0, 5, 3]))
    [(3, [0, 3]), (5, [2])]
    """
    for count in sorted(set(counts) - {0}):
        yield count, [i for i, other in enumerate(counts) if other == count]


def _load(path: Path, sha256: str, num_threads: int) -> Any:
    """Load a graph, if it is the one that was exported."""
    runtime = import_onnx_package("onnxruntime")
    if not path.is_file() or file_sha256(path) != sha256:
        raise CheckpointError(
            f"{path} is missing or was changed: export the graphs again"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads
    return runtime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
