"""What a stream remembers, as values that the caller owns.

The networks themselves keep nothing. A ``NetworkState`` holds, for a batch of
streams, the last frames that each layer saw; a ``Stream`` is the view that
the layers get of it during one call. Where a layer looks ahead, its output
lags behind; frames from before the beginning or after the end of a stream
are set to zero at every layer, as the zero padding of a whole file does.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from speechbrain_apcodec.streams.time import (
    TemporalLayer,
    apply_mask,
    energy_of,
)

#: Frames of a stream whose end is not known yet.
ENDLESS = 2**62


@dataclass
class NetworkState:
    """What a network keeps of a batch of streams.

    Arguments
    ---------
    histories : dict
        From the path of a layer to its last inputs,
        float [batch, frames, channels].
    position : torch.Tensor
        int64 [batch], on the CPU: latents that went in or came out so far,
        delay not counted.
    total : torch.Tensor
        int64 [batch], on the CPU: frames of the whole stream, ``ENDLESS``
        until it ends.
    ratio : int
        Frames per latent.
    norms : list of str
        Paths of the norms over the utterance, in their order.
    energies : dict
        From the path of such a norm to its sum of squares so far,
        float [batch, 1, channels].
    gathering : set
        Paths whose sums still grow.
    """

    histories: dict[str, Tensor]
    position: Tensor
    total: Tensor
    ratio: int
    norms: list[str] = field(default_factory=list)
    energies: dict[str, Tensor] = field(default_factory=dict)
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
        cls, network: nn.Module, batch_size: int, like: Tensor
    ) -> "NetworkState":
        """Make that of a network, its histories of the type of ``like``."""
        layers = [m for m in network.modules() if isinstance(m, TemporalLayer)]
        histories = {
            layer.path: like.new_zeros(
                batch_size, layer.history_length, layer.in_channels
            )
            for layer in layers
            if layer.history_length
        }
        norms = [
            layer.path
            for layer in layers
            if getattr(layer, "statistic", "frame") == "utterance"
        ]
        return cls.begin(histories, batch_size, network.ratio, norms)

    def reset(self, items: list[int]) -> None:
        """Let some streams of the batch begin anew."""
        for history in self.histories.values():
            history[items] = 0.0
        self.position[items] = 0
        self.total[items] = ENDLESS

    def to(self, device: torch.device | str) -> None:
        """Move the state to where the network is."""
        for values in (self.histories, self.energies):
            for path, value in values.items():
                values[path] = value.to(device)


class Stream:
    """The ``Time`` of one call: the next frames of streams.

    Arguments
    ---------
    state : NetworkState
        The state; it is updated.
    counts : torch.Tensor
        int64 [batch], on the CPU: latents, or groups of ``ratio`` frames,
        of each stream in this call.
    """

    def __init__(self, state: NetworkState, counts: Tensor):
        self.state = state
        self.counts = counts.tolist()
        self.steps = max(self.counts)
        self.even = min(self.counts) == self.steps
        self.masks = {}

    def extent(self, rate: int, delay: int) -> tuple[list[int], list[int]]:
        """Find first and end of each stream's own frames in this call.

        Asked at a point of the network with this rate and delay.
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
        """Make float32 [batch, frames, 1], 1 in the streams' own frames.

        None if all are. ``like`` is on the right device.
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
        """Call a part of a network as it is.

        A compiled form would not know that the state changes.
        """
        return network.forward(x, self)

    def own(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Set what lies before the beginning or after the end to zero."""
        return apply_mask(x, self.mask(layer.rate, layer.delay, x))

    def around(
        self, layer: TemporalLayer, x: Tensor
    ) -> tuple[Tensor, int, int]:
        """Put a layer's past before its input, and remember the new past."""
        x, length = self.own(layer, x), layer.history_length
        if length:
            histories = self.state.histories
            x = torch.cat([histories[layer.path], x], dim=1)
            histories[layer.path] = self.last(x, length, layer.rate)
        return x[:, max(0, -layer.offset) :], 0, 0

    def last(self, x: Tensor, length: int, rate: int) -> Tensor:
        """Take the ``length`` frames that come before those of the next call.

        Of [batch, length + frames, channels], where each stream has its own
        number of frames; ``rate`` of them to a latent.
        """
        if self.even:
            return x[:, x.shape[1] - length :].clone()
        return torch.stack(
            [
                item[count * rate : count * rate + length]
                for item, count in zip(x, self.counts, strict=True)
            ]
        )

    def delayed(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Delay a residual as much as the layer, called next, delays."""
        if not layer.right:
            return x
        extended = torch.cat([self.state.histories[layer.path], x], dim=1)
        return extended.narrow(1, layer.left, x.shape[1])

    def energy(self, norm: TemporalLayer, x: Tensor) -> Tensor:
        """Give a norm the energy of its utterance, or gather it first."""
        energies = self.state.energies
        if norm.path in self.state.gathering:
            energy = energies.get(norm.path, 0.0) + energy_of(self.own(norm, x))
            energies[norm.path] = energy
        return energies[norm.path]

    def close(self) -> None:
        """Count the latents of this call, when all layers have seen them."""
        self.state.position += torch.tensor(self.counts)
