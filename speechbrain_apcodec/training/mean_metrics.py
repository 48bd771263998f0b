"""Means of metrics over a batch.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping

from torch import Tensor


def mean_metrics(
    metrics: Mapping[str, Callable], references: Tensor, decoded: Tensor
) -> dict[str, float]:
    """Average metrics over the items of a batch.

    Arguments
    ---------
    metrics : dict
        From a name to a function of a reference and a decoded waveform,
        float [samples] each, that returns a number or a dict of numbers.
    references : torch.Tensor
        float [batch, samples].
    decoded : torch.Tensor
        float [batch, samples].

    Returns
    -------
    dict
        From a name, or NAME_KEY for a dict's key, to the mean over the items
        whose value is finite; nothing if there is none.

    Example
    -------
    >>> import torch
    >>> wavs = torch.randn(2, 8)
    >>> mean_metrics({"gain": lambda a, b: (b / a).mean()}, wavs, 2 * wavs)
    {'gain': 2.0}
    """
    values = defaultdict(list)
    for reference, other in zip(references, decoded, strict=True):
        for name, metric in metrics.items():
            value = metric(reference, other)
            parts = (
                {f"{name}_{key}": part for key, part in value.items()}
                if isinstance(value, dict)
                else {name: value}
            )
            for part, number in parts.items():
                if math.isfinite(number):
                    values[part].append(float(number))
    return {part: sum(found) / len(found) for part, found in values.items()}
