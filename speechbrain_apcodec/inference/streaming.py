"""Live streams through a trained codec: what comes in is checked first.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from speechbrain_apcodec.inference.checks import (
    check_tokens,
    check_wavs,
    tokens_without_padding,
)
from speechbrain_apcodec.streams.context import StreamingContext


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
