"""Devices that a machine has, or has not.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.utils.errors import ConfigurationError


def check_device(device):
    """Make sure that this machine has a device.

    Arguments
    ---------
    device : str
        Name of a device, as PyTorch writes it.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ConfigurationError
        If there is no such device.

    Example
    -------
    >>> check_device("cpu")
    'cpu'
    """
    try:
        torch.empty(0, device=device)
    # A PyTorch without CUDA raises an AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"this machine has no device {device!r}: use --device cpu"
        ) from error
    return device
