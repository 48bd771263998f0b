"""Time as the layers see it.

Every layer that reaches across time is a ``TemporalLayer``: it says how far
it looks back (``left``) and ahead (``right``). What lies there it asks a
``Time``, which is either whole utterances (``Padded``) or the next piece of
streams (``streams.state.Stream``). The layer computes the same sum either
way, and does not know which of the two it is in.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Clock:
    """The time at a point of a network that is fed piece by piece.

    Arguments
    ---------
    ratio : int
        STFT frames per latent.
    rate : int
        Frames per latent at this point: ``ratio``, or 1 among latents.
    delay : int
        Frames, at this rate, by which the point lags behind the input.
    lookahead : int
        STFT frames after its own first one that a frame here depends on.
    even : bool
        Whether the branches that were joined before lag equally.
    """

    ratio: int
    rate: int
    delay: int = 0
    lookahead: int = 0
    even: bool = True


class TemporalLayer:
    """A layer that has a place in time, mixed into layers of PyTorch.

    It sees ``left`` frames of ``in_channels`` before and ``right`` frames
    after each of its own. ``place`` tells it the ``path`` under which a
    stream keeps its past, and ``rate`` and ``delay`` of its input.
    """

    left = 0
    right = 0
    in_channels = 0
    path = ""
    rate = 1
    delay = 0

    def place(self, path: str, clock: Clock) -> Clock:
        """Take a place in a network; return the clock of the output."""
        self.path, self.rate, self.delay = path, clock.rate, clock.delay
        return self.passed(clock)

    def passed(self, clock: Clock) -> Clock:
        """Add what the layer looks ahead."""
        frames = self.right * (clock.ratio // clock.rate)
        return replace(
            clock,
            delay=clock.delay + self.right,
            lookahead=clock.lookahead + frames,
        )

    @property
    def offset(self) -> int:
        """Frames from the first that a stream's kernel sees to a new one."""
        return self.left + self.right

    @property
    def history_length(self) -> int:
        """Frames of the past that a stream must keep."""
        return max(0, self.offset)


class Time(Protocol):
    """What a layer may ask; tensors are [batch, frames, channels]."""

    def run(self, network: nn.Module, x: Tensor) -> Any:
        """Call a part of a network that may have been compiled."""

    def own(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Set what is no frame of the utterance to zero."""

    def around(
        self, layer: TemporalLayer, x: Tensor
    ) -> tuple[Tensor, int, int]:
        """Give a layer's input with the frames around it.

        The two numbers are the frames of zeros that the layer has yet to put
        before and after it: a kernel may do so without a copy.
        """

    def delayed(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Delay a residual as much as the layer, called next, delays."""

    def energy(self, norm: TemporalLayer, x: Tensor) -> Tensor:
        """Sum the squares of each channel over the utterance."""


@dataclass(frozen=True)
class Padded:
    """Whole utterances, in a batch that is padded to the longest.

    Arguments
    ---------
    masks : dict
        For each rate, in frames per latent, float [batch, frames, 1], 1
        where a frame is the utterance's own; default: all are.
    """

    masks: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, num_frames: Tensor, most: int, ratio: int) -> "Padded":
        """Make masks of int64 [batch] frames out of ``most``."""
        return cls(
            {
                ratio: length_mask(num_frames, most),
                1: length_mask(-(-num_frames // ratio), -(-most // ratio)),
            }
        )

    def run(self, network: nn.Module, x: Tensor) -> Any:
        """Call a part of a network, in its compiled form if it has one."""
        return network(x, self)

    def own(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Set the padding to zero."""
        return apply_mask(x, self.masks.get(layer.rate))

    def around(
        self, layer: TemporalLayer, x: Tensor
    ) -> tuple[Tensor, int, int]:
        """Beyond both ends there are zeros."""
        return self.own(layer, x), layer.left, layer.right

    def delayed(self, layer: TemporalLayer, x: Tensor) -> Tensor:
        """Nothing lags behind."""
        return x

    def energy(self, norm: TemporalLayer, x: Tensor) -> Tensor:
        """Sum the squares of each channel over the utterance."""
        return energy_of(self.own(norm, x))


#: Whole utterances, all as long as the batch.
WHOLE = Padded()


def length_mask(lengths: Tensor, most: int) -> Tensor:
    """Make float32 [batch, most, 1], 1 in the first ``lengths`` frames.

    Example
    -------
    >>> length_mask(torch.tensor([1, 3]), 3).squeeze(-1)
    tensor([[1., 0., 0.],
            [1., 1., 1.]])
    """
    positions = torch.arange(most, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(-1).float()


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """Set frames to zero where there is a mask [batch, frames, 1]."""
    return x if mask is None else x * mask.to(x.dtype)


def energy_of(x: Tensor) -> Tensor:
    """Sum squares over time, to at least float32 [batch, 1, channels]."""
    if x.dtype == torch.float16:
        x = x.float()  # its squares may overflow
    # A matrix product adds up in float32 whatever it multiplies, and is
    # several times faster than a sum over frames.
    with torch.autocast(x.device.type, enabled=False):
        energy = x.new_ones(x.shape[0], 1, x.shape[1]) @ x.square()
    return energy.to(torch.promote_types(x.dtype, torch.float32))
