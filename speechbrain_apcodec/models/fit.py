"""Tensors that fit a module to the last one, or an error that says how not.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from speechbrain_apcodec.utils.errors import CheckpointError

# How many tensors an error names before it only counts.
_NAMED = 3


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], description: str | Path
) -> None:
    """Load tensors into a module; every tensor must fit.

    Floating-point tensors may have another precision than the module, which
    keeps its own. The ``description`` is what an error calls their origin.

    Raises
    ------
    CheckpointError
        If tensors are missing, unexpected, misshapen, of another kind
        (integers for floats) or not finite. The module is then unchanged.
    """
    misfit = describe_misfit(state, module.state_dict())
    if misfit:
        raise CheckpointError(f"{description} does not fit the model: {misfit}")
    module.load_state_dict(state)


def describe_misfit(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> str:
    """Count and name in one line the tensors that do not fit.

    Example
    -------
    >>> describe_misfit({"bias": torch.ones(2)}, {"bias": torch.ones(3)})
    '1 tensor is misshapen (bias: [2] instead of [3])'
    """
    shared = [name for name in expected if name in state]
    faults = {
        "missing": [name for name in expected if name not in state],
        "unexpected": [name for name in state if name not in expected],
        "misshapen": [
            f"{name}: {list(state[name].shape)} instead of "
            f"{list(expected[name].shape)}"
            for name in shared
            if state[name].shape != expected[name].shape
        ],
        "of another type": [
            f"{name}: {_dtype(state[name])} instead of {_dtype(expected[name])}"
            for name in shared
            if state[name].is_floating_point()
            != expected[name].is_floating_point()
        ],
        "not finite": [
            name for name in shared if not torch.isfinite(state[name]).all()
        ],
    }
    return "; ".join(
        _fault(kind, names) for kind, names in faults.items() if names
    )


def _fault(kind: str, names: list[str]) -> str:
    """Say how many tensors have a fault, and name the first few."""
    verb = "tensor is" if len(names) == 1 else "tensors are"
    more = ", ..." if len(names) > _NAMED else ""
    return f"{len(names)} {verb} {kind} ({', '.join(names[:_NAMED])}{more})"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
