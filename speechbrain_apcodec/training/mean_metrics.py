"""Means of metrics over a batch.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from speechbrain_apcodec.utils.types import Wav, Wavs


def mean_metrics(
    metrics: Mapping[str, Callable[[Wav, Wav], Any]],
    references: Wavs,
    decoded: Wavs,
) -> dict[str, float]:
    """Average metrics over those items of a batch whose value is finite.

    A metric returns a number, or a dict whose keys give means NAME_KEY.

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
