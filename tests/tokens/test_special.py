"""PAD, BOS and EOS around tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.tokens.special import SpecialTokens

SPECIAL = SpecialTokens(8)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 3))
def test_cut_undoes_append(lengths, codebooks):
    num_frames = torch.tensor(lengths)
    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), max(lengths), codebooks)
    tokens = torch.randint(0, 8, shape, generator=generator)
    given_tokens = tokens.clone()
    ended = SPECIAL.append_eos(tokens, num_frames)
    assert torch.equal(tokens, given_tokens)
    for item, own, frames in zip(ended, tokens, lengths, strict=True):
        assert torch.equal(item[:frames], own[:frames])
        assert (item[frames] == SPECIAL.eos).all()
        assert (item[frames + 1 :] == SPECIAL.pad).all()
    cut, found = SPECIAL.cut_at_eos(ended)
    assert found.tolist() == lengths
    for item, own, frames in zip(cut, tokens, lengths, strict=True):
        assert torch.equal(item[:frames], own[:frames])
        assert (item[frames:] == SPECIAL.pad).all()


@pytest.mark.parametrize(
    ("tokens", "cut"),
    [
        ([[1, 2], [3, SPECIAL.pad], [4, 5]], [[1, 2]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ],
    ids=["any special id ends it", "without an end"],
)
def test_where_an_item_ends(tokens, cut):
    found, num_frames = SPECIAL.cut_at_eos(torch.tensor([tokens]))
    assert found.tolist() == [cut]
    assert num_frames.tolist() == [len(cut)]


def test_bos_comes_first():
    sequence = torch.arange(6).view(1, 3, 2)
    longer = SPECIAL.prepend_bos(sequence)
    assert longer[0, 0].tolist() == [9, 9]
    assert torch.equal(longer[:, 1:], sequence)
