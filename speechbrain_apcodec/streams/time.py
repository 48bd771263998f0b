"""Time as the layers see it.

A layer that reaches across time has a ``Reach``, as its attribute ``reach``,
which says how far it looks back and ahead. With it the layer asks a ``Time``
for the frames around its input: ``Padded`` is a batch of whole utterances,
``streams.state.Stream`` the next frames of streams. The layer computes the
same sum either way, and does not know which of the two it is given.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Clock:
    """The time at a point of a network that is fed piece by piece."""

    #: STFT frames per latent.
    ratio: int
    #: Frames per latent at this point: ``ratio``, or 1 among latents.
    rate: int
    #: Frames, at this rate, by which the point lags behind the input.
    delay: int = 0
    #: STFT frames after its own first one that a frame here depends on.
    lookahead: int = 0
    #: Whether all parallel branches before this point lag equally.
    even: bool = True


@dataclass
class Reach:
    """How far a layer sees across time, and where in a network it stands."""

    #: Frames before and after each of its own.
    left: int = 0
    right: int = 0
    #: Under which a stream keeps its history.
    path: str = ""
    #: Of its input, see `Clock`.
    rate: int = 1
    delay: int = 0

    def set_clock(self, path: str, clock: Clock) -> Clock:
        """Store path and clock of the input; return the output's clock."""
        self.path, self.rate, self.delay = path, clock.rate, clock.delay
        return self.output_clock(clock)

    def output_clock(self, clock: Clock) -> Clock:
        """Add what the layer sees ahead to the clock of its input."""
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
        """Past frames that a stream must keep."""
        return max(0, self.offset)


class Time(Protocol):
    """What a layer may ask; tensors are [batch, frames, channels]."""

    def run(self, network: nn.Module, x: Tensor) -> Any:
        """Call a part of a network that may have been compiled."""

    def masked(self, reach: Reach, x: Tensor) -> Tensor:
        """Set frames outside the utterance to zero."""

    def with_context(self, reach: Reach, x: Tensor) -> tuple[Tensor, int, int]:
        """Return a layer's input with the frames around it.

        The two numbers are the frames of zeros that the layer has yet to pad
        on the left and on the right: a kernel may do so without a copy.
        """

    def delayed(self, reach: Reach, x: Tensor) -> Tensor:
        """Delay a residual as much as the layer, called next, delays."""

    def energy(self, reach: Reach, x: Tensor) -> Tensor:
        """Sum the squares of each channel over the utterance."""


@dataclass(frozen=True)
class Padded:
    """Whole utterances, in a batch that is padded to the longest."""

    #: For each rate, in frames per latent, float [batch, frames, 1], 1 where
    #: a frame lies inside the utterance; default: all do.
    masks: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, num_frames: Tensor, most: int, ratio: int) -> "Padded":
        """Make masks for int64 [batch] frames, padded to ``most``."""
        return cls(
            {
                ratio: length_mask(num_frames, most),
                1: length_mask(-(-num_frames // ratio), -(-most // ratio)),
            }
        )

    def run(self, network: nn.Module, x: Tensor) -> Any:
        """Call a part of a network, in its compiled form if it has one."""
        return network(x, self)

    def masked(self, reach: Reach, x: Tensor) -> Tensor:
        """Set the padding to zero."""
        return apply_mask(x, self.masks.get(reach.rate))

    def with_context(self, reach: Reach, x: Tensor) -> tuple[Tensor, int, int]:
        """Ask for zeros at both ends."""
        return self.masked(reach, x), reach.left, reach.right

    def delayed(self, reach: Reach, x: Tensor) -> Tensor:
        """Return the residual: nothing lags behind."""
        return x

    def energy(self, reach: Reach, x: Tensor) -> Tensor:
        """Sum the squares of each channel over the utterance."""
        return energy_of(self.masked(reach, x))


#: Whole utterances, all as long as the batch.
WHOLE = Padded()


def length_mask(lengths: Tensor, most: int) -> Tensor:
    """Make float32 [batch, most, 1], 1 in the first ``lengths`` frames."""
    positions = torch.arange(most, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(-1).float()


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """Multiply by a mask [batch, frames, 1], if there is one."""
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
