"""One stage of the residual vector quantiser: a codebook and its search.

Papers: https://arxiv.org/abs/2402.10533 (APCodec),
https://arxiv.org/abs/2306.06546 (DAC)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from speechbrain_apcodec.utils.errors import ConfigurationError


class VectorQuantizer(nn.Module):
    """One stage: project, find the nearest codeword, project back.

    Arguments
    ---------
    latent_dim : int
        Channels of the latent.
    codebook_size : int
        Number of codewords.
    codebook_dim : int
        Dimension of a codeword.
    factorized : bool
        True, as published: the latent is projected, and the codeword of the
        nearest direction is taken. False: codewords lie in the latent's own
        space, and the nearest one is taken.

    Raises
    ------
    ConfigurationError
        If the codebook is not factorized and its dimension is not the
        latent's.

    Example
    -------
    >>> stage = VectorQuantizer(8, 16, 4)
    >>> tokens = stage.encode(torch.randn(2, 8, 5))
    >>> stage.decode(tokens).shape
    torch.Size([2, 8, 5])
    """

    def __init__(
        self, latent_dim, codebook_size, codebook_dim, factorized=True
    ):
        super().__init__()
        self.factorized = factorized
        if factorized:
            self.in_proj = weight_norm(nn.Conv1d(latent_dim, codebook_dim, 1))
            self.out_proj = weight_norm(nn.Conv1d(codebook_dim, latent_dim, 1))
        elif codebook_dim != latent_dim:
            raise ConfigurationError(
                f"codebooks that are searched together lie in the latent's "
                f"space: set codebook_dim to latent_dim, {latent_dim}"
            )
        else:
            self.in_proj = self.out_proj = nn.Identity()
        self.codebook = nn.Embedding(codebook_size, codebook_dim)
        self.folded = None

    @torch.no_grad()
    def fold(self):
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
    def vocabulary(self):
        """What each codeword adds to the latent, [codewords, latent_dim]."""
        if self.folded is not None:
            return self.folded["vocabulary"]
        if not self.factorized:
            return self.codebook.weight
        weight = self.out_proj.weight[..., 0]
        return F.linear(self.codebook.weight, weight, self.out_proj.bias)

    def _scores(self):
        """Weight and bias of a linear layer whose largest output is nearest.

        |p - c|^2 = |p|^2 - 2 (p c - |c|^2 / 2); for the cosine the length of
        the projection does not matter.
        """
        codewords = self.codebook.weight.detach()
        if not self.factorized:
            return codewords, -codewords.square().sum(dim=1) / 2
        directions = F.normalize(codewords, dim=1)
        return directions, directions.new_zeros(len(directions))

    def nearest(self, projected):
        """Find the nearest codewords.

        Arguments
        ---------
        projected : torch.Tensor
            float [batch, codebook_dim, frames].

        Returns
        -------
        torch.Tensor
            int64 [batch, frames].
        """
        rows = projected.detach().transpose(1, 2)
        return F.linear(rows, *self._scores()).argmax(dim=-1)

    def encode(self, residual):
        """Choose a codeword for every frame.

        Arguments
        ---------
        residual : torch.Tensor
            float [batch, latent_dim, frames].

        Returns
        -------
        torch.Tensor
            int64 [batch, frames].
        """
        if self.folded is None:
            return self.nearest(self.in_proj(residual))
        weight, bias = self.folded["weight"], self.folded["bias"]
        return F.linear(residual.transpose(1, 2), weight, bias).argmax(-1)

    def decode(self, tokens):
        """Look the codewords up and project them back.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames].

        Returns
        -------
        torch.Tensor
            float [batch, latent_dim, frames].
        """
        if self.folded is None:
            return self.out_proj(self.codebook(tokens).transpose(1, 2))
        return F.embedding(tokens, self.vocabulary).transpose(1, 2)

    def forward(self, residual, tokens=None):
        """Quantise with a straight-through gradient.

        Arguments
        ---------
        residual : torch.Tensor
            float [batch, latent_dim, frames].
        tokens : torch.Tensor, optional
            int64 [batch, frames], where they are known already.

        Returns
        -------
        quantized : torch.Tensor
            float [batch, latent_dim, frames].
        tokens : torch.Tensor
            int64 [batch, frames].
        codebook_loss : torch.Tensor
            float [batch].
        commitment_loss : torch.Tensor
            float [batch].
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
