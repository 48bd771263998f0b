"""All codebooks as one vocabulary, and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.tokens.flattening import flatten, unflatten
from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import APCodecError


@given(
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(0, 99),
)
def test_unflatten_undoes_flatten(batch, frames, codebooks, size, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, frames, codebooks)
    tokens = torch.randint(0, size + 3, shape, generator=generator)
    given_tokens = tokens.clone()
    flat = flatten(tokens, size)
    assert torch.equal(tokens, given_tokens)
    assert flat.shape == (batch, frames * codebooks)
    assert torch.equal(unflatten(flat, codebooks, size), tokens)
    # Ordinary ids tell their codebook, special ones are those of K * C.
    special = SpecialTokens(codebooks * size)
    position = torch.arange(flat.shape[1]) % codebooks
    ordinary = flat < special.pad
    assert (flat // size == position)[ordinary].all()
    assert (flat[~ordinary] <= special.eos).all()
    ids = tokens.flatten(1)
    assert torch.equal(flat == special.pad, ids == size)
    assert torch.equal(flat == special.eos, ids == size + 2)


@pytest.mark.parametrize("flat", [[0, 1], [10, 11], [-1, 11], [0, 25]])
def test_ids_at_wrong_places_are_refused(flat):
    with pytest.raises(APCodecError, match="place of another codebook"):
        unflatten(torch.tensor([flat]), 2, 10)


def test_half_a_frame_is_refused():
    with pytest.raises(APCodecError, match="no whole frames of 2"):
        unflatten(torch.zeros(1, 3).long(), 2, 10)
