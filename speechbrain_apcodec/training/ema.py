"""Exponential moving average of the generator's weights.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import copy

import torch
from torch import nn


class ExponentialMovingAverage:
    """A slow copy of a module, which sounds better than the module itself.

    PyTorch's ``AveragedModel`` copies the weights in the first step, and
    counts its steps itself.

    Arguments
    ---------
    module : torch.nn.Module
        The module to follow.
    decay : float
        Share of the old average that a step keeps, in [0, 1). In the first
        steps it is lower, so that the average forgets the initialisation.

    Example
    -------
    >>> module = torch.nn.Linear(2, 2)
    >>> average = ExponentialMovingAverage(module, decay=0.5)
    >>> torch.nn.init.zeros_(module.weight).sum().item()
    0.0
    >>> before = average.module.weight.clone()
    >>> average.update(step=1000)
    >>> torch.allclose(average.module.weight, before / 2)
    True
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.source = module
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the module by one step, after ``step`` others."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self.module.parameters()),
            list(self.source.parameters()),
            1 - decay,
        )
        for ours, theirs in zip(
            self.module.buffers(), self.source.buffers(), strict=True
        ):
            ours.copy_(theirs)

    @torch.no_grad()
    def reset(self) -> None:
        """Take the module as it is, and forget the past."""
        self.module.load_state_dict(self.source.state_dict())
