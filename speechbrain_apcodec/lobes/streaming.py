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

import torch
from torch import Tensor

from speechbrain_apcodec.lobes.temporal import (
    TemporalLayer,
    apply_mask,
    energy_of,
)

#: Frames of a stream whose end is not known yet.
ENDLESS = 2**62


def like_state(network):
    """Return a tensor of the type and device in which states are kept.

    Arguments
    ---------
    network : torch.nn.Module
        Its weights may be in half precision; what is kept never is.

    Returns
    -------
    torch.Tensor
    """
    return next(
        parameter
        for name, parameter in network.named_parameters()
        if name.endswith("bias")
    )


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
    energies : dict
        From the path of a normalisation over the utterance to its sum of
        squares so far, float [batch, 1, channels].
    gathering : set
        Paths whose sums still grow.
    """

    histories: dict
    position: torch.Tensor
    total: torch.Tensor
    ratio: int
    energies: dict = field(default_factory=dict)
    gathering: set = field(default_factory=set)

    @classmethod
    def of(cls, network, batch_size):
        """Make the state in which a network's streams begin.

        Arguments
        ---------
        network : Encoder or Decoder
            From ``lobes.autoencoder``.
        batch_size : int
            Number of streams.

        Returns
        -------
        NetworkState
        """
        like = like_state(network)
        return cls(
            histories={
                layer.path: like.new_zeros(
                    batch_size, layer.history_length, layer.in_channels
                )
                for layer in network.modules()
                if isinstance(layer, TemporalLayer) and layer.history_length
            },
            position=torch.zeros(batch_size, dtype=torch.int64),
            total=torch.full((batch_size,), ENDLESS),
            ratio=network.ratio,
        )

    def reset(self, items):
        """Let some streams begin anew.

        Arguments
        ---------
        items : list of int
            Their places in the batch.
        """
        for history in self.histories.values():
            history[items] = 0.0
        self.position[items] = 0
        self.total[items] = ENDLESS

    def to(self, device):
        """Move the state.

        Arguments
        ---------
        device : torch.device or str
            Where the network is.

        Returns
        -------
        NetworkState
            Itself.
        """
        for values in (self.histories, self.energies):
            for path, value in values.items():
                values[path] = value.to(device)
        return self


class Stream:
    """What the layers of a network see of a state during one call.

    Arguments
    ---------
    state : NetworkState
        The state; it is updated.
    counts : torch.Tensor
        int64 [batch], on the CPU: latents, or groups of ``ratio`` frames,
        of each stream in this call.
    """

    compiles = False

    def __init__(self, state, counts):
        self.state = state
        self.counts = counts.tolist()
        self.steps = max(self.counts)
        self.even = min(self.counts) == self.steps
        self.masks = {}

    def extent(self, rate, delay):
        """Find each stream's own frames among those of this call.

        Arguments
        ---------
        rate : int
            Frames per latent where it is asked.
        delay : int
            Frames by which the network lags behind there.

        Returns
        -------
        starts : list of int
            First own frame of each stream.
        stops : list of int
            One after the last one; not below the first.
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

    def mask(self, rate, delay, like):
        """Make a mask of the streams' own frames.

        Arguments
        ---------
        rate : int
            Frames per latent where it is asked.
        delay : int
            Frames by which the network lags behind there.
        like : torch.Tensor
            A tensor on the right device.

        Returns
        -------
        torch.Tensor or None
            float32 [batch, frames, 1]; None if all frames are own ones.
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

    def last(self, x, length, rate):
        """Take what each stream must remember of an extended input.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, length + frames, channels].
        length : int
            Frames to remember.
        rate : int
            Frames per latent.

        Returns
        -------
        torch.Tensor
            float [batch, length, channels].
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

    def close(self):
        """Count the latents of this call, when all layers have seen them."""
        self.state.position += torch.tensor(self.counts)
