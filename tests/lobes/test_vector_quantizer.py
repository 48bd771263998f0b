"""One stage of the quantiser: its search and its gradients."""

import torch
from torch.nn import functional as F

from speechbrain_apcodec.lobes.vector_quantizer import VectorQuantizer


def test_nearest_is_the_highest_cosine():
    torch.manual_seed(0)
    stage = VectorQuantizer(8, 16, 4)
    rows = torch.randn(2, 4, 5)
    found = stage.nearest(rows)
    for item in range(2):
        for frame in range(5):
            cosines = F.cosine_similarity(
                rows[item, :, frame][None], stage.codebook.weight
            )
            assert found[item, frame] == cosines.argmax()


def test_straight_through_gradient_of_one_stage():
    torch.manual_seed(0)
    stage = VectorQuantizer(8, 16, 4)
    latent = torch.randn(2, 8, 5, requires_grad=True)
    quantized, *_ = stage(latent)
    direction = torch.randn_like(quantized)
    quantized.backward(direction)
    # As if the codeword's choice were the identity.
    project = stage.in_proj.weight[..., 0]
    project_back = stage.out_proj.weight[..., 0]
    expected = torch.einsum("oc,ci,bot->bit", project_back, project, direction)
    torch.testing.assert_close(latent.grad, expected)
    assert stage.codebook.weight.grad is None


def test_the_nearest_codeword_where_the_length_counts():
    torch.manual_seed(0)
    stage = VectorQuantizer(8, 16, 8, factorized=False)
    rows = torch.randn(2, 8, 5)
    distances = rows.transpose(1, 2)[:, :, None] - stage.codebook.weight
    assert torch.equal(
        stage.nearest(rows), distances.square().sum(-1).argmin(-1)
    )
