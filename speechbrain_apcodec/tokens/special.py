"""The ids after the codewords: padding, beginning and end.

A codebook of C codewords has the tokens 0 to C - 1. A model that predicts
them needs three more classes, which the codec never sees.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from speechbrain_apcodec.utils.types import Tokens


@dataclass(frozen=True)
class SpecialTokens:
    """PAD, BOS and EOS of a vocabulary.

    Arguments
    ---------
    codebook_size : int
        Ordinary ids, C. Flattened tokens of K codebooks have K * C.

    Example
    -------
    >>> special = SpecialTokens(1024)
    >>> special.pad, special.bos, special.eos, special.vocabulary_size
    (1024, 1025, 1026, 1027)
    >>> tokens = torch.tensor([[[5, 6], [7, 8]], [[1, 2], [0, 0]]])
    >>> ended = special.append_eos(tokens, num_frames=torch.tensor([2, 1]))
    >>> ended[1].tolist()
    [[1, 2], [1026, 1026], [1024, 1024]]
    >>> special.cut_at_eos(ended)[1]
    tensor([2, 1])
    """

    codebook_size: int

    @property
    def pad(self) -> int:
        """Id where there is no token: C."""
        return self.codebook_size

    @property
    def bos(self) -> int:
        """Id before the first token: C + 1."""
        return self.codebook_size + 1

    @property
    def eos(self) -> int:
        """Id after the last token: C + 2."""
        return self.codebook_size + 2

    @property
    def vocabulary_size(self) -> int:
        """Number of all ids: C + 3."""
        return self.codebook_size + 3

    def prepend_bos(self, sequence: Tensor) -> Tensor:
        """Put BOS before the first step.

        Arguments
        ---------
        sequence : int64 [batch, steps, streams]

        Returns
        -------
        int64 [batch, steps + 1, streams]
        """
        return F.pad(sequence, (0, 0, 1, 0), value=self.bos)

    def append_eos(self, tokens: Tokens, num_frames: Tensor) -> Tokens:
        """Put EOS after each item's last frame, and PAD after that.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
        num_frames : int64 [batch]
            Frames of each item.

        Returns
        -------
        int64 [batch, frames + 1, codebooks]
            Each item is one frame longer.
        """
        frames = torch.arange(tokens.shape[1] + 1, device=tokens.device)
        frames, end = frames[None, :, None], num_frames[:, None, None]
        ended = F.pad(tokens, (0, 0, 0, 1), value=self.pad)
        ended = ended.masked_fill(frames > end, self.pad)
        return ended.masked_fill(frames == end, self.eos)

    def cut_at_eos(self, tokens: Tokens) -> tuple[Tokens, Tensor]:
        """Find where each item ends, and drop what follows.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
            As a model predicted them.

        Returns
        -------
        tokens : int64 [batch, longest, codebooks]
            PAD after an item's last frame.
        num_frames : int64 [batch]
            Frames before the first one with a special id in any codebook,
            which no codec could decode.
        """
        is_special = (tokens >= self.codebook_size).any(dim=-1)
        num_frames = (is_special.cumsum(dim=1) == 0).sum(dim=1)
        longest = int(num_frames.max()) if len(num_frames) else 0
        frames = torch.arange(longest, device=tokens.device)
        beyond = frames[None, :, None] >= num_frames[:, None, None]
        return tokens[:, :longest].masked_fill(beyond, self.pad), num_frames
