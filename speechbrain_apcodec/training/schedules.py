"""Learning rates over the epochs of a run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def cool_down(
    optimizer: Optimizer, epochs: int, cool_down_epochs: int
) -> LambdaLR:
    """Keep the learning rate, and let it fall to zero at the end.

    A run can be made longer while the rate is still constant, since nothing
    before the last epochs depends on their number
    (https://arxiv.org/abs/2405.18392).

    Arguments
    ---------
    optimizer : torch.optim.Optimizer
        The optimiser whose rates are scaled.
    epochs : int
        Epochs of the whole run.
    cool_down_epochs : int
        Epochs at the end over which the rate falls linearly.

    Returns
    -------
    torch.optim.lr_scheduler.LambdaLR
        To be stepped once an epoch.

    Example
    -------
    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> schedule = cool_down(optimizer, epochs=4, cool_down_epochs=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(schedule.get_last_lr()[0])
    ...     optimizer.step(); schedule.step()
    >>> rates
    [1.0, 1.0, 1.0, 0.5]
    """

    def factor(epoch: int) -> float:
        return min(1.0, max(0.0, (epochs - epoch) / max(1, cool_down_epochs)))

    return LambdaLR(optimizer, factor)
