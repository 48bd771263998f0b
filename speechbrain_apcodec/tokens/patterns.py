"""Orders in which a model predicts the tokens of several codebooks.

A pattern arranges tokens [batch, frames, codebooks] into a sequence [batch,
steps, streams], of which a model predicts one step at a time, all streams at
once, and brings them back. Steps that hold no token hold PAD. For K = 3
codebooks and frames 0 to 3, in which ``k.n`` is the token of codebook k and
frame n::

    parallel          delay                     coarse first
    0.0 0.1 0.2 0.3   0.0 0.1 0.2 0.3  -   -    0.0 0.1 0.2 0.3  -   -   -   -
    1.0 1.1 1.2 1.3    -  1.0 1.1 1.2 1.3  -     -   -   -   -  1.0 1.1 1.2 1.3
    2.0 2.1 2.2 2.3    -   -  2.0 2.1 2.2 2.3    -   -   -   -  2.0 2.1 2.2 2.3

    flattened, one stream
    0.0 1.0 2.0 0.1 1.1 2.1 0.2 1.2 2.2 0.3 1.3 2.3

The delay pattern can also take several frames a step, each with streams of
its own: half the steps for two frames. No two tokens of a frame, or of such
a group of frames, are predicted at once.

Each item of a batch is arranged by its own number of frames; PAD replaces
whatever stood after them. Frames may hold special ids too: an EOS frame is
delayed like any other.

Paper: https://arxiv.org/abs/2306.05284 (MusicGen)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import TypeVar

import torch
from torch import Tensor

from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import Tokens

#: A number of frames or steps: of one item, or int64 [batch].
_Count = TypeVar("_Count", int, Tensor)


class Pattern:
    """What the patterns share; a subclass assigns a step to each token.

    Arguments
    ---------
    num_codebooks, codebook_size : int
        K and C; PAD is the id C.
    """

    def __init__(self, num_codebooks: int, codebook_size: int) -> None:
        self.num_codebooks = num_codebooks
        self.special = SpecialTokens(codebook_size)

    @property
    def num_streams(self) -> int:
        """Tokens of a step."""
        return self.num_codebooks

    @property
    def _steps_per_frame(self) -> int:
        return 1

    def num_steps(self, num_frames: _Count) -> _Count:
        """Count the steps that frames take."""
        return num_frames * self._steps_per_frame

    def num_frames(self, num_steps: _Count) -> _Count:
        """Count the frames in steps: the inverse of ``num_steps``."""
        return num_steps // self._steps_per_frame

    def _step(self, frame: Tensor, codebook: Tensor, frames: Tensor) -> Tensor:
        """Return the step of a codebook's token; an item has ``frames``."""
        raise NotImplementedError

    def _stream(self, frame: Tensor, codebook: Tensor) -> Tensor | int:
        """Return its stream."""
        return codebook if self.num_streams > 1 else 0

    def build(
        self, tokens: Tokens, num_frames: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Arrange tokens into a sequence.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
        num_frames : int64 [batch], optional
            Frames of each item; default: all.

        Returns
        -------
        sequence : int64 [batch, steps, streams]
        num_steps : int64 [batch]
            Steps of each item.

        Raises
        ------
        APCodecError
            If the tokens do not have K codebooks.
        """
        batch, frames, codebooks = tokens.shape
        if codebooks != self.num_codebooks:
            raise APCodecError(
                f"the pattern is for {self.num_codebooks} codebooks, the "
                f"tokens have {codebooks}: make one for them"
            )
        if num_frames is None:
            num_frames = torch.full((batch,), frames, device=tokens.device)
        index, valid = self._positions(num_frames, frames)
        # Padding goes to one more position, which is cut off again.
        steps = self.num_steps(frames)
        size = steps * self.num_streams
        index = index.masked_fill(~valid, size).flatten(1)
        sequence = tokens.new_full((batch, size + 1), self.special.pad)
        sequence = sequence.scatter(1, index, tokens.flatten(1))
        sequence = sequence[:, :size].view(batch, steps, self.num_streams)
        return sequence, self.num_steps(num_frames)

    def revert(
        self, sequence: Tensor, num_steps: Tensor | None = None
    ) -> tuple[Tokens, Tensor]:
        """Bring a sequence back into frames.

        Arguments
        ---------
        sequence : int64 [batch, steps, streams]
        num_steps : int64 [batch], optional
            Steps of each item; default: all.

        Returns
        -------
        tokens : int64 [batch, frames, codebooks]
            PAD after an item's last frame.
        num_frames : int64 [batch]
            Frames of each item.

        Raises
        ------
        APCodecError
            If no number of frames has so many steps.
        """
        batch, steps, _ = sequence.shape
        if num_steps is None:
            num_steps = torch.full((batch,), steps, device=sequence.device)
        num_frames = self.num_frames(num_steps)
        if ((num_frames < 0) | (self.num_steps(num_frames) != num_steps)).any():
            raise APCodecError(
                f"sequences of {num_steps.tolist()} steps are not whole in "
                f"the {type(self).__name__} of {self.num_codebooks} codebooks"
            )
        index, valid = self._positions(num_frames, int(num_frames.max()))
        index = index.masked_fill(~valid, 0).flatten(1)
        tokens = sequence.flatten(1).gather(1, index).view(valid.shape)
        return tokens.masked_fill(~valid, self.special.pad), num_frames

    def _positions(
        self, num_frames: Tensor, frames: int
    ) -> tuple[Tensor, Tensor]:
        """Return positions in the flat sequence, and which frames there are.

        int64 and bool [batch, frames, codebooks].
        """
        device = num_frames.device
        own = num_frames[:, None, None]
        frame = torch.arange(frames, device=device)[None, :, None]
        codebook = torch.arange(self.num_codebooks, device=device)
        step = self._step(frame, codebook, own)
        index = step * self.num_streams + self._stream(frame, codebook)
        shape = (len(num_frames), frames, self.num_codebooks)
        return index.expand(shape), (frame < own).expand(shape)


class ParallelPattern(Pattern):
    """All codebooks of a frame at once; see ``Pattern``.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> ParallelPattern(2, 8).build(tokens)[0].tolist()
    [[[0, 1], [2, 3]]]
    """

    def _step(self, frame: Tensor, codebook: Tensor, frames: Tensor) -> Tensor:
        return frame + 0 * codebook


class DelayPattern(Pattern):
    """Codebook k comes k steps later: it sees the coarser ones of its frame.

    With two frames a step, the streams are those of codebook 0, first frame;
    codebook 0, second frame; codebook 1, first frame; and so on, and each
    comes a step after the one before. The second frame of a group may be
    missing, and comes back as PAD then.

    Arguments
    ---------
    num_codebooks, codebook_size : int
        K and C.
    frames_per_step : int
        R.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> pattern = DelayPattern(2, codebook_size=8)
    >>> sequence, num_steps = pattern.build(tokens)
    >>> sequence.tolist(), num_steps
    ([[[0, 8], [2, 1], [8, 3]]], tensor([3]))
    >>> pattern.revert(sequence)[0].tolist()
    [[[0, 1], [2, 3]]]
    >>> DelayPattern(2, 8, frames_per_step=2).build(tokens)[0].tolist()
    [[[0, 8, 8, 8], [8, 2, 8, 8], [8, 8, 1, 8], [8, 8, 8, 3]]]
    """

    def __init__(
        self, num_codebooks: int, codebook_size: int, frames_per_step: int = 1
    ) -> None:
        super().__init__(num_codebooks, codebook_size)
        self.frames_per_step = frames_per_step

    @property
    def num_streams(self) -> int:
        """R * K."""
        return self.num_codebooks * self.frames_per_step

    def num_steps(self, num_frames: _Count) -> _Count:
        """R * K - 1 steps more than groups of R frames."""
        groups = (num_frames + self.frames_per_step - 1) // self.frames_per_step
        return groups + self.num_streams - 1

    def num_frames(self, num_steps: _Count) -> _Count:
        """Frames of all groups."""
        return (num_steps - self.num_streams + 1) * self.frames_per_step

    def _step(self, frame: Tensor, codebook: Tensor, frames: Tensor) -> Tensor:
        return frame // self.frames_per_step + self._stream(frame, codebook)

    def _stream(self, frame: Tensor, codebook: Tensor) -> Tensor:
        return codebook * self.frames_per_step + frame % self.frames_per_step

    def places(self, step: int) -> tuple[Tensor, Tensor]:
        """Return frame and codebook of each token of a step, int64 [streams].

        The frame is less than 0 where the stream has not begun.
        """
        stream = torch.arange(self.num_streams)
        frame = self.frames_per_step * (step - stream)
        return (
            frame + stream % self.frames_per_step,
            stream // self.frames_per_step,
        )


class FlattenedPattern(Pattern):
    """One token a step, codebook after codebook; see ``Pattern``.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> FlattenedPattern(2, 8).build(tokens)[0].tolist()
    [[[0], [1], [2], [3]]]
    """

    num_streams = 1

    @property
    def _steps_per_frame(self) -> int:
        return self.num_codebooks

    def _step(self, frame: Tensor, codebook: Tensor, frames: Tensor) -> Tensor:
        return frame * self.num_codebooks + codebook


class CoarseFirstPattern(Pattern):
    """The whole first codebook, then all others at once; see ``Pattern``.

    Raises
    ------
    APCodecError
        If there is a single codebook.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> CoarseFirstPattern(2, 8).build(tokens)[0].tolist()
    [[[0, 8], [2, 8], [8, 1], [8, 3]]]
    """

    _steps_per_frame = 2

    def __init__(self, num_codebooks: int, codebook_size: int) -> None:
        if num_codebooks < 2:
            raise APCodecError(
                "coarse first needs 2 codebooks or more: take ParallelPattern"
            )
        super().__init__(num_codebooks, codebook_size)

    def _step(self, frame: Tensor, codebook: Tensor, frames: Tensor) -> Tensor:
        return frame + frames * (codebook > 0)
