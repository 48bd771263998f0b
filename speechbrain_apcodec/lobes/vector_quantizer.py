"""One stage of the residual vector quantiser: a codebook and its search.

Papers: https://arxiv.org/abs/2402.10533 (APCodec),
https://arxiv.org/abs/2306.06546 (DAC)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Latent


class VectorQuantizer(nn.Module):
    """One stage: project, find the nearest codeword, project back.

    If ``factorized``, as published, the latent is projected, and the codeword
    of the nearest direction is taken. Otherwise codewords lie in the latent's
    own space, and the nearest one is taken. Tokens are int64 [batch, frames].
    """

    def __init__(
        self,
        latent_dim: int,
        codebook_size: int,
        codebook_dim: int,
        factorized: bool = True,
    ) -> None:
        super().__init__()
        self.factorized = factorized
        self.in_proj: Any = nn.Identity()
        self.out_proj: Any = self.in_proj
        if factorized:
            self.in_proj = weight_norm(nn.Conv1d(latent_dim, codebook_dim, 1))
            self.out_proj = weight_norm(nn.Conv1d(codebook_dim, latent_dim, 1))
        elif codebook_dim != latent_dim:
            raise ConfigurationError(
                f"codebooks that are searched together lie in the latent's "
                f"space: set codebook_dim to latent_dim, {latent_dim}"
            )
        self.codebook = nn.Embedding(codebook_size, codebook_dim)
        self.folded: nn.ParameterDict | None = None

    @torch.no_grad()
    def fold(self) -> None:
        """Prepare the tables of inference; the weights must be final.

        The score of a codeword is linear in the projected latent, which is
        linear in the latent.
        """
        weight, bias = self._scores()
        if self.factorized:
            bias = weight @ self.in_proj.bias + bias
            weight = weight @ self.in_proj.weight[..., 0]
        self.folded = nn.ParameterDict(
            {
                "weight": weight,
                "bias": bias,
                "vocabulary": self.vocabulary.detach().clone(),
            }
        ).requires_grad_(False)

    @property
    def vocabulary(self) -> Tensor:
        """What each codeword adds to the latent, [codewords, latent_dim]."""
        if self.folded is not None:
            return cast(Tensor, self.folded["vocabulary"])
        if not self.factorized:
            return self.codebook.weight
        weight = self.out_proj.weight[..., 0]
        return F.linear(self.codebook.weight, weight, self.out_proj.bias)

    def _scores(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of a linear layer whose largest output is nearest.

        |p - c|^2 = |p|^2 - 2 (p c - |c|^2 / 2); for the cosine the length of
        the projection does not matter.
        """
        codewords = self.codebook.weight.detach()
        if not self.factorized:
            return codewords, -codewords.square().sum(dim=1) / 2
        directions = F.normalize(codewords, dim=1)
        return directions, directions.new_zeros(len(directions))

    def nearest(self, projected: Tensor) -> Tensor:
        """Find the codewords nearest to [batch, codebook_dim, frames]."""
        rows = projected.detach().transpose(1, 2)
        return F.linear(rows, *self._scores()).argmax(dim=-1)

    def encode(self, residual: Latent) -> Tensor:
        """Choose a codeword for every frame."""
        if self.folded is None:
            return self.nearest(self.in_proj(residual))
        weight, bias = self.folded["weight"], self.folded["bias"]
        return F.linear(residual.transpose(1, 2), weight, bias).argmax(-1)

    def decode(self, tokens: Tensor) -> Latent:
        """Look the codewords up and project them back."""
        if self.folded is None:
            return self.out_proj(self.codebook(tokens).transpose(1, 2))
        return F.embedding(tokens, self.vocabulary).transpose(1, 2)

    def forward(
        self, residual: Latent, tokens: Tensor | None = None
    ) -> tuple[Latent, Tensor, Tensor, Tensor]:
        """Quantise with a straight-through gradient.

        To the codewords of ``tokens``, if these are known already. Gives the
        quantised residual, tokens, and codebook and commitment loss,
        float [batch] each.
        """
        projected = self.in_proj(residual)
        if tokens is None:
            tokens = self.nearest(projected)
        codewords = self.codebook(tokens).transpose(1, 2)
        codebook_loss = (codewords - projected.detach()).square()
        commitment_loss = (projected - codewords.detach()).square()
        straight_through = projected + (codewords - projected).detach()
        return (
            self.out_proj(straight_through),
            tokens,
            codebook_loss.mean(dim=(1, 2)),
            commitment_loss.mean(dim=(1, 2)),
        )
