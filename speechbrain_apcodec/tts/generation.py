"""Tokens of speech, one step after the other.

The network predicts a step of the delay pattern; here a token is drawn for
each stream and becomes the input of the next step. What the pattern
determines is not drawn: PAD before a stream begins, and, once the first
codebook has said EOS, EOS in every other one. Nothing ends before the last
piece of the text.

The reading goes on to the next piece of the text when the probability that it
stays has fallen below a random threshold: that draws the number of a piece's
steps from what the network predicts. Without chance it is the median.

With guidance the model runs twice, with the text and without, and what the
text adds to the logits is amplified (https://arxiv.org/abs/2209.15352).

Each item has noise of its own, so that a sentence sounds the same alone and
in a batch.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.utils.types import Tokens

if TYPE_CHECKING:
    from speechbrain_apcodec.tokens.patterns import DelayPattern
    from speechbrain_apcodec.tts.transformer import TokenTransformer


@dataclass
class Generated:
    """Generated tokens of speech.

    Arguments
    ---------
    tokens : torch.Tensor
        int64 [batch, frames, codebooks]; PAD beyond an item's frames.
    num_frames : torch.Tensor
        int64 [batch].
    ended : torch.Tensor
        bool [batch], whether the item ended by EOS; the others were cut at
        the longest that was allowed.
    attention : torch.Tensor
        float [batch, steps, pieces], the mean of the decoder's layers.
    pieces : torch.Tensor
        int64 [batch, steps], the piece of the text that each step said.
    """

    tokens: Tokens
    num_frames: Tensor
    ended: Tensor
    attention: Tensor
    pieces: Tensor


@torch.no_grad()
def generate_tokens(
    model: TokenTransformer,
    text: Tensor,
    num_text: Tensor,
    pattern: DelayPattern,
    frames_per_piece: float,
    temperature: float,
    top_k: int,
    guidance: float = 1.0,
    seed: int = 0,
) -> Generated:
    """Let a model read text and predict the tokens of its speech.

    Arguments
    ---------
    model : speechbrain_apcodec.tts.transformer.TokenTransformer
        In evaluation mode.
    text : torch.Tensor
        int64 [batch, pieces].
    num_text : torch.Tensor
        int64 [batch], pieces of each item.
    pattern : speechbrain_apcodec.tokens.patterns.DelayPattern
        The pattern of the training.
    frames_per_piece : float
        Most frames per piece of text; a sentence that has not ended then is
        cut.
    temperature : float
        Randomness: 0 takes the most probable token.
    top_k : int
        Number of the most probable tokens to draw from.
    guidance : float
        Factor of what the text adds to the logits; 1 is the plain model.
    seed : int
        The same seed gives the same speech.

    Returns
    -------
    Generated
    """
    special, device = pattern.special, text.device
    most_frames = (num_text * frames_per_piece).long().clamp(min=1)
    # An EOS frame follows the last one.
    most_steps = int(pattern.num_steps(most_frames.max() + 1))
    most_steps = min(most_steps, model.max_steps)
    # With guidance, each item comes twice, the second time without its text.
    twice = 1 if guidance == 1 else 2
    textless = torch.arange(twice * len(text), device=device) >= len(text)
    cache = model.start(
        text.repeat(twice, 1), num_text.repeat(twice), most_steps, textless
    )
    generators = [torch.Generator().manual_seed(seed) for _ in text]
    end = torch.full_like(num_text, torch.iinfo(torch.int64).max)
    tokens = text.new_full((len(text), pattern.num_streams), special.bos)
    sequence, attention, read = [], [], []
    reader = _Reader(num_text, temperature, generators)
    for step in range(most_steps):
        read.append(reader.pieces)
        prediction = model.step(
            cache, tokens.repeat(twice, 1), reader.pieces.repeat(twice)
        )
        attention.append(prediction.attention[: len(text)].mean(dim=1)[:, 0])
        frame, codebook = (x.to(device) for x in pattern.places(step))
        logits = prediction.logits[: len(text)].float()
        if twice == 2:
            without = prediction.logits[len(text) :].float()
            logits = without + guidance * (logits - without)
        logits[..., special.codebook_size : special.eos] = -torch.inf
        may_end = (codebook == 0) & (frame > 0) & reader.is_last[:, None]
        logits[..., special.eos].masked_fill_(~may_end, -torch.inf)
        tokens = _draw(logits, temperature, top_k, generators)
        says_end = (tokens == special.eos) | (frame >= most_frames[:, None])
        says_end &= codebook == 0
        # int64 [batch]: the frame after the last one.
        ends = torch.where(says_end, frame, end[:, None]).amin(dim=1)
        end = torch.minimum(end, ends)
        tokens[frame == end[:, None]] = special.eos
        tokens[(frame < 0) | (frame > end[:, None])] = special.pad
        sequence.append(tokens)
        reader.advance(prediction.advance[: len(text), 0])
        if (frame[-1] >= end).all():
            break
    steps = torch.stack(sequence, dim=1)
    # A delayed stream may not even have begun.
    missing = pattern.num_streams - steps.shape[1]
    if missing > 0:
        steps = torch.nn.functional.pad(
            steps, (0, 0, 0, missing), value=special.pad
        )
    tokens, num_frames = special.cut_at_eos(pattern.revert(steps)[0])
    return Generated(
        tokens=tokens,
        num_frames=num_frames,
        ended=end < most_frames,
        attention=torch.stack(attention, dim=1),
        pieces=torch.stack(read, dim=1),
    )


class _Reader:
    """Goes through the text, piece by piece.

    A temperature of 0 leaves nothing to chance, of 1 or more everything.
    Each item has a generator of its own.
    """

    def __init__(
        self,
        num_text: Tensor,
        temperature: float,
        generators: Sequence[torch.Generator],
    ) -> None:
        self.last = num_text - 1
        self.chance = min(temperature, 1.0)
        self.generators = generators
        self.pieces = torch.zeros_like(num_text)
        self.threshold = self._thresholds()
        self.staying = torch.ones_like(self.threshold)  # probability

    @property
    def is_last(self) -> Tensor:
        """Whether the last piece is being said; bool [batch]."""
        return self.pieces == self.last

    def advance(self, log_odds: Tensor) -> None:
        """Choose the piece of the next step; from float [batch]."""
        self.staying = self.staying * torch.sigmoid(-log_odds.double())
        done = (self.staying < self.threshold) & ~self.is_last
        self.pieces = self.pieces + done
        self.staying = torch.where(done, 1.0, self.staying)
        self.threshold = torch.where(done, self._thresholds(), self.threshold)

    def _thresholds(self) -> Tensor:
        """Draw float [batch] around a half."""
        drawn = torch.cat(
            [
                torch.rand(1, generator=generator, dtype=torch.float64)
                for generator in self.generators
            ]
        )
        return 0.5 + self.chance * (drawn - 0.5).to(self.last.device)


def _draw(
    logits: Tensor,
    temperature: float,
    top_k: int,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Draw a token for each stream; int64 [batch, streams]."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    top_k = min(top_k, logits.shape[-1])
    values, indices = logits.topk(top_k, dim=-1)
    # The largest sum of logits and Gumbel noise is a draw from the softmax.
    uniform = torch.stack(
        [torch.rand(values.shape[1:], generator=g) for g in generators]
    ).to(logits.device)
    noise = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
    choice = (values / temperature + noise).argmax(dim=-1, keepdim=True)
    return indices.gather(-1, choice)[..., 0]
