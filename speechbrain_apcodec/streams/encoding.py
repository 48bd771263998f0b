"""Encoding streams: from pieces of any length to whole groups of frames.

The ends of a stream are reflected and padded like those of a file.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from speechbrain_apcodec.streams.side import Side, pad_batch
from speechbrain_apcodec.streams.state import Stream
from speechbrain_apcodec.utils.types import Tokens, Wav, Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.streams.context import StreamableCodec


@dataclass
class Encoding(Side):
    """Streams that are encoded; samples wait in ``queues``."""

    def push(
        self,
        codec: "StreamableCodec",
        wavs: Wavs,
        num_samples: Tensor | None,
        num_codebooks: int | None,
    ) -> Tokens:
        """Take the next samples; return the tokens that are complete."""
        counts = self.check_piece(wavs, num_samples)
        timing = codec.timing
        half = timing.window_length // 2
        before, self.received = self.received, self.received + counts
        for item, count in enumerate(counts.tolist()):
            if count:
                # A view of the batch would be kept alive by the queue.
                piece = wavs[item, :count].to(self.queues[item], copy=True)
                self.queues[item] = torch.cat([self.queues[item], piece])
                if before[item] <= half < self.received[item]:
                    self.queues[item] = _reflect_start(self.queues[item], half)
        begun = (self.received > half) & ~self.ended
        groups = [
            max(0, len(queue) - timing.overlap) // timing.hop_length * ready
            for queue, ready in zip(self.queues, begun.tolist(), strict=True)
        ]
        return self._step(codec, groups, num_codebooks)

    def flush(
        self,
        codec: "StreamableCodec",
        items: Sequence[int] | None,
        num_codebooks: int | None,
    ) -> Tokens:
        """End streams, and encode what is still inside."""
        timing = codec.timing
        hop, half = timing.stft_hop_length, timing.window_length // 2
        groups = [0] * len(self.queues)
        ending = self.check_ending(items)
        self.ended[ending] = True
        for item in ending:
            samples = int(self.received[item])
            if samples == 0:
                continue
            queue = self.queues[item]
            if samples <= half:
                queue = _reflect_start(
                    F.pad(queue, (0, half + 1 - samples)), half
                )
            end = queue[-half - 1 : -1].flip(0)
            frames = 1 + max(samples, half + 1) // hop
            last = -(-frames // timing.ratio) + timing.encoder.delay
            groups[item] = last - int(self.network.position[item])
            needed = groups[item] * timing.hop_length + timing.overlap
            queue = torch.cat([queue, end])[:needed]
            self.queues[item] = F.pad(queue, (0, needed - len(queue)))
            self.network.total[item] = frames
        return self._step(codec, groups, num_codebooks)

    def _step(
        self,
        codec: "StreamableCodec",
        groups: list[int],
        num_codebooks: int | None,
    ) -> Tokens:
        """Encode so many groups of frames of each stream."""
        counts, timing = torch.tensor(groups), codec.timing
        if not counts.any():
            self.num_valid = torch.zeros_like(counts)
            shape = (len(groups), 0, num_codebooks or codec.num_codebooks)
            return torch.zeros(
                shape, dtype=torch.int64, device=self.queues[0].device
            )
        pieces = []
        for item, count in enumerate(groups):
            queue, length = self.queues[item], count * timing.hop_length
            pieces.append(queue[: length + timing.overlap if count else 0])
            self.queues[item] = queue[length:].clone()
        wavs, _ = pad_batch(pieces, self.queues[0])
        stream = Stream(self.network, counts)
        tokens = codec.encode_step(wavs, stream, num_codebooks)
        starts, stops = stream.extent(1, timing.encoder.delay)
        # Of a whole number of groups, the STFT has one frame more, whose
        # latent lies beyond the end.
        for item, samples in enumerate(self.received.tolist()):
            if self.ended[item] and groups[item]:
                first = int(self.network.position[item]) - timing.encoder.delay
                most = -(-samples // timing.hop_length) - first
                stops[item] = max(starts[item], min(stops[item], most))
        stream.advance()
        pieces = [
            item[start:stop]
            for item, start, stop in zip(tokens, starts, stops, strict=True)
        ]
        tokens, self.num_valid = pad_batch(pieces, tokens)
        return tokens


def _reflect_start(queue: Wav, half: int) -> Wav:
    """Prepend the reflected beginning."""
    return torch.cat([queue[1 : half + 1].flip(0), queue])
