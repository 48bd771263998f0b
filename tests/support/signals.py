"""Signals that many tests share."""

import torch


def noise(*shape, seed=0):
    """Draw normal noise that is the same in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
