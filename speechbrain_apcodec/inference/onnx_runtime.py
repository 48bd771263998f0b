"""A trained codec whose networks ONNX Runtime computes.

``ONNXCodec`` is an ``APCodec``: files, streams and all that is built upon it
work the same way. Only the networks are not PyTorch's.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.config import file_sha256
from speechbrain_apcodec.inference.onnx_folder import (
    DECODER,
    ENCODER,
    ONNX_CONFIG_FILE,
    PAST_TAIL,
    STREAM_DECODER,
    STREAM_ENCODER,
    import_onnx_package,
    read_onnx_config,
)
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis, STFTSynthesis
from speechbrain_apcodec.lobes.temporal import TemporalLayer
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    CheckpointError,
    ConfigurationError,
)


class ONNXCodec(APCodec):
    """A codec of ONNX graphs, on the CPU.

    Example
    -------
    >>> codec = ONNXCodec.from_folder("my_model_onnx")  # doctest: +SKIP
    >>> tokens, token_lens = codec.encode(wavs)  # doctest: +SKIP
    >>> wavs, wav_lens = codec.decode(tokens)  # doctest: +SKIP
    """

    @classmethod
    def from_folder(cls, folder):
        """Load the graphs that ``apcodec export --onnx`` wrote.

        They take as many threads as PyTorch has.

        Arguments
        ---------
        folder : str or pathlib.Path
            The folder.

        Returns
        -------
        ONNXCodec

        Raises
        ------
        MissingExtraError
            If ONNX Runtime is not installed.
        CheckpointError
            If there are no graphs, or one was changed.
        """
        folder = Path(folder)
        config = read_onnx_config(folder / ONNX_CONFIG_FILE)
        return cls(
            {"codec": ONNXNetworks(folder, config)},
            freeze_params=False,  # graphs are, and were folded before
            config=config,
        )

    @property
    def weights_sha256(self):
        """SHA-256 of the weight file that the graphs were made of."""
        return self.config["weights_sha256"]


class ONNXNetworks(Codec):
    """A codec that has the sizes of another one, and graphs as its networks.

    Arguments
    ---------
    folder : pathlib.Path
        Folder of the graphs.
    config : dict
        Content of its ``onnx.json``.

    Raises
    ------
    MissingExtraError
        If ONNX Runtime is not installed.
    CheckpointError
        If a graph is missing or was changed.
    """

    def __init__(self, folder, config):
        stft = [
            config[key] for key in ("n_fft", "stft_hop_length", "window_length")
        ]
        super().__init__(
            STFTAnalysis(*stft),
            _Network(config, "encoder", STREAM_ENCODER),
            _Sizes(config),
            _Network(config, "decoder", STREAM_DECODER),
            STFTSynthesis(*stft),
            config["sample_rate"],
        )
        self.sessions = {
            file: _load(folder / file, graph["sha256"])
            for file, graph in config["graphs"].items()
        }

    def _check_streamable(self):
        if STREAM_ENCODER not in self.sessions:
            raise ConfigurationError(
                "these graphs cannot be streamed: the model's normalisation "
                "looks at the whole utterance, or its branches look ahead "
                "differently. Export a model trained with "
                "grn_statistic: frame"
            )

    def encode(
        self, wavs, num_samples=None, num_codebooks=None, chunk_frames=None
    ):
        """Encode waveforms to tokens; see ``Codec.encode``."""
        batch, samples = wavs.shape
        frames = self.num_frames(samples)
        if chunk_frames is not None and frames > chunk_frames:
            return super().encode(
                wavs, num_samples, num_codebooks, chunk_frames
            )
        if num_samples is None:
            num_samples = torch.full((batch,), samples)
        tokens = torch.zeros(batch, frames, self.num_codebooks).long()
        for length, items in _alike(num_samples.tolist()):
            (own,) = self._run(ENCODER, [wavs[items, :length]])
            tokens[items, : own.shape[1]] = own
        return tokens[..., :num_codebooks], self.num_frames(num_samples)

    def decode(
        self, tokens, num_frames=None, num_samples=None, chunk_frames=None
    ):
        """Decode tokens to waveforms; see ``Codec.decode``."""
        batch, frames, _ = tokens.shape
        if chunk_frames is not None and frames > chunk_frames:
            return super().decode(tokens, num_frames, num_samples, chunk_frames)
        if num_frames is None:
            num_frames = torch.full((batch,), frames)
        tokens = self._filled(tokens)
        wavs = torch.zeros(batch, frames * self.hop_length)
        for length, items in _alike(num_frames.tolist()):
            (own,) = self._run(DECODER, [tokens[items, :length]])
            wavs[items, : own.shape[1]] = own
        return wavs[:, :num_samples]

    def encode_groups(self, wavs, stream, num_codebooks=None):
        """Encode whole groups of frames; see ``StreamingCodec``."""
        behind = self.analysis.window_length - self.stft_hop_length
        tokens = torch.zeros(len(wavs), stream.steps, self.num_codebooks).long()
        for count, items in _alike(stream.counts):
            pieces = wavs[items, : count * self.hop_length + behind]
            (own,) = self._step(STREAM_ENCODER, pieces, stream.state, items)
            tokens[items, :count] = own
        return tokens[..., :num_codebooks]

    def decode_groups(self, tokens, stream, tail):
        """Decode tokens as far as they go; see ``StreamingCodec``."""
        tokens, tail = self._filled(tokens), tail.clone()
        wavs = torch.zeros(len(tokens), stream.steps * self.hop_length)
        for count, items in _alike(stream.counts):
            own, tail[items] = self._step(
                STREAM_DECODER,
                tokens[items, :count],
                stream.state,
                items,
                [tail[items]],
            )
            wavs[items, : own.shape[1]] = own
        return wavs, tail

    def _filled(self, tokens):
        """Put -1 into the codebooks that are not used."""
        missing = self.num_codebooks - tokens.shape[-1]
        return F.pad(tokens, (0, missing), value=-1)

    def _step(self, file, pieces, state, items, others=()):
        """Run a graph on some of the streams, and keep their new past."""
        histories = state.histories
        past = [history[items] for history in histories.values()]
        outputs = self._run(
            file,
            [pieces, state.position[items], state.total[items]]
            + [*others, *past],
        )
        first_next = len(outputs) - len(past)
        for path, new in zip(histories, outputs[first_next:], strict=True):
            # Not in place: the caller may have kept the old state.
            histories[path] = histories[path].index_copy(
                0, torch.tensor(items), new
            )
        return outputs[:first_next]

    def _run(self, file, inputs):
        """Run a graph; tensors in the order of its inputs and outputs."""
        session = self.sessions[file]
        names = [entry.name for entry in session.get_inputs()]
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        outputs = session.run(None, dict(zip(names, arrays, strict=True)))
        return [torch.from_numpy(output) for output in outputs]


class _Network(nn.Module):
    """What streams need to know of an encoder or a decoder."""

    def __init__(self, config, name, file):
        super().__init__()
        self.ratio = config["ratio"]
        self.bins = config["n_fft"] // 2 + 1
        self.latent_dim = config["latent_dim"]
        # Where there are streams.
        facts = config.get(name, {"delay": None, "lookahead": None})
        self.delay, self.lookahead = facts["delay"], facts["lookahead"]
        graph = config["graphs"].get(file, {"inputs": {}})
        self.layers = nn.ModuleList(
            _Layer(path.removeprefix("past."), *entry["shape"][1:])
            for path, entry in graph["inputs"].items()
            if path.startswith("past.") and path != PAST_TAIL
        )
        # As ``streaming.like_state`` wants it: states are float32, on the CPU.
        self.bias = nn.Parameter(torch.zeros(0), requires_grad=False)


class _Layer(TemporalLayer, nn.Module):
    """A layer of which a stream keeps the past."""

    def __init__(self, path, frames, channels):
        super().__init__()
        self.path = path
        self.in_channels = channels
        self.left = frames


class _Sizes(nn.Module):
    """The sizes of a quantiser; the codewords are inside the graphs."""

    def __init__(self, config):
        super().__init__()
        self.latent_dim = config["latent_dim"]
        self.num_codebooks = config["num_codebooks"]
        self.codebook_size = config["codebook_size"]

    def _refuse(self, *_):
        raise APCodecError(
            "ONNX graphs do not give their codewords away: load the model's "
            "folder with APCodec.from_hparams"
        )

    decode = embeddings = _refuse
    vocabulary = property(_refuse)


def _alike(counts):
    """Group the items of a batch by their count, zeros left out."""
    for count in sorted(set(counts) - {0}):
        yield count, [i for i, other in enumerate(counts) if other == count]


def _load(path, sha256):
    """Load a graph, if it is the one that was exported."""
    runtime = import_onnx_package("onnxruntime")
    if not path.is_file() or file_sha256(path) != sha256:
        raise CheckpointError(
            f"{path} is missing or was changed: export the graphs again"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return runtime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
