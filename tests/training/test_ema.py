"""The average of the generator's weights."""

import pytest
import torch

from speechbrain_apcodec.training.ema import ExponentialMovingAverage


@pytest.fixture
def module():
    return torch.nn.BatchNorm1d(3)


def test_average_is_that_of_the_formula(module):
    average = ExponentialMovingAverage(module, decay=0.9)
    expected = module.weight.detach().clone()
    for step in range(200):
        torch.nn.init.constant_(module.weight, step % 7)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step % 7)
    torch.testing.assert_close(average.module.weight, expected)


def test_first_steps_forget_the_initialisation(module):
    average = ExponentialMovingAverage(module, decay=0.999)
    torch.nn.init.constant_(module.weight, 5.0)
    for step in range(20):
        average.update(step)
    assert (average.module.weight - 5.0).abs().max() < 1e-3


def test_buffers_follow_at_once(module):
    average = ExponentialMovingAverage(module)
    module.running_mean.fill_(3.0)
    average.update(5)
    assert average.module.running_mean.tolist() == [3.0] * 3
    assert average.module.num_batches_tracked == module.num_batches_tracked


def test_average_is_apart_from_the_module(module):
    average = ExponentialMovingAverage(module, decay=0.5)
    module.train()
    before = module.weight.detach().clone()
    average.module.weight.fill_(9.0)
    assert torch.equal(module.weight, before)
    assert not average.module.training
    assert not any(p.requires_grad for p in average.module.parameters())
    average.reset()
    assert torch.equal(average.module.weight, module.weight)
    assert average.module.weight is not module.weight
