"""Muon: what a step does, and that a saved state goes on."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.training.muon import Muon, orthogonalized
from speechbrain_apcodec.training.schedules import cool_down


@pytest.mark.parametrize("shape", [(32, 32), (40, 96), (96, 40)])
def test_all_directions_are_stepped_alike(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.linspace(0.1, 3, shape[1]))
    values = torch.linalg.svdvals(orthogonalized(matrix))
    expected = torch.linalg.svdvals(matrix) / matrix.norm()
    large = expected > 0.02
    assert ((values > 0.5) & (values < 1.3))[large].all()


def make_model():
    torch.manual_seed(1)
    return nn.Sequential(
        weight_norm(nn.Conv1d(48, 64, 3, padding=1)),
        nn.GELU(),
        nn.Conv1d(64, 48, 1),
    )


def train(model, optimizer, steps):
    generator = torch.Generator().manual_seed(steps[0])
    for _ in steps:
        x = torch.randn(4, 48, 20, generator=generator)
        (model(x) - x.roll(1, 1)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def test_only_large_matrices_are_orthogonal():
    optimizer = Muon(make_model().parameters())
    shapes = {
        group["orthogonal"]: [tuple(p.shape) for p in group["params"]]
        for group in optimizer.param_groups
    }
    assert shapes[True] == [(64, 48, 3), (48, 64, 1)]
    assert sorted(shapes[False]) == [(48,), (64,), (64, 1, 1)]


def test_the_first_step_is_that_of_the_formula():
    model = nn.Linear(48, 64, bias=False)
    before = model.weight.detach().clone()
    optimizer = Muon(model.parameters(), lr=0.01, weight_decay=0.1)
    x = torch.randn(99, 48)
    model(x).square().mean().backward()
    gradient = model.weight.grad.clone()
    optimizer.step()
    momentum = 0.05 * gradient
    ahead = 0.05 * gradient + 0.95 * momentum
    u, _, v = torch.linalg.svd(ahead, full_matrices=False)
    step = (before * (1 - 0.001) - model.weight.detach()) / 0.01
    # Newton and Schulz bring singular values near 1 only.
    cosine = torch.cosine_similarity(step.flatten(), (u @ v).flatten(), dim=0)
    assert cosine > 0.95
    size = 0.2 * 64**0.5 * 48**0.5
    assert step.norm().item() == pytest.approx(size, rel=0.2)


def test_a_saved_run_goes_on_exactly():
    whole, model = make_model(), make_model()
    optimizer = Muon(whole.parameters(), lr=0.01)
    train(whole, optimizer, range(0, 5))
    train(whole, optimizer, range(5, 9))

    first = Muon(model.parameters(), lr=0.01)
    train(model, first, range(0, 5))
    state = copy.deepcopy(first.state_dict())
    second = Muon(model.parameters(), lr=0.01)
    second.load_state_dict(state)
    train(model, second, range(5, 9))
    for ours, theirs in zip(
        model.parameters(), whole.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_longer_run_keeps_the_rates_so_far():
    def rates(epochs):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        schedule = cool_down(optimizer, epochs, cool_down_epochs=4)
        for _ in range(epochs):
            yield schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()

    short, long = list(rates(8)), list(rates(20))
    assert short[:5] == long[:5] == [1.0] * 5
    assert short[5:] == [0.75, 0.5, 0.25]
