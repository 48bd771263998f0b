"""From a model's folder to ONNX graphs.

The graphs are traced from the codec itself; ``onnx.modules`` replaces the few
operators that ONNX lacks, ``onnx.folder`` says what a graph takes and gives.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.models.config import file_sha256
from speechbrain_apcodec.onnx.codec import ONNXCodec
from speechbrain_apcodec.onnx.folder import (
    DECODER,
    ENCODER,
    ONNX_CONFIG_FILE,
    ONNX_FILES,
    ONNX_FORMAT_VERSION,
    STREAM_DECODER,
    STREAM_ENCODER,
    import_onnx_package,
    read_onnx_config,
)
from speechbrain_apcodec.onnx.modules import (
    TensorStream,
    arc_tangent,
    exportable,
    floor_divide,
)
from speechbrain_apcodec.release.folder import exported_folder
from speechbrain_apcodec.streams.state import NetworkState
from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.types import AnyPath, Tokens, Wavs

# Sizes of the inputs of a trace: any but 1, which it would take for a constant.
_BATCH, _FRAMES = 2, 3


def export_onnx(source: AnyPath, out_dir: AnyPath, force: bool = False) -> Path:
    """Export a model as ONNX graphs; return the folder.

    Arguments
    ---------
    source : str or pathlib.Path
        Folder of an exported model, hub id or URL.
    out_dir : str or pathlib.Path
        The folder to write, see ``onnx.folder``.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced.

    Raises
    ------
    MissingExtraError
        If the packages of the extra ``onnx`` are not installed.
    CheckpointError
        If there is no model, or something in ``out_dir`` that may not be
        replaced.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        import_onnx_package(package)
    model = APCodec.from_hparams(source, run_opts={"device": "cpu"})
    with exported_folder(
        out_dir, ONNX_FILES, ONNX_CONFIG_FILE, read_onnx_config, force
    ) as folder:
        write_graphs(
            model.mods["codec"], folder, model.model_id, model.weights_sha256
        )
        ONNXCodec.from_folder(folder)
    return Path(out_dir)


def write_graphs(
    codec: Codec, folder: Path, model_id: str, weights_sha256: str
) -> None:
    """Write all graphs of a folded float32 codec, and their description."""
    codec = exportable(codec)
    wavs = torch.zeros(_BATCH, _FRAMES * codec.hop_length + 1)
    tokens = torch.zeros(_BATCH, _FRAMES, codec.num_codebooks).long()
    encoder, decoder = _Function(codec, _encode), _Function(codec, _decode)
    graphs = [
        Graph(ENCODER, encoder, {"wavs": wavs}, "samples", ["tokens"]),
        Graph(DECODER, decoder, {"tokens": tokens}, "frames", ["wavs"]),
    ]
    if codec.streamable:
        graphs += [
            _stream_graph(codec, "encoder"),
            _stream_graph(codec, "decoder"),
        ]
    described: dict[str, Any] = {}
    for graph in graphs:
        graph.write(folder / graph.file)
        described[graph.file] = {
            **graph.describe(),
            "sha256": file_sha256(folder / graph.file),
        }
    config = {
        "onnx_format_version": ONNX_FORMAT_VERSION,
        "model_id": model_id,
        "weights_sha256": weights_sha256,
        **_describe(codec),
        "graphs": described,
    }
    write_json(folder / ONNX_CONFIG_FILE, config)


def _describe(codec: Codec) -> dict[str, Any]:
    """Collect what one must know of a codec to run its graphs."""
    n_fft, stft_hop_length, window_length = codec.stft
    facts: dict[str, Any] = {
        "sample_rate": codec.sample_rate,
        "hop_length": codec.hop_length,
        "num_codebooks": codec.num_codebooks,
        "codebook_size": codec.codebook_size,
        "latent_dim": codec.latent_dim,
        "n_fft": n_fft,
        "stft_hop_length": stft_hop_length,
        "window_length": window_length,
        "ratio": codec.encoder.ratio,
        "streamable": codec.streamable,
    }
    if codec.streamable:
        for name in ("encoder", "decoder"):
            clock = getattr(codec.timing, name)
            facts[name] = {"delay": clock.delay, "lookahead": clock.lookahead}
        for name in ("encoder_", "decoder_", ""):
            name += "latency_samples"
            facts[name] = getattr(codec.timing, name)
    return facts


@dataclass
class Graph:
    """A graph that is yet to be traced."""

    #: Name of its file.
    file: str
    #: It takes the inputs as a list of tensors, and returns one of outputs.
    module: nn.Module
    #: Name to an example. The first dimension of each is the batch; the
    #: second one of the first input may have any length.
    inputs: dict[str, Tensor]
    #: Name of that dimension.
    length: str
    #: Names of the outputs.
    outputs: list[str]

    def describe(self) -> dict[str, Any]:
        """Name inputs and outputs with their types and shapes."""
        shapes: dict[str, list[str | int]] = {
            name: ["batch", *example.shape[1:]]
            for name, example in self.inputs.items()
        }
        shapes[next(iter(shapes))][1] = self.length
        inputs = {
            name: {
                "type": str(example.dtype).removeprefix("torch."),
                "shape": shapes[name],
            }
            for name, example in self.inputs.items()
        }
        return {"inputs": inputs, "outputs": self.outputs}

    def write(self, path: Path) -> None:
        """Trace the graph and write it."""
        dynamic = [{0: torch.export.Dim.DYNAMIC} for _ in self.inputs]
        dynamic[0][1] = torch.export.Dim.DYNAMIC
        with torch.no_grad():
            program = torch.export.export(
                self.module.eval(),
                (list(self.inputs.values()),),
                dynamic_shapes=(dynamic,),
                strict=False,
            )
        exported = torch.onnx.export(
            program,
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=list(self.inputs),
            output_names=self.outputs,
            custom_translation_table={
                operator.floordiv: floor_divide,
                torch.ops.aten.atan2.default: arc_tangent,
            },
        )
        cast(torch.onnx.ONNXProgram, exported).save(path)


class _Function(nn.Module):
    """A function of a codec and of tensors, as a module to trace."""

    def __init__(
        self, codec: Codec, function: Callable[..., list[Tensor]]
    ) -> None:
        super().__init__()
        self.codec, self.function = codec, function

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        return self.function(self.codec, *inputs)


def _encode(codec: Codec, wavs: Wavs) -> list[Tensor]:
    return [codec.encode(wavs)[0]]


def _decode(codec: Codec, tokens: Tokens) -> list[Tensor]:
    return [codec.decode(tokens)]


def _stream_graph(codec: Codec, side: Literal["encoder", "decoder"]) -> Graph:
    """Describe the graph that takes the next pieces of streams."""
    steps = codec.steps
    if side == "encoder":
        state = steps.encoder_state(_BATCH)
        samples = _FRAMES * codec.hop_length + steps.timing.overlap
        pieces = {"wavs": torch.zeros(_BATCH, samples)}
        names = STREAM_ENCODER, "samples", "tokens"
    else:
        state = steps.decoder_state(_BATCH)
        shape = (_BATCH, _FRAMES, codec.num_codebooks)
        pieces = {"tokens": torch.zeros(shape, dtype=torch.int64)}
        names = STREAM_DECODER, "frames", "wavs"
    paths = list(state.histories)

    def step(
        codec: Codec,
        piece: Tensor,
        position: Tensor,
        total: Tensor,
        *past: Tensor,
    ) -> list[Tensor]:
        steps, histories = codec.steps, dict(zip(paths, past, strict=True))
        state = NetworkState(histories, position, total, codec.encoder.ratio)
        if side == "encoder":
            samples = piece.shape[1] - steps.timing.overlap
            stream = TensorStream(state, samples // codec.hop_length)
            output = steps.encode_step(piece, stream)
        else:
            stream = TensorStream(state, piece.shape[1])
            output = steps.decode_step(piece, stream)
        return [output, *histories.values()]

    file, length, output = names
    return Graph(
        file,
        _Function(codec, step),
        {
            **pieces,
            "position": state.position,
            "total": state.total,
            **{f"past.{path}": past for path, past in state.histories.items()},
        },
        length,
        [output, *(f"next.{path}" for path in paths)],
    )
