"""Decoding streams: tokens to the samples that no later token changes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.streams.side import Side, pad_batch
from speechbrain_apcodec.streams.state import Stream
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Tokens, Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.streams.context import StreamableCodec


@dataclass
class Decoding(Side):
    """Streams that are decoded; finished samples wait in ``queues``."""

    #: int64 [batch], on the CPU: samples that were returned or wait.
    finished: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.finished = torch.zeros_like(self.received)

    def reset(self, items: list[int]) -> None:
        """Restart some streams of the batch."""
        super().reset(items)
        self.finished[items] = 0

    def push(
        self,
        codec: "StreamableCodec",
        tokens: Tokens,
        num_tokens: Tensor | None,
        low_delay: bool,
    ) -> Wavs:
        """Take the next tokens; return the samples that are complete."""
        counts = self.check_piece(tokens, num_tokens)
        if counts.any():
            # Padding beyond the longest stream is no part of the step.
            self._step(codec, tokens[:, : int(counts.max())], counts)
        self.received = self.received + counts
        finished = self.finished
        if not low_delay:
            # The stream may yet be cut behind the first sample of its token.
            certain = (self.received - 1) * codec.timing.hop_length + 1
            finished = torch.minimum(finished, certain.clamp(min=0))
        return self._pop(finished)

    def flush(
        self,
        codec: "StreamableCodec",
        num_samples: int | Tensor | None,
        items: Sequence[int] | None,
    ) -> Wavs:
        """End streams, and decode what is still inside."""
        timing = codec.timing
        ending = self.check_ending(items)
        wanted = self._check_lengths(ending, num_samples, timing.hop_length)
        self.ended[ending] = True
        reach = -(-timing.reach // timing.stft_hop_length)
        groups = -(-(timing.decoder.delay + reach) // timing.ratio)
        counts = torch.zeros_like(self.received)
        for item in ending:
            if self.received[item]:
                counts[item] = groups
                frames = int(self.received[item]) * timing.ratio
                self.network.total[item] = frames
        if counts.any():
            # Beyond the end no layer looks at them: any tokens will do.
            tokens = self.queues[0].new_zeros(
                (len(counts), int(counts.max()), 1), dtype=torch.int64
            )
            self._step(codec, tokens, counts)
        finished = self.finished - torch.tensor(
            [len(queue) for queue in self.queues]
        )
        finished[ending] = wanted[ending]
        wavs = self._pop(finished)
        for item in ending:
            self.queues[item] = self.queues[item][:0]
        self.finished[ending] = wanted[ending]
        return wavs

    def _check_lengths(
        self,
        ending: list[int],
        num_samples: int | Tensor | None,
        hop_length: int,
    ) -> Tensor:
        """Return the length of each stream in samples, int64 [batch]."""
        covered = self.received * hop_length
        wanted = covered.clone()
        if num_samples is not None:
            lengths = torch.as_tensor(num_samples, device="cpu")
            if lengths.is_floating_point() or (
                lengths.dim() and lengths.shape != wanted.shape
            ):
                raise ConfigurationError(
                    f"num_samples is {num_samples}, but must be an integer, "
                    f"or int64 [{len(wanted)}], one for each stream"
                )
            wanted[:] = lengths
        for item in ending:
            most, number = int(covered[item]), int(wanted[item])
            returned = int(self.finished[item]) - len(self.queues[item])
            least = max(0, most - hop_length + 1, returned)
            if not least <= number <= most:
                raise ConfigurationError(
                    f"stream {item} has {int(self.received[item])} tokens "
                    f"and ends after {least} to {most} samples, not {number}"
                )
        return wanted

    def _step(
        self, codec: "StreamableCodec", tokens: Tokens, counts: Tensor
    ) -> None:
        """Decode tokens into the queues."""
        timing = codec.timing
        stream = Stream(self.network, counts)
        wavs = codec.decode_step(tokens, stream)
        for item, position in enumerate(self.network.position.tolist()):
            frame = position * timing.ratio - timing.decoder.delay
            first = frame * timing.stft_hop_length - timing.reach
            end = int(counts[item]) * timing.hop_length
            if end and first + end > 0:
                self.queues[item] = torch.cat(
                    [self.queues[item], wavs[item, max(0, -first) : end]]
                )
                self.finished[item] = first + end
        stream.advance()

    def _pop(self, finished: Tensor) -> Wavs:
        """Take samples from the queues, as far as they are finished."""
        pieces = []
        waiting = (self.finished - finished).tolist()
        for item, queue in enumerate(self.queues):
            number = max(0, len(queue) - max(0, waiting[item]))
            pieces.append(queue[:number])
            self.queues[item] = queue[number:].clone()
        wavs, self.num_valid = pad_batch(pieces, self.queues[0])
        return wavs
