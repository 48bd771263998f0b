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

Each item of a batch is arranged by its own number of frames; what comes
behind it is PAD, whatever stood there. Frames may hold special ids too: an
EOS frame is delayed like any other.

Paper: https://arxiv.org/abs/2306.05284 (MusicGen)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import APCodecError


class Pattern:
    """What the patterns share; a subclass says at which step a token is.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C; PAD is the id C.
    """

    def __init__(self, num_codebooks, codebook_size):
        self.num_codebooks = num_codebooks
        self.special = SpecialTokens(codebook_size)

    @property
    def num_streams(self):
        """Tokens of a step."""
        return self.num_codebooks

    def num_steps(self, num_frames):
        """Count the steps that frames take.

        Arguments
        ---------
        num_frames : int or torch.Tensor
            Number of frames.

        Returns
        -------
        int or torch.Tensor
        """
        raise NotImplementedError

    def num_frames(self, num_steps):
        """Count the frames in steps: the inverse of ``num_steps``.

        Arguments
        ---------
        num_steps : int or torch.Tensor
            Number of steps.

        Returns
        -------
        int or torch.Tensor
        """
        raise NotImplementedError

    def _steps(self, frame, codebook, num_frames):
        """Say at which step the token of a frame and a codebook is."""
        raise NotImplementedError

    def _stream(self, frame, codebook):
        """Say in which stream it is."""
        return codebook if self.num_streams > 1 else 0

    def build(self, tokens, num_frames=None):
        """Arrange tokens into a sequence.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks].
        num_frames : torch.Tensor, optional
            int64 [batch], frames of each item; default: all.

        Returns
        -------
        sequence : torch.Tensor
            int64 [batch, steps, streams].
        num_steps : torch.Tensor
            int64 [batch], steps of each item.

        Raises
        ------
        APCodecError
            If the tokens are not of K codebooks.
        """
        batch, frames, codebooks = tokens.shape
        if codebooks != self.num_codebooks:
            raise APCodecError(
                f"the pattern is for {self.num_codebooks} codebooks, the "
                f"tokens have {codebooks}: make one for them"
            )
        if num_frames is None:
            num_frames = torch.full((batch,), frames, device=tokens.device)
        num_steps = self.num_steps(num_frames)
        index, valid = self._places(num_frames, frames)
        # Padding goes to one place more, which is cut off again.
        longest = self.num_steps(frames)
        places = longest * self.num_streams
        index = index.masked_fill(~valid, places).flatten(1)
        sequence = tokens.new_full((batch, places + 1), self.special.pad)
        sequence = sequence.scatter(1, index, tokens.flatten(1))
        sequence = sequence[:, :places].view(batch, longest, self.num_streams)
        return sequence, num_steps

    def revert(self, sequence, num_steps=None):
        """Bring a sequence back into frames.

        Arguments
        ---------
        sequence : torch.Tensor
            int64 [batch, steps, streams].
        num_steps : torch.Tensor, optional
            int64 [batch], steps of each item; default: all.

        Returns
        -------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks]; PAD beyond an item's frames.
        num_frames : torch.Tensor
            int64 [batch], frames of each item.

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
        longest = int(num_frames.max())
        index, valid = self._places(num_frames, longest)
        index = index.masked_fill(~valid, 0).flatten(1)
        tokens = sequence.flatten(1).gather(1, index).view(valid.shape)
        return tokens.masked_fill(~valid, self.special.pad), num_frames

    def _places(self, num_frames, frames):
        """Return places in the flat sequence, and which frames there are.

        int64 and bool [batch, frames, codebooks].
        """
        device = num_frames.device
        own = num_frames[:, None, None]
        frame = torch.arange(frames, device=device)[None, :, None]
        codebook = torch.arange(self.num_codebooks, device=device)
        steps = self._steps(frame, codebook, own)
        index = steps * self.num_streams + self._stream(frame, codebook)
        shape = (len(num_frames), frames, self.num_codebooks)
        return index.expand(shape), (frame < own).expand(shape)


class ParallelPattern(Pattern):
    """All codebooks of a frame at once.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> ParallelPattern(2, 8).build(tokens)[0].tolist()
    [[[0, 1], [2, 3]]]
    """

    def num_steps(self, num_frames):
        """One step a frame."""
        return num_frames

    def num_frames(self, num_steps):
        """One frame a step."""
        return num_steps

    def _steps(self, frame, codebook, num_frames):
        return frame + 0 * codebook


class DelayPattern(Pattern):
    """Codebook k comes k steps later: it sees the coarser ones of its frame.

    With two frames a step, the streams are those of codebook 0, first frame;
    codebook 0, second frame; codebook 1, first frame; and so on, and each
    comes a step after the one before. The second frame of a group may be
    missing, and comes back as PAD then.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C.
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

    def __init__(self, num_codebooks, codebook_size, frames_per_step=1):
        super().__init__(num_codebooks, codebook_size)
        self.frames_per_step = frames_per_step

    @property
    def num_streams(self):
        """R * K."""
        return self.num_codebooks * self.frames_per_step

    def num_steps(self, num_frames):
        """R * K - 1 steps more than groups of R frames."""
        groups = (num_frames + self.frames_per_step - 1) // self.frames_per_step
        return groups + self.num_streams - 1

    def num_frames(self, num_steps):
        """Frames of all groups."""
        return (num_steps - self.num_streams + 1) * self.frames_per_step

    def _steps(self, frame, codebook, num_frames):
        return frame // self.frames_per_step + self._stream(frame, codebook)

    def _stream(self, frame, codebook):
        return codebook * self.frames_per_step + frame % self.frames_per_step

    def places(self, step):
        """Say which tokens a step holds.

        Arguments
        ---------
        step : int
            Its number.

        Returns
        -------
        frame : torch.Tensor
            int64 [streams], the frame of each stream's token; less than 0
            where the stream has not begun.
        codebook : torch.Tensor
            int64 [streams].
        """
        stream = torch.arange(self.num_streams)
        frame = self.frames_per_step * (step - stream)
        return (
            frame + stream % self.frames_per_step,
            stream // self.frames_per_step,
        )


class FlattenedPattern(Pattern):
    """One token a step, the codebooks of a frame one after the other.

    Arguments
    ---------
    num_codebooks : int
        K.
    codebook_size : int
        C.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> FlattenedPattern(2, 8).build(tokens)[0].tolist()
    [[[0], [1], [2], [3]]]
    """

    num_streams = 1

    def num_steps(self, num_frames):
        """K steps a frame."""
        return num_frames * self.num_codebooks

    def num_frames(self, num_steps):
        """One frame for K steps."""
        return num_steps // self.num_codebooks

    def _steps(self, frame, codebook, num_frames):
        return frame * self.num_codebooks + codebook


class CoarseFirstPattern(Pattern):
    """First the whole first codebook, then the others, all at once.

    Arguments
    ---------
    num_codebooks : int
        K, at least 2.
    codebook_size : int
        C.

    Raises
    ------
    APCodecError
        If nothing would follow the first codebook.

    Example
    -------
    >>> tokens = torch.tensor([[[0, 1], [2, 3]]])
    >>> CoarseFirstPattern(2, 8).build(tokens)[0].tolist()
    [[[0, 8], [2, 8], [8, 1], [8, 3]]]
    """

    def __init__(self, num_codebooks, codebook_size):
        if num_codebooks < 2:
            raise APCodecError(
                "coarse first needs 2 codebooks or more: take ParallelPattern"
            )
        super().__init__(num_codebooks, codebook_size)

    def num_steps(self, num_frames):
        """Two steps a frame."""
        return num_frames * 2

    def num_frames(self, num_steps):
        """One frame for two steps."""
        return num_steps // 2

    def _steps(self, frame, codebook, num_frames):
        return frame + num_frames * (codebook > 0)
