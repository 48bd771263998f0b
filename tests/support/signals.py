"""Signals that several tests share."""

import torch


def noise(*shape, seed=0):
    """Draw noise that rarely reaches full scale, [..., samples]."""
    generator = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(*shape, generator=generator)
