"""Rows of tokens, made of their codewords."""

import pytest
import torch

from speechbrain_apcodec.tts.codeword_table import CodewordTable


def test_like_codewords_have_like_rows():
    torch.manual_seed(0)
    table = CodewordTable(2, 3, 5, 64, 0.1)
    codewords = torch.randn(2, 50, 5)
    codewords[:, 1] = codewords[:, 0]
    codewords[:, 2] = codewords[:, 0] + 0.01
    rows = table(codewords)
    assert torch.equal(rows[:, 1], rows[:, 0])
    near = (rows[:, 2] - rows[:, 0]).norm(dim=-1)
    far = (rows[:, 3] - rows[:, 0]).norm(dim=-1)
    assert (near < 0.05 * far).all()
    # Streams mean different things by the same codeword.
    assert not torch.allclose(
        table(codewords[:1].expand(2, -1, -1))[0], rows[1]
    )


@pytest.mark.parametrize("std", [0.02, 0.5])
def test_rows_begin_as_large_as_asked_for(std):
    torch.manual_seed(0)
    rows = CodewordTable(3, 40, 32, 192, std)(torch.randn(3, 500, 32))
    for part in (rows[:, :500], rows[:, 500:]):
        assert part.std().item() == pytest.approx(std, rel=0.15)


def test_every_parameter_learns():
    table = CodewordTable(2, 3, 5, 16, 0.1)
    table(torch.randn(2, 8, 5)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in table.parameters())
