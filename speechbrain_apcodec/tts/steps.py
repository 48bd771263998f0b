"""The values that pass between a token transformer and its callers.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass
class Prediction:
    """What the decoder says of steps.

    Arguments
    ---------
    logits : torch.Tensor
        float [..., streams, classes].
    advance : torch.Tensor
        float [batch, steps], the log-odds that the next step says the next
        piece of the text.
    attention : torch.Tensor
        float [batch, layers, steps, pieces]: where each layer looks in the
        text, the mean of its heads.
    """

    logits: torch.Tensor
    advance: torch.Tensor
    attention: torch.Tensor


@dataclass
class DecodingCache:
    """What decoding one step at a time keeps; one entry a layer.

    Arguments
    ---------
    embeddings : torch.Tensor
        float [streams * classes, width], of the tokens.
    heads : torch.Tensor
        float [streams * classes, width], which predict them.
    memory : torch.Tensor
        float [batch, pieces, width], the text.
    textless : torch.Tensor
        bool [batch], the items that do not see it.
    text_keys : list of torch.Tensor
        float [batch, heads, pieces, width].
    text_values : list of torch.Tensor
        float [batch, heads, pieces, width].
    padding : torch.Tensor
        bool [batch, pieces], where there is no text.
    keys : list of torch.Tensor
        float [batch, heads, most steps, width], of which ``step`` are there.
    values : list of torch.Tensor
        float [batch, heads, most steps, width].
    pieces : torch.Tensor
        int64 [batch], the piece of the last step.
    begun : torch.Tensor
        int64 [batch], the step that was the first to say it.
    step : int
        Steps done.
    """

    embeddings: torch.Tensor
    heads: torch.Tensor
    memory: torch.Tensor
    textless: torch.Tensor
    text_keys: list
    text_values: list
    padding: torch.Tensor
    keys: list
    values: list
    pieces: torch.Tensor
    begun: torch.Tensor
    step: int = 0


def count_elapsed(pieces):
    """Count the steps since a piece of text began.

    Arguments
    ---------
    pieces : torch.Tensor
        int64 [batch, steps], the piece of each step.

    Returns
    -------
    torch.Tensor
        int64 [batch, steps]

    Example
    -------
    >>> count_elapsed(torch.tensor([[0, 0, 1, 2, 2, 2]])).tolist()
    [[0, 1, 0, 0, 1, 2]]
    """
    steps = torch.arange(pieces.shape[1], device=pieces.device)
    same = F.pad(pieces[:, 1:] == pieces[:, :-1], (1, 0))
    begun = torch.where(same, 0, steps).cummax(dim=1).values
    return steps - begun
