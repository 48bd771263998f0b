"""Live streams through a trained codec: what comes in is checked first.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

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
from speechbrain_apcodec.streams.context import StreamingContext

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


def outlasting(method: Callable) -> Callable:
    """Compute without gradient, on tensors that may be changed later.

    What ``torch.inference_mode`` makes cannot be updated outside of it, but a
    stream goes on there.
    """
    return torch.inference_mode(False)(torch.no_grad()(method))


class CheckedContext(StreamingContext):
    """Streams of an ``APCodec``, in its precision; see ``StreamingContext``.

    Arguments
    ---------
    precision : context manager
        What the networks run in.
    codebook_size : int
        Tokens are smaller.
    *arguments : tuple
        Those of ``StreamingContext``.

    Raises
    ------
    APCodecError
        In every method, if an argument has a wrong shape, type or value.

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
        precision: AbstractContextManager,
        codebook_size: int,
        *arguments,
    ):
        super().__init__(*arguments)
        self.precision = precision
        self.codebook_size = codebook_size

    @outlasting
    def encode(self, wavs: Tensor, num_samples: Tensor | None = None) -> Tensor:
        """Encode the next samples; see ``StreamingContext``."""
        check_wavs(wavs)
        with self.precision:
            return super().encode(wavs.to(self.codec.like), num_samples)

    @outlasting
    def flush_encoder(self, items: Sequence[int] | None = None) -> Tensor:
        """End streams, and encode what is still inside."""
        with self.precision:
            return super().flush_encoder(items)

    @outlasting
    def decode(
        self, tokens: Tensor, num_tokens: Tensor | None = None
    ) -> Tensor:
        """Decode the next tokens; see ``StreamingContext``."""
        check_tokens(tokens, self.codec.num_codebooks)
        tokens = tokens.to(self.codec.like.device).long()
        self.decoding.check_piece(tokens, num_tokens)
        if num_tokens is not None:
            num_tokens = num_tokens.to(tokens.device)
        tokens = tokens_without_padding(tokens, num_tokens, self.codebook_size)
        with self.precision:
            return super().decode(tokens, num_tokens)

    @outlasting
    def flush_decoder(
        self,
        num_samples: int | Tensor | None = None,
        items: Sequence[int] | None = None,
    ) -> Tensor:
        """End streams, and decode what is still inside."""
        with self.precision:
            return super().flush_decoder(num_samples, items)


@outlasting
def make_streaming_context(
    codec: "APCodec",
    batch_size: int = 1,
    low_delay: bool = False,
    num_codebooks: int | None = None,
) -> CheckedContext:
    """Begin live streams.

    Arguments
    ---------
    codec : APCodec
        It computes them.
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


# As streams were called before: methods of ``APCodec``.


def encode_chunk(
    codec: "APCodec",
    context: CheckedContext,
    wavs: Tensor,
    wav_lens: Tensor | None = None,
    num_codebooks: int | None = None,
) -> Tensor:
    """Call ``context.encode``, with relative lengths."""
    check_wavs(wavs)
    context.num_codebooks = check_num_codebooks(
        num_codebooks, codec.num_codebooks
    )
    return context.encode(wavs, absolute_lengths(wav_lens, wavs, "wav_lens"))


def encode_flush(
    codec: "APCodec",
    context: CheckedContext,
    items: Sequence[int] | None = None,
    num_codebooks: int | None = None,
) -> Tensor:
    """Call ``context.flush_encoder``."""
    context.num_codebooks = check_num_codebooks(
        num_codebooks, codec.num_codebooks
    )
    return context.flush_encoder(items)


def decode_chunk(
    codec: "APCodec",
    context: CheckedContext,
    tokens: Tensor,
    token_lens: Tensor | None = None,
) -> Tensor:
    """Call ``context.decode``, with relative lengths."""
    check_tokens(tokens, codec.num_codebooks)
    return context.decode(
        tokens, absolute_lengths(token_lens, tokens, "token_lens")
    )


def decode_flush(
    codec: "APCodec",
    context: CheckedContext,
    num_samples: int | Tensor | None = None,
    items: Sequence[int] | None = None,
) -> Tensor:
    """Call ``context.flush_decoder``."""
    return context.flush_decoder(num_samples, items)
