"""Streams through a codec, as a value that the caller owns.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from speechbrain_apcodec.streams.decoding import Decoding
from speechbrain_apcodec.streams.encoding import Encoding
from speechbrain_apcodec.streams.state import NetworkState, Stream
from speechbrain_apcodec.streams.timing import Timing
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Tokens, Wavs


class StreamableCodec(Protocol):
    """What a context needs of a codec, whatever computes it."""

    @property
    def num_codebooks(self) -> int:
        """Codebooks of the codec."""

    @property
    def timing(self) -> Timing:
        """Sizes in time, delays and latency."""

    @property
    def like(self) -> Tensor:
        """A tensor of the type, and on the device, of samples and state."""

    def encoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of an encoder whose streams begin."""

    def decoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of a decoder whose streams begin."""

    def encode_step(
        self, wavs: Wavs, stream: Stream, num_codebooks: int | None
    ) -> Tokens:
        """Encode whole groups of frames and the ``overlap`` behind them.

        The tokens lag behind by ``timing.encoder.delay``.
        """

    def decode_step(self, tokens: Tokens, stream: Stream) -> Wavs:
        """Decode tokens as far as no later frame adds to the sum.

        The waveforms lag behind by ``timing.decoder.delay`` frames and
        ``timing.reach`` samples.
        """


class StreamingContext:
    """A batch of streams; ``make_streaming_context`` of a codec makes it.

    The caller owns it: a copy forks the streams. Encoding and decoding do not
    touch each other's part, so that one end of a connection needs only its
    own. All calls raise a ``ConfigurationError`` if the batch is another one,
    or a stream does not exist or has ended; ``flush_decoder`` also if its
    tokens do not hold that many samples, or more have been returned.

    Arguments
    ---------
    codec : StreamableCodec
        It encodes and decodes.
    batch_size : int
        Number of streams.
    low_delay : bool
        Return decoded samples as soon as they are known, up to
        ``timing.decoder_latency_samples`` earlier. Then ``flush_decoder``
        cannot cut a stream that ends within its last token.
    num_codebooks : int, optional
        Number of codebooks to encode with; default: all.
    """

    def __init__(
        self,
        codec: StreamableCodec,
        batch_size: int = 1,
        low_delay: bool = False,
        num_codebooks: int | None = None,
    ) -> None:
        self.codec = codec
        self.low_delay = low_delay
        self.num_codebooks = num_codebooks
        empty = codec.like.new_zeros(0)
        self.encoding = Encoding(
            codec.encoder_state(batch_size), [empty] * batch_size
        )
        self.decoding = Decoding(
            codec.decoder_state(batch_size), [empty] * batch_size
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "StreamingContext":
        """Copy the state; the codec stays the same."""
        other = copy.copy(self)
        other.encoding = copy.deepcopy(self.encoding, memo)
        other.decoding = copy.deepcopy(self.decoding, memo)
        return other

    @property
    def batch_size(self) -> int:
        """Number of streams."""
        return len(self.encoding.received)

    @property
    def num_tokens(self) -> Tensor:
        """Valid token frames of each stream in the last output, int64."""
        return self.encoding.num_valid

    @property
    def num_samples(self) -> Tensor:
        """Valid samples of each stream in the last output, int64."""
        return self.decoding.num_valid

    @torch.no_grad()
    def encode(self, wavs: Wavs, num_samples: Tensor | None = None) -> Tokens:
        """Encode the next samples.

        Arguments
        ---------
        wavs : float [batch, samples]
            Any number of samples.
        num_samples : int64 [batch], optional
            Valid samples of each stream, 0 for one that pauses; default: all.

        Returns
        -------
        int64 [batch, frames, codebooks]
            The tokens that are complete now, maybe none. The first
            ``num_tokens`` of each stream are valid.
        """
        return self.encoding.push(
            self.codec, wavs, num_samples, self.num_codebooks
        )

    @torch.no_grad()
    def flush_encoder(self, items: Sequence[int] | None = None) -> Tokens:
        """End streams, and encode what is still inside.

        Arguments
        ---------
        items : list of int, optional
            The streams that end; default: all that have not ended yet.

        Returns
        -------
        int64 [batch, frames, codebooks]
            The first ``num_tokens`` of each stream are valid. In all a stream
            has ceil(samples / hop_length).
        """
        return self.encoding.flush(self.codec, items, self.num_codebooks)

    @torch.no_grad()
    def decode(self, tokens: Tokens, num_tokens: Tensor | None = None) -> Wavs:
        """Decode the next tokens.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
            Any number of frames.
        num_tokens : int64 [batch], optional
            Valid frames of each stream, 0 for one that pauses; default: all.

        Returns
        -------
        float [batch, samples]
            The samples that are complete now, maybe none. The first
            ``num_samples`` of each stream are valid.
        """
        return self.decoding.push(
            self.codec, tokens, num_tokens, self.low_delay
        )

    @torch.no_grad()
    def flush_decoder(
        self,
        num_samples: int | Tensor | None = None,
        items: Sequence[int] | None = None,
    ) -> Wavs:
        """End streams, and decode what is still inside.

        Arguments
        ---------
        num_samples : int or int64 [batch], optional
            Samples of the whole stream; default: tokens * hop_length.
        items : list of int, optional
            The streams that end; default: all that have not ended yet.

        Returns
        -------
        float [batch, samples]
            The first ``num_samples`` of each stream are valid.
        """
        return self.decoding.flush(self.codec, num_samples, items)

    def reset(self, items: Sequence[int] | None = None) -> None:
        """Restart streams, whether they have ended or not; default: all."""
        items = list(range(self.batch_size) if items is None else items)
        wrong = [item for item in items if not 0 <= item < self.batch_size]
        if wrong:
            raise ConfigurationError(
                f"the streams {wrong} do not exist: the context has "
                f"{self.batch_size}"
            )
        self.encoding.reset(items)
        self.decoding.reset(items)

    def to(self, device: torch.device | str) -> "StreamingContext":
        """Move the state to where the codec is; return the context."""
        self.encoding.to(device)
        self.decoding.to(device)
        return self
