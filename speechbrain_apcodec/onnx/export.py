"""From a model's folder to ONNX graphs.

The graphs are traced from the codec itself; ``onnx.modules`` exchanges the
few operators that ONNX lacks, ``onnx.folder`` says what a graph takes and
gives.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import operator
from dataclasses import dataclass
from pathlib import Path

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

# Examples from which graphs are traced: any batch and any number of frames
# but 1, which a trace would take for a constant.
_BATCH, _FRAMES = 2, 3


def export_onnx(
    source: str | Path, out_dir: str | Path, force: bool = False
) -> Path:
    """Export a model as ONNX graphs.

    Arguments
    ---------
    source : str or pathlib.Path
        Folder of an exported model, hub id or URL.
    out_dir : str or pathlib.Path
        The folder to write, see ``onnx.folder``.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced.

    Returns
    -------
    pathlib.Path
        The folder.

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
    """Write all graphs of a folded float32 codec, and what describes them."""
    codec = exportable(codec)
    graphs = [encoder_graph(codec), decoder_graph(codec)]
    if codec.streamable:
        graphs += [stream_graph(codec, side) for side in ("encoder", "decoder")]
    config = {
        "onnx_format_version": ONNX_FORMAT_VERSION,
        "model_id": model_id,
        "weights_sha256": weights_sha256,
        **describe(codec),
        "graphs": {},
    }
    for graph in graphs:
        graph.write(folder / graph.file)
        config["graphs"][graph.file] = {
            **graph.describe(),
            "sha256": file_sha256(folder / graph.file),
        }
    write_json(folder / ONNX_CONFIG_FILE, config)


def describe(codec: Codec) -> dict:
    """Say what one must know of a codec to run its graphs."""
    n_fft, stft_hop_length, window_length = codec.stft
    facts = {
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
    """A graph that is yet to be traced.

    Arguments
    ---------
    file : str
        Name of its file.
    module : torch.nn.Module
        Takes the inputs as a list of tensors, and returns the outputs as
        one.
    inputs : dict
        Name to an example. The first dimension of each is the batch; the
        second one of the first input may have any length.
    length : str
        Name of that dimension.
    outputs : list of str
        Names of the outputs.
    """

    file: str
    module: nn.Module
    inputs: dict
    length: str
    outputs: list

    def describe(self) -> dict:
        """Name inputs and outputs with their types and shapes."""
        first, *_ = self.inputs
        inputs = {
            name: {
                "type": str(example.dtype).removeprefix("torch."),
                "shape": ["batch", *example.shape[1:]],
            }
            for name, example in self.inputs.items()
        }
        inputs[first]["shape"][1] = self.length
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
        torch.onnx.export(
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
        ).save(path)


class _Encoder(nn.Module):
    def __init__(self, codec: Codec):
        super().__init__()
        self.codec = codec

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        (wavs,) = inputs
        return [self.codec.encode(wavs)[0]]


class _Decoder(nn.Module):
    def __init__(self, codec: Codec):
        super().__init__()
        self.codec = codec

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        (tokens,) = inputs
        return [self.codec.decode(tokens)]


class _Step(nn.Module):
    def __init__(self, codec: Codec, side: str, paths: list[str]):
        super().__init__()
        self.codec, self.side, self.paths = codec, side, paths

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        piece, position, total, *past = inputs
        past = dict(zip(self.paths, past, strict=True))
        codec, steps = self.codec, self.codec.steps
        state = NetworkState(past, position, total, codec.encoder.ratio)
        if self.side == "encoder":
            samples = piece.shape[1] - steps.timing.overlap
            stream = TensorStream(state, samples // codec.hop_length)
            output = steps.encode_step(piece, stream)
        else:
            stream = TensorStream(state, piece.shape[1])
            output = steps.decode_step(piece, stream)
        return [output, *past.values()]


def encoder_graph(codec: Codec) -> Graph:
    """Describe the graph from waveforms to tokens."""
    wavs = torch.zeros(_BATCH, _FRAMES * codec.hop_length + 1)
    return Graph(
        ENCODER, _Encoder(codec), {"wavs": wavs}, "samples", ["tokens"]
    )


def decoder_graph(codec: Codec) -> Graph:
    """Describe the graph from tokens to waveforms."""
    tokens = torch.zeros(_BATCH, _FRAMES, codec.num_codebooks).long()
    return Graph(
        DECODER, _Decoder(codec), {"tokens": tokens}, "frames", ["wavs"]
    )


def stream_graph(codec: Codec, side: str) -> Graph:
    """Describe the graph that takes the next pieces of streams.

    ``side`` is "encoder", which takes samples, or "decoder", which takes
    tokens.
    """
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
    past = state.histories
    file, length, output = names
    return Graph(
        file,
        _Step(codec, side, list(past)),
        {
            **pieces,
            "position": state.position,
            "total": state.total,
            **{f"past.{path}": past[path] for path in past},
        },
        length,
        [output, *(f"next.{path}" for path in past)],
    )
