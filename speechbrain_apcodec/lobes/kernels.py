"""The fastest kernels that PyTorch has for frames with channels last.

Inside the networks, tensors are [batch, frames, channels], as the kernels of
linear layers, norms and convolutions like them.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def pad(x: Tensor, left: int, right: int) -> Tensor:
    """Pad frames of zeros on the left and on the right."""
    return F.pad(x, (0, 0, left, right)) if left or right else x


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> Tensor:
    """Convolve [batch, frames, channels] over the frames.

    As a 2-D convolution of images one row high, for which there are kernels
    that take the channels last and need no copy.

    Example
    -------
    >>> x, weight = torch.randn(2, 9, 4), torch.randn(5, 4, 3)
    >>> y = conv1d(x, weight, torch.zeros(5), stride=2)
    >>> torch.allclose(
    ...     y.mT, F.conv1d(x.mT, weight, stride=2), atol=1e-5
    ... )
    True
    """
    y = F.conv2d(
        x.transpose(1, 2).unsqueeze(2),
        weight.unsqueeze(2),
        bias,
        stride=(1, stride),
        padding=(0, padding),
        groups=groups,
    )
    return y.squeeze(2).transpose(1, 2)


def has_fast_convolution(x: Tensor, weight: Tensor) -> bool:
    """Tell whether PyTorch has fast kernels for convolutions with groups.

    A GPU has them. On a CPU they are those of oneDNN, which not every build
    of PyTorch has, and which computes no float64.
    """
    if x.device.type != "cpu":
        return True
    return (
        weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    )


def is_recorded() -> bool:
    """Tell whether torch.export or torch.jit.trace records a graph."""
    # PyTorch documents it, but does not list it in ``__all__``.
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined]
    return torch.compiler.is_exporting() or tracing


def is_certain(condition: bool | torch.SymBool) -> bool:
    """Tell whether a condition on sizes holds, for all sizes of a graph.

    A graph of torch.export for sizes above a bound needs no other branch.

    Example
    -------
    >>> is_certain(torch.zeros(3).shape[0] > 2)
    True
    """
    if not torch.compiler.is_exporting():
        return bool(condition)
    # It imports sympy, which takes its time.
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return statically_known_true(condition)


def is_exported_alone(x: Tensor) -> bool:
    """Tell whether torch.export records a graph for a batch size of one.

    PyTorch's operators then ask whether there is more than one frame, too,
    which a graph for any number of frames cannot tell.
    """
    # A dynamic size is no integer: a comparison would fix it.
    return (
        torch.compiler.is_exporting()
        and type(x.shape[0]) is int
        and x.shape[0] == 1
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply every frame by a matrix, as ``F.linear`` does.

    On a CPU, float32 takes the kernel of a convolution: PyTorch leaves that to
    oneDNN, but a matrix product to MKL, which is less than half as fast on
    processors that it does not know (AMD's with AVX-512).
    """
    if x.dim() == 3 and is_exported_alone(x):
        return F.linear(x[0], weight, bias)[None]
    if (
        x.device.type != "cpu"
        or not has_fast_convolution(x, weight)
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or x.dim() != 3
        or x.shape[1] == 0
    ):
        return F.linear(x, weight, bias)
    # In an image one row high a row stride of 2 changes nothing, but makes
    # PyTorch take oneDNN for kernels of one frame, with one thread, too.
    y = F.conv2d(
        x.transpose(1, 2).unsqueeze(2), weight[..., None, None], bias, (2, 1)
    )
    return y.squeeze(2).transpose(1, 2)
