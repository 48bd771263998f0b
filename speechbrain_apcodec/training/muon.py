"""Muon: orthogonalised momentum for matrices, AdamW for everything else.

Source: https://kellerjordan.github.io/posts/muon/; the scale of a step is
that of https://arxiv.org/abs/2502.16982. PyTorch's own Muon
takes two-dimensional weights only, and a codec is made of convolutions.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Root mean square of a step; AdamW's are about as large.
_STEP_SIZE = 0.2
# A quintic that brings singular values near 1 in five iterations.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def orthogonalized(matrix: Tensor) -> Tensor:
    """Bring all singular values of a matrix near 1, and keep its directions.

    They come to lie between about 0.7 and 1.2, except those near 0.

    Example
    -------
    >>> matrix = torch.diag(torch.tensor([5.0, 1.0]))
    >>> values = torch.linalg.svdvals(orthogonalized(matrix))
    >>> bool(((values > 0.6) & (values < 1.3)).all())
    True
    """
    a, b, c = _NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.t()
        x = torch.addmm(
            x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a
        )
    return x.t() if tall else x


class Muon(torch.optim.AdamW):
    """Muon for large matrices; for all other weights it is AdamW.

    A weight of several dimensions, such as a convolution's, counts as a
    matrix: its first dimension by all others. Under autocast the products
    have its precision.

    Arguments
    ---------
    params : iterable of torch.nn.Parameter
        Parameters to train.
    lr : float
        Learning rate, of both kinds.
    momentum : float
        Nesterov's, of the matrices.
    smallest_side : int
        Matrices with a shorter side are left to AdamW, codebooks among them,
        whose rows are independent.
    **kwargs : dict
        Passed on to ``torch.optim.AdamW``.

    Example
    -------
    >>> layer = torch.nn.Conv1d(48, 48, 3)
    >>> optimizer = Muon(layer.parameters(), lr=0.01)
    >>> layer(torch.randn(8, 48, 99)).square().mean().backward()
    >>> before = layer.weight.detach().clone()
    >>> optimizer.step()
    >>> step = (layer.weight.detach() - before).square().mean().sqrt()
    >>> 0.001 < step.item() < 0.003  # 0.2 lr
    True
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        smallest_side: int = 48,
        **kwargs: Any,
    ) -> None:
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for parameter in params:
            rows = parameter.shape[0] if parameter.ndim > 1 else 1
            sides = (rows, parameter.numel() // max(rows, 1))
            groups[min(sides) >= smallest_side].append(parameter)
        super().__init__(
            [
                {"params": members, "orthogonal": kind, "momentum": momentum}
                for kind, members in groups.items()
                if members
            ],
            lr=lr,
            **kwargs,
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; see ``torch.optim.AdamW``."""
        for group in self.param_groups:
            if not group["orthogonal"]:
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_matrix(parameter, parameter.grad, group)
                    # AdamW, which comes next, leaves it alone.
                    parameter.grad = None
        return super().step(closure)

    def _step_matrix(
        self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]
    ) -> None:
        state = self.state[parameter]
        if not state:
            # AdamW looks for its step count in every state that it loads.
            state["step"] = torch.zeros((), device=gradient.device)
            state["momentum"] = torch.zeros_like(gradient)
        state["step"] += 1
        momentum = group["momentum"]
        state["momentum"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(state["momentum"], momentum).flatten(1)
        step = orthogonalized(ahead).view_as(parameter)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        scale = _STEP_SIZE * max(ahead.shape) ** 0.5
        parameter.add_(step, alpha=-group["lr"] * scale)
