"""Devices that a machine has, or has not.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.utils.errors import ConfigurationError


def check_device(device: str) -> str:
    """Return the name of a device if this machine has it."""
    try:
        torch.empty(0, device=device)
    # A PyTorch without CUDA raises an AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"this machine has no device {device!r}: use --device cpu"
        ) from error
    return device
