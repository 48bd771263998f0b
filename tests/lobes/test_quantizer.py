"""Gradients, bitrates and precision of the residual vector quantiser."""

import inspect

import pytest
import torch
from torch.nn import functional as F

from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.vector_quantizer import VectorQuantizer
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.support.signals import noise


@pytest.fixture
def quantizer():
    torch.manual_seed(0)
    return ResidualVectorQuantizer(
        8, num_codebooks=4, codebook_size=16, codebook_dim=4
    )


@pytest.fixture
def latent():
    return noise(3, 8, 10, seed=1)


def test_straight_through_gradient_reaches_the_latent(quantizer, latent):
    latent.requires_grad_()
    quantizer(latent).quantized.square().sum().backward()
    assert (latent.grad.abs().sum(1) > 0).all()
    for stage in quantizer.quantizers:
        assert stage.codebook.weight.grad is None
        assert stage.in_proj.bias.grad.abs().max() > 0


def test_commitment_moves_latents_and_codebook_loss_codewords(
    quantizer, latent
):
    latent.requires_grad_()
    codewords = [stage.codebook.weight for stage in quantizer.quantizers]
    output = quantizer(latent)
    assert output.commitment_loss > 0
    torch.testing.assert_close(output.commitment_loss, output.codebook_loss)
    to_latent, *to_codewords = torch.autograd.grad(
        output.commitment_loss,
        [latent, *codewords],
        retain_graph=True,
        allow_unused=True,
    )
    assert (to_latent.abs().sum(1) > 0).all()
    assert to_codewords == [None] * 4

    # The codebook loss of a stage touches its chosen codewords; what it
    # does to the latent passes by the projections alone and is cut off.
    to_latent, first, *_ = torch.autograd.grad(
        output.codebook_loss, [latent, *codewords], allow_unused=True
    )
    assert to_latent is None
    chosen = output.tokens[..., 0].unique()
    moved = first.abs().sum(1).nonzero()[:, 0]
    assert torch.equal(moved, chosen)


def test_a_step_along_each_loss_lowers_it(quantizer, latent):
    latent.requires_grad_()
    output = quantizer(latent)
    (gradient,) = torch.autograd.grad(output.commitment_loss, latent)
    nearer = quantizer((latent - 0.5 * gradient).detach())
    assert nearer.commitment_loss < output.commitment_loss


@pytest.mark.parametrize("training", [True, False])
def test_codebooks_per_item_equal_each_item_alone(quantizer, latent, training):
    quantizer.train(training)
    numbers = torch.tensor([1, 4, 2])
    together = quantizer(latent, numbers)
    losses = []
    for i, number in enumerate(numbers.tolist()):
        alone = quantizer(latent[i : i + 1], number)
        torch.testing.assert_close(
            together.quantized[i : i + 1], alone.quantized
        )
        assert torch.equal(together.tokens[i : i + 1, :, :number], alone.tokens)
        # No token where no codebook is used.
        assert (together.tokens[i, :, number:] == -1).all()
        losses.append(
            [alone.codebook_loss.item(), alone.commitment_loss.item()]
        )
    codebook, commitment = torch.tensor(losses).mean(0)
    torch.testing.assert_close(together.codebook_loss.detach(), codebook)
    torch.testing.assert_close(together.commitment_loss.detach(), commitment)


def test_unused_codebooks_get_no_gradient(quantizer, latent):
    output = quantizer(latent, torch.tensor([1, 2, 2]))
    (output.codebook_loss + output.quantized.sum()).backward()
    for k, stage in enumerate(quantizer.quantizers):
        used = stage.codebook.weight.grad.abs().max() > 0
        assert used == (k < 2)


def test_fewer_tokens_are_a_prefix(quantizer, latent):
    every = quantizer.encode(latent)
    for number in range(1, 5):
        tokens = quantizer.encode(latent, number)
        assert torch.equal(tokens, every[..., :number])
        output = quantizer(latent, number)
        assert torch.equal(output.tokens, tokens)
        torch.testing.assert_close(quantizer.decode(tokens), output.quantized)


def test_autocast_changes_nothing(quantizer, latent):
    expected = quantizer(latent)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = quantizer(latent)
        tokens = quantizer.encode(latent)
        decoded = quantizer.decode(tokens)
    assert half.quantized.dtype == decoded.dtype == torch.float32
    assert torch.equal(half.quantized, expected.quantized)
    assert torch.equal(half.commitment_loss, expected.commitment_loss)
    assert torch.equal(tokens, expected.tokens)
    # Half-precision latents, as an encoder under autocast gives them.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = quantizer(latent.bfloat16())
    assert output.quantized.dtype == torch.float32


@pytest.mark.parametrize("number", [0, 5, -1])
def test_number_of_codebooks_out_of_range(quantizer, latent, number):
    for call in (quantizer, quantizer.encode):
        with pytest.raises(ConfigurationError, match="1 to 4"):
            call(latent, number)


def test_too_many_tokens(quantizer):
    with pytest.raises(ConfigurationError, match="5 codebooks"):
        quantizer.decode(torch.zeros(1, 3, 5).long())


def test_sizes_must_be_positive():
    for size in inspect.signature(ResidualVectorQuantizer).parameters:
        with pytest.raises(ConfigurationError, match=size):
            ResidualVectorQuantizer(**{size: 0})


def make_searching(width):
    torch.manual_seed(0)
    return ResidualVectorQuantizer(
        8, num_codebooks=3, codebook_size=6, codebook_dim=8, search_width=width
    )


def error_of(quantizer, latent, tokens):
    difference = latent - quantizer.decode(tokens)
    return difference.square().sum(dim=1)


@torch.no_grad()
def test_a_search_wide_enough_finds_the_best_of_all_sequences(latent):
    quantizer = make_searching(36)
    grid = torch.cartesian_prod(*[torch.arange(6)] * 3)
    everything = quantizer.decode(grid[None])[0]
    errors = (latent[..., None] - everything[:, None]).square().sum(1)
    found = error_of(quantizer, latent, quantizer.encode(latent))
    torch.testing.assert_close(found, errors.amin(dim=-1))


@torch.no_grad()
def test_a_search_of_one_takes_what_is_nearest_at_each_stage(latent):
    quantizer = make_searching(1)
    residual = latent
    for k, stage in enumerate(quantizer.quantizers):
        errors = residual[..., None] - stage.vocabulary.t()[:, None]
        nearest = errors.square().sum(1).argmin(-1)
        assert torch.equal(quantizer.encode(latent)[..., k], nearest)
        residual = residual - stage.decode(nearest)


@torch.no_grad()
def test_a_wider_search_leaves_less(latent):
    narrow, wide = (
        error_of(quantizer, latent, quantizer.encode(latent)).mean()
        for quantizer in (make_searching(1), make_searching(4))
    )
    assert wide < 0.99 * narrow


def test_training_and_inference_search_alike(latent):
    quantizer = make_searching(4)
    output = quantizer(latent)
    tokens = quantizer.encode(latent)
    assert torch.equal(output.tokens, tokens)
    torch.testing.assert_close(output.quantized, quantizer.decode(tokens))
    for stage in quantizer.quantizers:
        stage.fold()
    assert torch.equal(quantizer.encode(latent), tokens)


def test_a_frame_is_searched_by_itself(latent):
    quantizer = make_searching(4)
    alone = [quantizer.encode(latent[..., t : t + 1]) for t in range(10)]
    assert torch.equal(torch.cat(alone, dim=1), quantizer.encode(latent))


def test_the_encoder_sees_the_decoder_through_searched_codebooks(latent):
    latent = latent.requires_grad_()
    output = make_searching(4)(latent)
    weight = torch.randn_like(latent)
    (output.quantized * weight).sum().backward()
    torch.testing.assert_close(latent.grad, weight)


def test_commitment_pulls_to_the_sum_of_searched_codewords(latent):
    latent = latent.requires_grad_()
    output = make_searching(4)(latent)
    (gradient,) = torch.autograd.grad(output.commitment_loss, latent)
    error = (latent - output.quantized).detach()
    torch.testing.assert_close(gradient, 2 * error / latent.numel())


def test_searched_codebooks_lie_in_the_space_of_the_latent():
    with pytest.raises(ConfigurationError, match="codebook_dim to .* 8"):
        ResidualVectorQuantizer(8, codebook_dim=4, search_width=2)


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
