"""A trained codec whose networks ONNX Runtime computes.

``ONNXCodec`` is an ``APCodec``: files, streams and everything built upon it
work the same way. Only the networks are not PyTorch's.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.onnx.folder import STREAM_DECODER, STREAM_ENCODER
from speechbrain_apcodec.onnx.runtime import Graphs, group_by_count
from speechbrain_apcodec.streams.chunks import (
    decode_in_chunks,
    encode_in_chunks,
)
from speechbrain_apcodec.streams.context import StreamingContext
from speechbrain_apcodec.streams.state import NetworkState, Stream
from speechbrain_apcodec.streams.time import Clock
from speechbrain_apcodec.streams.timing import Timing
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath, Tokens, Wavs


class ONNXCodec(APCodec):
    """A codec of ONNX graphs, on the CPU.

    Example
    -------
    >>> codec = ONNXCodec.from_folder("my_model_onnx")  # doctest: +SKIP
    >>> tokens, token_lens = codec.encode(wavs)  # doctest: +SKIP
    >>> wavs, wav_lens = codec.decode(tokens)  # doctest: +SKIP
    """

    @classmethod
    def from_folder(cls, folder: AnyPath) -> "ONNXCodec":
        """Load the graphs that ``apcodec export --onnx`` wrote.

        They take as many threads as PyTorch has; see ``onnx.runtime.Graphs``.
        """
        graphs = Graphs(folder, torch.get_num_threads())
        return cls(
            {"codec": ONNXNetworks(graphs)},
            freeze_params=False,  # graphs are, and were folded before
            config=graphs.config,
        )

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weight file that the graphs were made of."""
        return self._published()["weights_sha256"]


class ONNXNetworks(nn.Module):
    """Graphs in the place of a ``Codec``, and of its steps through streams."""

    def __init__(self, graphs: Graphs) -> None:
        super().__init__()
        self.graphs = graphs
        self.config: dict[str, Any] = graphs.config
        config = self.config
        self.sample_rate: int = config["sample_rate"]
        self.hop_length: int = config["hop_length"]
        self.stft_hop_length: int = config["stft_hop_length"]
        self.frame_rate = self.sample_rate / self.hop_length
        self.num_codebooks: int = config["num_codebooks"]
        self.codebook_size: int = config["codebook_size"]
        self.latent_dim: int = config["latent_dim"]
        self.like = torch.zeros(0)  # graphs are float32, on the CPU

    @property
    def quantizer(self) -> NoReturn:
        """Refuse: the codewords are inside the graphs."""
        raise APCodecError(
            "ONNX graphs do not give their codewords away: load the model's "
            "folder with APCodec.from_hparams"
        )

    def encode(
        self,
        wavs: Wavs,
        num_samples: Tensor | None = None,
        num_codebooks: int | None = None,
        chunk_frames: int | None = None,
    ) -> tuple[Tokens, Tensor]:
        """Encode waveforms to tokens; see ``Codec.encode``."""
        batch, samples = wavs.shape
        if num_samples is None:
            num_samples = torch.full((batch,), samples)
        num_frames = -(-num_samples // self.hop_length)
        frames = -(-samples // self.hop_length)
        if chunk_frames is not None and frames > chunk_frames:
            tokens = encode_in_chunks(
                self, wavs, num_samples, num_codebooks, chunk_frames
            )
            return tokens, num_frames
        codes = self.graphs.encode(wavs.detach().numpy(), num_samples.tolist())
        return torch.from_numpy(codes)[..., :num_codebooks], num_frames

    def decode(
        self,
        tokens: Tokens,
        num_frames: Tensor | None = None,
        num_samples: int | None = None,
        chunk_frames: int | None = None,
    ) -> Wavs:
        """Decode tokens to waveforms; see ``Codec.decode``."""
        batch, frames, _ = tokens.shape
        if num_frames is None:
            num_frames = torch.full((batch,), frames)
        if chunk_frames is not None and frames > chunk_frames:
            wavs = decode_in_chunks(self, tokens, num_frames, chunk_frames)
            return wavs[:, :num_samples]
        decoded = self.graphs.decode(tokens.numpy(), num_frames.tolist())
        return torch.from_numpy(decoded)[:, :num_samples]

    # Streams; see ``streams.context.StreamableCodec``.

    @property
    def streamable(self) -> bool:
        """Whether there are graphs for streams."""
        return STREAM_ENCODER in self.graphs.sessions

    @property
    def steps(self) -> "ONNXNetworks":
        """The codec as streams take it."""
        return self

    def check_streamable(self) -> None:
        """Say why the codec cannot be streamed, if so."""
        if not self.streamable:
            raise ConfigurationError(
                "these graphs cannot be streamed: the model's normalisation "
                "looks at the whole utterance, or its branches look ahead "
                "differently. Export a model trained with "
                "grn_statistic: frame"
            )

    def make_streaming_context(
        self,
        batch_size: int = 1,
        low_delay: bool = False,
        num_codebooks: int | None = None,
    ) -> StreamingContext:
        """Begin streams; see ``Codec.make_streaming_context``."""
        self.check_streamable()
        return StreamingContext(self, batch_size, low_delay, num_codebooks)

    @property
    def timing(self) -> Timing:
        """Sizes in time, delays and latency."""
        self.check_streamable()
        ratio = self.config["ratio"]
        return Timing(
            self.stft_hop_length,
            self.config["window_length"],
            Clock(ratio, 1, **self.config["encoder"]),
            Clock(ratio, ratio, **self.config["decoder"]),
        )

    def encoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of an encoder whose streams begin."""
        return self._state(STREAM_ENCODER, batch_size)

    def decoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of a decoder whose streams begin."""
        return self._state(STREAM_DECODER, batch_size)

    def _state(self, file: str, batch_size: int) -> NetworkState:
        inputs = self.config["graphs"][file]["inputs"]
        histories = {
            name.removeprefix("past."): torch.zeros(
                batch_size, *entry["shape"][1:]
            )
            for name, entry in inputs.items()
            if name.startswith("past.")
        }
        return NetworkState.begin(histories, batch_size, self.config["ratio"])

    def encode_step(
        self, wavs: Wavs, stream: Stream, num_codebooks: int | None = None
    ) -> Tokens:
        """Encode whole groups of frames and the ``overlap`` behind them."""
        overlap = self.timing.overlap
        tokens = torch.zeros(len(wavs), stream.steps, self.num_codebooks).long()
        for count, items in group_by_count(stream.counts):
            pieces = wavs[items, : count * self.hop_length + overlap]
            own = self._step(STREAM_ENCODER, pieces, stream.state, items)
            tokens[items, :count] = own
        return tokens[..., :num_codebooks]

    def decode_step(self, tokens: Tokens, stream: Stream) -> Wavs:
        """Decode tokens as far as no later frame adds to the sum."""
        tokens = torch.from_numpy(self.graphs.pad_codebooks(tokens.numpy()))
        wavs = torch.zeros(len(tokens), stream.steps * self.hop_length)
        for count, items in group_by_count(stream.counts):
            pieces = tokens[items, :count]
            own = self._step(STREAM_DECODER, pieces, stream.state, items)
            wavs[items, : own.shape[1]] = own
        return wavs

    def _step(
        self, file: str, pieces: Tensor, state: NetworkState, items: list[int]
    ) -> Tensor:
        """Run a graph on some of the streams, and store their new histories."""
        histories = state.histories
        own = [history[items] for history in histories.values()]
        inputs = [pieces, state.position[items], state.total[items], *own]
        output, *new = map(
            torch.from_numpy,
            self.graphs.run(file, [tensor.numpy() for tensor in inputs]),
        )
        for path, history in zip(histories, new, strict=True):
            # Not in place: the caller may have kept the old state.
            histories[path] = histories[path].index_copy(
                0, torch.tensor(items), history
            )
        return output
