"""Live streams through a trained codec, which check their input.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from speechbrain_apcodec.inference.checks import (
    absolute_lengths,
    check_num_codebooks,
    check_tokens,
    check_wavs,
    tokens_without_padding,
    whole_number,
)
from speechbrain_apcodec.streams.context import (
    StreamableCodec,
    StreamingContext,
)
from speechbrain_apcodec.utils.types import Lengths, Tokens, Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _outlasting(method: _Method) -> _Method:
    """Compute without gradient, on tensors that may be changed later.

    What ``torch.inference_mode`` makes cannot be updated outside of it, but a
    stream goes on there.
    """
    return torch.inference_mode(False)(torch.no_grad()(method))


class CheckedContext(StreamingContext):
    """Streams of an ``APCodec``, in its precision; see ``StreamingContext``.

    Every method raises an ``APCodecError`` if an argument has a wrong shape,
    type or value. ``make_streaming_context`` makes it.

    Example
    -------
    >>> import torch
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams()
    >>> context = codec.make_streaming_context()
    >>> tokens = context.encode(torch.zeros(1, 9600))
    >>> context.decode(tokens).shape[1] <= 320 * tokens.shape[1] < 9600
    True
    """

    def __init__(
        self,
        precision: AbstractContextManager[object],
        codebook_size: int,
        codec: StreamableCodec,
        batch_size: int,
        low_delay: bool,
        num_codebooks: int,
    ) -> None:
        super().__init__(codec, batch_size, low_delay, num_codebooks)
        self.precision = precision
        self.codebook_size = codebook_size

    @_outlasting
    def encode(self, wavs: Wavs, num_samples: Tensor | None = None) -> Tokens:
        """Encode the next samples; see ``StreamingContext``."""
        check_wavs(wavs)
        with self.precision:
            return super().encode(wavs.to(self.codec.like), num_samples)

    @_outlasting
    def flush_encoder(self, items: Sequence[int] | None = None) -> Tokens:
        """End streams, and encode the rest."""
        with self.precision:
            return super().flush_encoder(items)

    @_outlasting
    def decode(self, tokens: Tokens, num_tokens: Tensor | None = None) -> Wavs:
        """Decode the next tokens; see ``StreamingContext``."""
        check_tokens(tokens, self.codec.num_codebooks)
        tokens = tokens.to(self.codec.like.device).long()
        self.decoding.check_piece(tokens, num_tokens)
        if num_tokens is not None:
            num_tokens = num_tokens.to(tokens.device)
        tokens = tokens_without_padding(tokens, num_tokens, self.codebook_size)
        with self.precision:
            return super().decode(tokens, num_tokens)

    @_outlasting
    def flush_decoder(
        self,
        num_samples: int | Tensor | None = None,
        items: Sequence[int] | None = None,
    ) -> Wavs:
        """End streams, and decode the rest."""
        with self.precision:
            return super().flush_decoder(num_samples, items)


@_outlasting
def make_streaming_context(
    codec: APCodec,
    batch_size: int = 1,
    low_delay: bool = False,
    num_codebooks: int | None = None,
) -> CheckedContext:
    """Begin live streams.

    Arguments
    ---------
    codec : APCodec
        The codec.
    batch_size : int
        Number of streams.
    low_delay : bool
        Hand out decoded samples as soon as they are known. Otherwise a
        few are held back, so that ``flush_decoder`` can cut a stream
        that ends within its last token.
    num_codebooks : int, optional
        Number of codebooks to encode with; default: all.

    Returns
    -------
    CheckedContext
        It encodes and decodes; the caller owns it.

    Raises
    ------
    APCodecError
        If the model cannot be streamed.
    """
    steps = codec.mods["codec"].steps
    steps.check_streamable()
    return CheckedContext(
        codec.inference_ctx,
        codec.codebook_size,
        steps,
        whole_number(batch_size, "batch_size"),
        low_delay,
        check_num_codebooks(num_codebooks, codec.num_codebooks),
    )


# Methods of ``APCodec`` as streams were called before.


def encode_chunk(
    codec: APCodec,
    context: CheckedContext,
    wavs: Wavs,
    wav_lens: Lengths | None = None,
    num_codebooks: int | None = None,
) -> Tokens:
    """Call ``context.encode``, with relative lengths."""
    check_wavs(wavs)
    context.num_codebooks = check_num_codebooks(
        num_codebooks, codec.num_codebooks
    )
    return context.encode(wavs, absolute_lengths(wav_lens, wavs, "wav_lens"))


def encode_flush(
    codec: APCodec,
    context: CheckedContext,
    items: Sequence[int] | None = None,
    num_codebooks: int | None = None,
) -> Tokens:
    """Call ``context.flush_encoder``."""
    context.num_codebooks = check_num_codebooks(
        num_codebooks, codec.num_codebooks
    )
    return context.flush_encoder(items)


def decode_chunk(
    codec: APCodec,
    context: CheckedContext,
    tokens: Tokens,
    token_lens: Lengths | None = None,
) -> Wavs:
    """Call ``context.decode``, with relative lengths."""
    check_tokens(tokens, codec.num_codebooks)
    return context.decode(
        tokens, absolute_lengths(token_lens, tokens, "token_lens")
    )


def decode_flush(
    codec: APCodec,
    context: CheckedContext,
    num_samples: int | Tensor | None = None,
    items: Sequence[int] | None = None,
) -> Wavs:
    """Call ``context.flush_decoder``."""
    return context.flush_decoder(num_samples, items)
