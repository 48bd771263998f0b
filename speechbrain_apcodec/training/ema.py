"""Exponential moving average of the generator's weights.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import copy

import torch


class ExponentialMovingAverage:
    """A slow copy of a module, which sounds better than the module itself.

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

    def __init__(self, module, decay=0.999):
        self.source = module
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, step):
        """Follow the module by one step.

        Arguments
        ---------
        step : int
            Number of steps so far.
        """
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
    def reset(self):
        """Forget the past: take the module as it is."""
        self.module.load_state_dict(self.source.state_dict())
