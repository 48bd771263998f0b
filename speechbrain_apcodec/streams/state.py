"""What a stream remembers, as values that the caller owns.

The networks keep nothing. A ``NetworkState`` holds the last frames that each
layer saw; a ``Stream`` is the layers' view of it during one call. Where a layer
looks ahead, its output lags behind. Frames before the beginning or after the
end of a stream are set to zero at every layer, like the padding of a file.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from speechbrain_apcodec.streams.time import (
    Reach,
    apply_mask,
    energy_of,
)

#: Frames of a stream whose end is not known yet.
ENDLESS = 2**62


@dataclass
class NetworkState:
    """What a network keeps of a batch of streams.

    Histories and energies stand under the path of their layer.
    """

    #: float [batch, frames, channels], the last inputs of each layer.
    histories: dict[str, Tensor]
    #: int64 [batch], on the CPU: latents that went in or came out so far,
    #: delay not counted.
    position: Tensor
    #: int64 [batch], on the CPU: frames of the whole stream, ``ENDLESS`` until
    #: it ends.
    total: Tensor
    #: Frames per latent.
    ratio: int
    #: Paths of the norms over the utterance, in their order.
    norms: list[str] = field(default_factory=list)
    #: float [batch, 1, channels], the sum of squares that such a norm saw.
    energies: dict[str, Tensor] = field(default_factory=dict)
    #: Paths of the norms whose sums still grow.
    gathering: set[str] = field(default_factory=set)

    @classmethod
    def begin(
        cls,
        histories: dict[str, Tensor],
        batch_size: int,
        ratio: int,
        norms: list[str] | None = None,
    ) -> "NetworkState":
        """Make the state in which streams begin, with these histories."""
        position = torch.zeros(batch_size, dtype=torch.int64)
        total = torch.full((batch_size,), ENDLESS)
        return cls(histories, position, total, ratio, norms or [])

    @classmethod
    def of(
        cls, network: nn.Module, batch_size: int, ratio: int, like: Tensor
    ) -> "NetworkState":
        """Make that of a network, with histories like the tensor ``like``."""
        layers: list[Any] = [
            m for m in network.modules() if hasattr(m, "reach")
        ]
        histories = {
            layer.reach.path: like.new_zeros(
                batch_size, layer.reach.history_length, layer.in_channels
            )
            for layer in layers
            if layer.reach.history_length
        }
        norms = [layer.reach.path for layer in layers if sees_utterance(layer)]
        return cls.begin(histories, batch_size, ratio, norms)

    def reset(self, items: list[int]) -> None:
        """Restart some streams of the batch."""
        for history in self.histories.values():
            history[items] = 0.0
        self.position[items] = 0
        self.total[items] = ENDLESS

    def to(self, device: torch.device | str) -> None:
        """Move the state to where the network is."""
        for values in (self.histories, self.energies):
            for path, value in values.items():
                values[path] = value.to(device)


def sees_utterance(layer: object) -> bool:
    """Tell whether a layer is a norm over the whole utterance."""
    return getattr(layer, "statistic", "frame") == "utterance"


class Stream:
    """The ``Time`` of one call: the next frames of streams.

    It updates the state. ``counts`` are the latents, or groups of ``ratio``
    frames, of each stream in this call: int64 [batch], on the CPU.
    """

    def __init__(self, state: NetworkState, counts: Tensor) -> None:
        self.state = state
        self.counts = counts.tolist()
        self.steps = max(self.counts)
        self.even = min(self.counts) == self.steps
        self.masks: dict[tuple[int, int], Tensor | None] = {}

    def extent(self, rate: int, delay: int) -> tuple[list[int], list[int]]:
        """Find the start and stop of each stream's valid frames in this call.

        At a point of the network with this rate and delay.
        """
        starts, stops = [], []
        for count, position, total in zip(
            self.counts,
            self.state.position.tolist(),
            self.state.total.tolist(),
            strict=True,
        ):
            first = position * rate - delay
            total = -(-total * rate // self.state.ratio)
            starts.append(min(max(0, -first), count * rate))
            stops.append(max(starts[-1], min(count * rate, total - first)))
        return starts, stops

    def mask(self, rate: int, delay: int, like: Tensor) -> Tensor | None:
        """Make float32 [batch, frames, 1], 1 in valid frames; None if all are.

        It lies on the device of ``like``.
        """
        if (rate, delay) not in self.masks:
            starts, stops = self.extent(rate, delay)
            frames = self.steps * rate
            mask = None
            if max(starts) > 0 or min(stops) < frames:
                frame = torch.arange(frames)
                mask = (frame >= torch.tensor(starts)[:, None]) & (
                    frame < torch.tensor(stops)[:, None]
                )
                mask = mask.float()[..., None].to(like.device)
            self.masks[rate, delay] = mask
        return self.masks[rate, delay]

    def run(self, network: nn.Module, x: Tensor) -> Any:
        """Call a part of a network, but not in its compiled form."""
        # It would not see that the state changes.
        return network.forward(x, self)

    def masked(self, reach: Reach, x: Tensor) -> Tensor:
        """Set frames before the beginning or after the end to zero."""
        return apply_mask(x, self.mask(reach.rate, reach.delay, x))

    def with_context(self, reach: Reach, x: Tensor) -> tuple[Tensor, int, int]:
        """Prepend a layer's history to its input, and store the new one."""
        x, length = self.masked(reach, x), reach.history_length
        if length:
            histories = self.state.histories
            x = torch.cat([histories[reach.path], x], dim=1)
            histories[reach.path] = self.last(x, length, reach.rate)
        return x[:, max(0, -reach.offset) :], 0, 0

    def last(self, x: Tensor, length: int, rate: int) -> Tensor:
        """Take the ``length`` frames that precede those of the next call.

        Of [batch, length + frames, channels], ``rate`` frames to a latent.
        """
        if self.even:
            return x[:, x.shape[1] - length :].clone()
        return torch.stack(
            [
                item[count * rate : count * rate + length]
                for item, count in zip(x, self.counts, strict=True)
            ]
        )

    def delayed(self, reach: Reach, x: Tensor) -> Tensor:
        """Delay a residual as much as the layer, called next, delays."""
        if not reach.right:
            return x
        extended = torch.cat([self.state.histories[reach.path], x], dim=1)
        return extended.narrow(1, reach.left, x.shape[1])

    def energy(self, reach: Reach, x: Tensor) -> Tensor:
        """Return the energy of the utterance; gather it first, if need be."""
        energies = self.state.energies
        if reach.path in self.state.gathering:
            energy = energy_of(self.masked(reach, x))
            energies[reach.path] = energies.get(reach.path, 0.0) + energy
        return energies[reach.path]

    def advance(self) -> None:
        """Move the position on, when all layers have seen this call."""
        self.state.position += torch.tensor(self.counts)
