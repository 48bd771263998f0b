"""Tokens of speech, one step after the other.

The network predicts a step of the delay pattern; here a token is drawn for
each stream and becomes the input of the next step. What the pattern leaves no
choice about is not drawn: PAD before a stream begins, and, once the first
codebook has said EOS, EOS in every other one.

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
    """

    tokens: torch.Tensor
    num_frames: torch.Tensor
    ended: torch.Tensor
    attention: torch.Tensor


@torch.no_grad()
def generate_tokens(
    model,
    text,
    num_text,
    pattern,
    frames_per_piece,
    temperature,
    top_k,
    seed=0,
):
    """Let a model read text and predict the tokens of its speech.

    Arguments
    ---------
    model : speechbrain_apcodec.lobes.token_transformer.TokenTransformer
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
    cache = model.start(text, num_text, most_steps)
    generators = [torch.Generator().manual_seed(seed) for _ in text]
    end = torch.full_like(num_text, torch.iinfo(torch.int64).max)
    tokens = text.new_full((len(text), pattern.num_streams), special.bos)
    sequence, attention = [], []
    for step in range(most_steps):
        prediction = model.step(cache, tokens)
        attention.append(prediction.attention.mean(dim=1)[:, 0])
        frame, codebook = (x.to(device) for x in pattern.places(step))
        logits = prediction.logits.float()
        may_end = (codebook == 0) & (frame > 0)
        forbidden = torch.arange(logits.shape[-1], device=device)
        forbidden = (forbidden >= special.codebook_size).repeat(len(frame), 1)
        forbidden[may_end, special.eos] = False
        logits = logits.masked_fill(forbidden, -torch.inf)
        tokens = _draw(logits, temperature, top_k, generators)
        says_end = (tokens == special.eos) | (frame >= most_frames[:, None])
        says_end &= codebook == 0
        # int64 [batch]: the first frame that is none.
        ends = torch.where(says_end, frame, end[:, None]).amin(dim=1)
        end = torch.minimum(end, ends)
        tokens[frame == end[:, None]] = special.eos
        tokens[(frame < 0) | (frame > end[:, None])] = special.pad
        sequence.append(tokens)
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
    )


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
