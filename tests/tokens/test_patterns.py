"""Patterns: every token once, in its order, and back without loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.tokens.patterns import (
    CoarseFirstPattern,
    DelayPattern,
    FlattenedPattern,
    ParallelPattern,
)
from speechbrain_apcodec.utils.errors import APCodecError

PATTERNS = [
    CoarseFirstPattern,
    DelayPattern,
    FlattenedPattern,
    ParallelPattern,
]
SIZE = 16

pattern_classes = pytest.mark.parametrize("pattern_class", PATTERNS)


@st.composite
def batches(draw):
    """Draw tokens with special ids, and the lengths of the items."""
    lengths = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4))
    frames = max(lengths) + draw(st.integers(0, 2))
    codebooks = draw(st.integers(2, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    shape = (len(lengths), frames, codebooks)
    tokens = torch.randint(0, SIZE + 3, shape, generator=generator)
    return tokens, torch.tensor(lengths)


def assert_revert(pattern, sequence, num_steps, tokens, lengths):
    """Check that all frames come back, and PAD after them."""
    given_sequence = sequence.clone()
    reverted, num_frames = pattern.revert(sequence, num_steps)
    assert torch.equal(sequence, given_sequence)
    for own, back, frames in zip(tokens, reverted, lengths, strict=True):
        assert torch.equal(own[:frames], back[:frames])
        assert (back[frames:] == SIZE).all()
    return num_frames


@pattern_classes
@given(batch=batches())
def test_a_batch_is_arranged_item_by_item_and_reverted(pattern_class, batch):
    tokens, lengths = batch
    given_tokens = tokens.clone()
    pattern = pattern_class(tokens.shape[2], SIZE)
    sequence, num_steps = pattern.build(tokens, lengths)
    assert torch.equal(tokens, given_tokens)
    assert sequence.shape[2] == pattern.num_streams
    for i, frames in enumerate(lengths):
        alone, (steps,) = pattern.build(tokens[i : i + 1, :frames])
        assert steps == num_steps[i] == alone.shape[1]
        assert torch.equal(sequence[i, :steps], alone[0])
        assert (sequence[i, steps:] == SIZE).all()
    found = assert_revert(pattern, sequence, num_steps, tokens, lengths)
    assert torch.equal(found, lengths)


@pattern_classes
@given(st.integers(0, 6), st.integers(2, 5))
def test_every_token_occurs_once_after_coarser_ones(
    pattern_class, frames, codebooks
):
    # Ids tell frame and codebook.
    tokens = torch.arange(frames * codebooks).view(1, frames, codebooks)
    pattern = pattern_class(codebooks, codebook_size=1000)
    sequence, _ = pattern.build(tokens)
    found = (sequence[0] != 1000).nonzero()
    step_of = {
        int(sequence[0, step, stream]): int(step) for step, stream in found
    }
    assert len(found) == len(step_of) == frames * codebooks
    for token, step in step_of.items():
        if token % codebooks and pattern_class is not ParallelPattern:
            coarser = token - token % codebooks
            assert step_of[coarser] < step
        if token >= codebooks:
            assert step_of[token - codebooks] < step


def test_delay_is_that_of_the_paper():
    tokens = torch.arange(8).view(1, 4, 2)
    sequence, num_steps = DelayPattern(2, 8).build(tokens)
    assert sequence[0].tolist() == [[0, 8], [2, 1], [4, 3], [6, 5], [8, 7]]
    assert num_steps.tolist() == [5]


@pytest.mark.parametrize(
    ("pattern", "num_steps"),
    [
        (DelayPattern(4, 8), 2),
        (FlattenedPattern(4, 8), 6),
        (CoarseFirstPattern(4, 8), 5),
    ],
    ids=["delay", "flattened", "coarse"],
)
def test_sequences_that_are_not_whole_are_refused(pattern, num_steps):
    sequence = torch.zeros(1, num_steps, pattern.num_streams).long()
    with pytest.raises(APCodecError, match="are not whole in"):
        pattern.revert(sequence)


def test_other_codebooks_are_refused():
    with pytest.raises(APCodecError, match="is for 4 codebooks"):
        DelayPattern(4, 8).build(torch.zeros(1, 3, 2).long())
    with pytest.raises(APCodecError, match="take ParallelPattern"):
        CoarseFirstPattern(1, 8)


@given(batch=batches(), frames_per_step=st.integers(1, 4))
def test_delay_of_several_frames_a_step(batch, frames_per_step):
    tokens, lengths = batch
    pattern = DelayPattern(tokens.shape[2], SIZE, frames_per_step)
    sequence, num_steps = pattern.build(tokens, lengths)
    assert sequence.shape[2] == tokens.shape[2] * frames_per_step
    found = assert_revert(pattern, sequence, num_steps, tokens, lengths)
    # Whole groups come back.
    groups = -(-lengths // frames_per_step)
    assert torch.equal(found, groups * frames_per_step)
    # ``places`` says of each step what it holds.
    for step in range(sequence.shape[1]):
        frame, codebook = pattern.places(step)
        for item, frames in enumerate(lengths):
            for stream, (n, k) in enumerate(
                zip(frame.tolist(), codebook.tolist(), strict=True)
            ):
                is_token = 0 <= n < frames
                wanted = tokens[item, n, k] if is_token else SIZE
                assert sequence[item, step, stream] == wanted


@given(batch=batches(), frames_per_step=st.integers(1, 4))
def test_tokens_of_a_group_are_never_predicted_at_once(batch, frames_per_step):
    tokens, _ = batch
    pattern = DelayPattern(tokens.shape[2], SIZE, frames_per_step)
    frame, _ = pattern.places(20)
    groups = (frame // frames_per_step).tolist()
    assert len(set(groups)) == len(groups)
