"""One matrix for every frame, whichever kernel computes it."""

import pytest
import torch
from torch.nn import functional as F

from speechbrain_apcodec.lobes.kernels import linear


# PyTorch chooses the kernel by the size of the input.
@pytest.mark.parametrize("frames", [1, 7, 300])
@pytest.mark.parametrize("biased", [False, True])
def test_linear_is_a_matrix_product(frames, biased):
    torch.manual_seed(0)
    tensors = [torch.randn(2, frames, 96), torch.randn(40, 96)]
    tensors += [torch.randn(40)] if biased else []
    for tensor in tensors:
        tensor.requires_grad_()
    ours, theirs = linear(*tensors), F.linear(*tensors)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-5)
    upstream = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, tensors, upstream),
        torch.autograd.grad(theirs, tensors, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


def test_linear_keeps_precision():
    x, weight = torch.randn(2, 300, 96).double(), torch.randn(40, 96).double()
    assert torch.equal(linear(x, weight), x @ weight.T)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x.float(), weight.float()).dtype == torch.bfloat16
