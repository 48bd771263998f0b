"""The values that pass between a token transformer and its callers.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass
class Prediction:
    """What the decoder predicts of steps."""

    logits: Tensor  # float [..., streams, classes]
    #: float [batch, steps], the log-odds that the next step says the next
    #: piece of the text.
    advance: Tensor
    #: float [batch, layers, steps, pieces], the mean of the heads.
    attention: Tensor


@dataclass
class DecodingCache:
    """The state of decoding step by step."""

    embeddings: Tensor  # float [streams * classes, width], of the tokens
    heads: Tensor  # float [streams * classes, width], which predict them
    memory: Tensor  # float [batch, pieces, width], the text
    textless: Tensor  # bool [batch], the items whose text is hidden
    padding: Tensor  # bool [batch, pieces], where there is no text
    #: Keys and values of each layer, float [batch, heads, pieces, width].
    text: Sequence[Sequence[Tensor]]
    #: The same of the steps, float [batch, heads, most steps, width].
    steps: Sequence[Sequence[Tensor]]
    pieces: Tensor  # int64 [batch], the piece of the last step
    begun: Tensor  # int64 [batch], the first step that said it
    step: int = 0  # number of steps done


def count_elapsed(pieces: Tensor) -> Tensor:
    """Count the steps since a piece of text began; int64 [batch, steps].

    Example
    -------
    >>> count_elapsed(torch.tensor([[0, 0, 1, 2, 2, 2]])).tolist()
    [[0, 1, 0, 0, 1, 2]]
    """
    steps = torch.arange(pieces.shape[1], device=pieces.device)
    same = F.pad(pieces[:, 1:] == pieces[:, :-1], (1, 0))
    begun = torch.where(same, 0, steps).cummax(dim=1).values
    return steps - begun
