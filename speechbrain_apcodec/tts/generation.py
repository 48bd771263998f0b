"""Tokens of speech, one step after the other.

The network predicts a step of the delay pattern; here a token is drawn for
each stream and becomes the input of the next step. What the pattern leaves no
choice about is not drawn: PAD before a stream begins, and, once the first
codebook has said EOS, EOS in every other one. Nothing ends before the last
piece of the text.

The reading goes on to the next piece of the text when it has become less
probable than a random threshold that it stays: that draws the piece's steps
from what the network predicts. Without chance they are the median.

With guidance the model runs twice, with the text and without, and what the
text adds to the logits is amplified (https://arxiv.org/abs/2209.15352).

Each item has noise of its own, so that a sentence sounds the same alone and
in a batch.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch


@dataclass
class Generated:
    """What was generated.

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

    tokens: torch.Tensor
    num_frames: torch.Tensor
    ended: torch.Tensor
    attention: torch.Tensor
    pieces: torch.Tensor


@torch.no_grad()
def generate_tokens(
    model,
    text,
    num_text,
    pattern,
    frames_per_piece,
    temperature,
    top_k,
    guidance=1.0,
    seed=0,
):
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
        That which the model was trained with.
    frames_per_piece : float
        Most frames that a piece of text may take; a sentence that has not
        ended then is cut.
    temperature : float
        How much is left to chance: 0 takes the most probable token.
    top_k : int
        Number of the most probable tokens from which is drawn.
    guidance : float
        How often what the text adds to the logits is counted; 1 is what the
        model says.
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
    # Guided, each item stands there twice, the second time without its text.
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
        # int64 [batch]: the first frame that is none.
        ends = torch.where(says_end, frame, end[:, None]).amin(dim=1)
        end = torch.minimum(end, ends)
        tokens[frame == end[:, None]] = special.eos
        tokens[(frame < 0) | (frame > end[:, None])] = special.pad
        sequence.append(tokens)
        reader.go_on(prediction.advance[: len(text), 0])
        if (frame[-1] >= end).all():
            break
    sequence = torch.stack(sequence, dim=1)
    # Streams that come later have not got as far as the first ones.
    missing = pattern.num_streams - sequence.shape[1]
    if missing > 0:
        sequence = torch.nn.functional.pad(
            sequence, (0, 0, 0, missing), value=special.pad
        )
    tokens, num_frames = special.cut_at_eos(pattern.revert(sequence)[0])
    return Generated(
        tokens=tokens,
        num_frames=num_frames,
        ended=end < most_frames,
        attention=torch.stack(attention, dim=1),
        pieces=torch.stack(read, dim=1),
    )


class _Reader:
    """Goes through the text, piece by piece.

    Arguments
    ---------
    num_text : torch.Tensor
        int64 [batch], pieces of each item.
    temperature : float
        How much is left to chance, 1 or more: all.
    generators : list of torch.Generator
        One for each item.
    """

    def __init__(self, num_text, temperature, generators):
        self.last = num_text - 1
        self.chance = min(temperature, 1.0)
        self.generators = generators
        self.pieces = torch.zeros_like(num_text)
        self.threshold = self._thresholds()
        self.staying = torch.ones_like(self.threshold)  # probability

    @property
    def is_last(self):
        """Whether the last piece is being said; bool [batch]."""
        return self.pieces == self.last

    def go_on(self, advance):
        """Decide what the next step says, from log-odds float [batch]."""
        self.staying = self.staying * torch.sigmoid(-advance.double())
        done = (self.staying < self.threshold) & ~self.is_last
        self.pieces = self.pieces + done
        self.staying = torch.where(done, 1.0, self.staying)
        self.threshold = torch.where(done, self._thresholds(), self.threshold)

    def _thresholds(self):
        """Draw float [batch] around a half."""
        drawn = torch.cat(
            [
                torch.rand(1, generator=generator, dtype=torch.float64)
                for generator in self.generators
            ]
        )
        return 0.5 + self.chance * (drawn - 0.5).to(self.last.device)


def _draw(logits, temperature, top_k, generators):
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
