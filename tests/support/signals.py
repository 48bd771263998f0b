"""Signals that several tests share."""

import torch


def noise(*shape, seed=0):
    """Draw normal noise that is the same in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def quiet_noise(*shape, seed=0):
    """Draw noise that rarely reaches full scale."""
    return 0.2 * noise(*shape, seed=seed)
