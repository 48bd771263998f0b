"""Embeddings of tokens, computed from their codewords.

The id of a codeword does not tell which codewords are alike. Learned anew for
each of thousands, embeddings and output weights need many hours of speech.
Here a small network computes them from the codewords, so that what is learned
of one token holds for its neighbours.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CodewordTable(nn.Module):
    """A row for each id of each stream of tokens.

    From codewords of about unit variance, float [streams, codewords,
    codeword_dim], to float [streams, codewords + special, width].

    Arguments
    ---------
    num_streams : int
        Tokens of a step.
    num_special : int
        Ids after those of the codewords, whose rows are parameters.
    codeword_dim : int
        Channels of a codeword.
    width : int
        Channels of a row.
    std : float
        Standard deviation of the initial rows.

    Example
    -------
    >>> table = CodewordTable(2, 3, 5, 16, 0.1)
    >>> table(torch.randn(2, 8, 5)).shape
    torch.Size([2, 11, 16])
    """

    def __init__(
        self,
        num_streams: int,
        num_special: int,
        codeword_dim: int,
        width: int,
        std: float,
    ) -> None:
        super().__init__()
        self.inputs = nn.Parameter(
            codeword_dim**-0.5 * torch.randn(num_streams, codeword_dim, width)
        )
        self.bias = nn.Parameter(0.1 * torch.randn(num_streams, 1, width))
        self.output = nn.Linear(width, width)
        self.special = nn.Parameter(
            std * torch.randn(num_streams, num_special, width)
        )
        # The mean square of GELU is 0.42 for a normal distribution.
        nn.init.zeros_(self.output.bias)
        nn.init.normal_(self.output.weight, std=std * (0.42 * width) ** -0.5)

    def forward(self, codewords: Tensor) -> Tensor:
        """Compute the rows."""
        rows = self.output(F.gelu(codewords @ self.inputs + self.bias))
        return torch.cat([rows, self.special.to(rows)], dim=1)
