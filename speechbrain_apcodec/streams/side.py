"""What encoding and decoding streams have in common.

Samples and tokens come in pieces of any length; the networks take whole
groups of frames. The rest waits here, in one queue a stream.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from speechbrain_apcodec.streams.state import NetworkState
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Wav


@dataclass
class Side:
    """One end of a batch of streams: the state of its network, and queues."""

    #: Of the encoder or decoder.
    network: NetworkState
    #: Samples of each stream that wait to be encoded, or to be returned.
    queues: list[Wav]
    #: int64 [batch], on the CPU: samples, or tokens, that came in.
    received: Tensor = field(init=False)
    #: bool [batch], on the CPU: streams that were flushed.
    ended: Tensor = field(init=False)
    #: int64 [batch], on the CPU: valid length of the last output.
    num_valid: Tensor = field(init=False)

    def __post_init__(self) -> None:
        batch_size = len(self.queues)
        self.received = torch.zeros(batch_size, dtype=torch.int64)
        self.ended = torch.zeros(batch_size, dtype=torch.bool)
        self.num_valid = torch.zeros(batch_size, dtype=torch.int64)

    def reset(self, items: list[int]) -> None:
        """Restart some streams of the batch."""
        self.network.reset(items)
        for item in items:
            self.queues[item] = self.queues[item][:0]
        self.received[items] = 0
        self.ended[items] = False
        # The caller may still hold the lengths of the last call.
        self.num_valid = self.num_valid.clone()
        self.num_valid[items] = 0

    def to(self, device: torch.device | str) -> None:
        """Move the state to where the network is."""
        self.network.to(device)
        self.queues = [queue.to(device) for queue in self.queues]

    def check_piece(self, piece: Tensor, lengths: Tensor | None) -> Tensor:
        """Check a piece; return its valid length in each stream."""
        size = len(self.received)
        if len(piece) != size:
            raise ConfigurationError(
                f"the context is one of {size} streams, the chunk one of "
                f"{len(piece)}"
            )
        if lengths is None:
            counts = torch.full((size,), piece.shape[1])
        else:
            counts = lengths.to("cpu", torch.int64)
            if counts.shape != (size,) or not (
                counts.min() >= 0 and counts.max() <= piece.shape[1]
            ):
                raise ConfigurationError(
                    f"the lengths {lengths.tolist()} do not fit a chunk of "
                    f"{size} streams with up to {piece.shape[1]}"
                )
        late = (self.ended & (counts > 0)).nonzero()[:, 0].tolist()
        if late:
            raise ConfigurationError(
                f"the streams {late} have ended: call context.reset({late}) "
                "before they begin anew"
            )
        return counts

    def check_ending(self, items: Sequence[int] | None) -> list[int]:
        """Check the streams that a flush ends; default: all that go on."""
        if items is None:
            items = (~self.ended).nonzero()[:, 0].tolist()
        wrong = [
            item
            for item in items
            if not 0 <= item < len(self.ended) or self.ended[item]
        ]
        if wrong:
            raise ConfigurationError(
                f"the streams {wrong} have ended already or do not exist"
            )
        return list(items)


def pad_batch(pieces: list[Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
    """Pad [length, ...] a stream to a batch; return it and the lengths."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    if len(pieces) == 1:
        return pieces[0][None].to(like), lengths
    return pad_sequence(pieces, batch_first=True).to(like), lengths
