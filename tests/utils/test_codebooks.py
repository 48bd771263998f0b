"""Usage and perplexity of codebooks, at the ends of their ranges."""

import pytest
import torch

from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)


def test_even_and_single_use():
    even = torch.arange(64).repeat(3)
    same = torch.zeros(192, dtype=torch.int64)
    tokens = torch.stack([even, same], dim=-1).reshape(4, 48, 2)
    usage, perplexity = usage_and_perplexity(count_tokens(tokens, 64))
    assert usage.tolist() == [1, 1 / 64]
    assert perplexity.tolist() == pytest.approx([64, 1])


def test_what_is_no_token_does_not_count():
    tokens = torch.randint(-1, 16, (5, 40, 3))
    counts = count_tokens(tokens, 16)
    assert counts.shape == (3, 16)
    assert counts.sum() == (tokens >= 0).sum()


def test_without_tokens_nothing_is_used():
    counts = count_tokens(torch.zeros(0, 4, dtype=torch.int64), 64)
    usage, perplexity = usage_and_perplexity(counts)
    assert usage.tolist() == [0] * 4
    assert perplexity.tolist() == [1] * 4


def test_a_token_beyond_the_codebook_is_refused():
    with pytest.raises(ValueError, match="a token is 64"):
        count_tokens(torch.tensor([[64]]), 64)
