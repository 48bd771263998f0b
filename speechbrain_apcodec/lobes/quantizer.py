"""Residual vector quantiser (RVQ) with factorised codebooks.

The quantiser of the published codec is DAC's. SpeechBrain has one in
``lobes.models.discrete.dac``; this one exists because a codec that is to be
exact needs lengths, a number of codebooks per item, tokens as [batch,
frames, codebooks], distances in float32 under mixed precision, and an
encoding path that computes no losses. The tensors are the same.

Papers: https://arxiv.org/abs/2402.10533 (APCodec),
https://arxiv.org/abs/2306.06546 (DAC)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.vector_quantizer import VectorQuantizer
from speechbrain_apcodec.utils.errors import ConfigurationError


@dataclass
class Quantized:
    """What the quantiser makes of a latent.

    Arguments
    ---------
    quantized : torch.Tensor
        float [batch, latent_dim, frames], with a straight-through gradient.
    tokens : torch.Tensor
        int64 [batch, frames, codebooks]; -1 in the codebooks that an item
        does not use.
    codebook_loss : torch.Tensor
        Scalar: MSE that pulls codewords to latents, summed over stages.
    commitment_loss : torch.Tensor
        Scalar: MSE that pulls latents to codewords, summed over stages.
    """

    quantized: torch.Tensor
    tokens: torch.Tensor
    codebook_loss: torch.Tensor
    commitment_loss: torch.Tensor


class ResidualVectorQuantizer(nn.Module):
    """Stages that each quantise what the ones before left over.

    Arguments
    ---------
    latent_dim : int
        Channels of the latent.
    num_codebooks : int
        Number of stages.
    codebook_size : int
        Codewords of each stage.
    codebook_dim : int
        Dimension of a codeword.
    search_width : int, optional
        None: each stage takes the codeword of the nearest direction, as
        published. Else the codewords lie in the latent's own space and are
        compared by the error that they leave in it, and as many sequences of
        them are followed from stage to stage: the nearest codeword of one
        stage need not leave the least to the last.

    Raises
    ------
    ConfigurationError
        If a size is not positive.

    Example
    -------
    >>> quantizer = ResidualVectorQuantizer(8, num_codebooks=2)
    >>> latent = torch.randn(3, 8, 5)
    >>> tokens = quantizer.encode(latent)
    >>> tokens.shape
    torch.Size([3, 5, 2])
    >>> quantizer.decode(tokens).shape
    torch.Size([3, 8, 5])
    """

    def __init__(
        self,
        latent_dim=32,
        num_codebooks=4,
        codebook_size=1024,
        codebook_dim=32,
        search_width=None,
    ):
        super().__init__()
        sizes = (latent_dim, num_codebooks, codebook_size, codebook_dim)
        if min(*sizes, 1 if search_width is None else search_width) < 1:
            raise ConfigurationError(
                "latent_dim, num_codebooks, codebook_size, codebook_dim and "
                "search_width must all be at least 1"
            )
        self.search_width = search_width
        self.latent_dim = latent_dim
        self.num_codebooks = num_codebooks
        self.codebook_size = codebook_size
        self.quantizers = nn.ModuleList(
            VectorQuantizer(
                latent_dim,
                codebook_size,
                codebook_dim,
                factorized=search_width is None,
            )
            for _ in range(num_codebooks)
        )

    def _stages(self, num_codebooks):
        if num_codebooks is None:
            return self.quantizers
        if not 1 <= num_codebooks <= self.num_codebooks:
            raise ConfigurationError(
                f"{num_codebooks} codebooks were asked for, but the model "
                f"has 1 to {self.num_codebooks}"
            )
        return self.quantizers[:num_codebooks]

    def encode(self, latent, num_codebooks=None):
        """Quantise to tokens; no losses are computed.

        Arguments
        ---------
        latent : torch.Tensor
            float [batch, latent_dim, frames].
        num_codebooks : int, optional
            Number of stages to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks].
        """
        residual = _full_precision(latent)
        stages = self._stages(num_codebooks)
        tokens = []
        with torch.autocast(latent.device.type, enabled=False):
            if self.search_width is not None:
                return self._search(residual, stages)
            for stage in stages:
                tokens.append(stage.encode(residual))
                residual = residual - stage.decode(tokens[-1])
        return torch.stack(tokens, dim=-1)

    @torch.no_grad()
    def _search(self, latent, stages):
        """Follow the best sequences of codewords; return the best of all."""
        # [sequences, batch, latent_dim, frames]; at first there is one.
        residual = latent.unsqueeze(0)
        tokens = []  # int64 [sequences, batch, frames] of each stage
        for stage in stages:
            vocabulary = stage.vocabulary
            half_energy = vocabulary.square().sum(dim=1) / 2
            # Half the energy that is left, [batch, frames, codewords] of each.
            error = torch.cat(
                [
                    F.linear(rows.transpose(1, 2), -vocabulary, half_energy)
                    + rows.square().sum(1).unsqueeze(2) / 2
                    for rows in residual
                ],
                dim=2,
            )
            width = min(self.search_width, error.shape[2])
            best = error.topk(width, largest=False).indices.permute(2, 0, 1)
            sequence = best // self.codebook_size
            token = best % self.codebook_size
            tokens = [earlier.gather(0, sequence) for earlier in tokens]
            tokens.append(token)
            sequence = sequence.unsqueeze(2).expand(-1, -1, self.latent_dim, -1)
            chosen = F.embedding(token, vocabulary).transpose(2, 3)
            residual = residual.gather(0, sequence) - chosen
        return torch.stack([token[0] for token in tokens], dim=-1)

    def decode(self, tokens):
        """Sum the projected codewords of all stages given.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks]; codebooks may be fewer than
            trained.

        Returns
        -------
        torch.Tensor
            float [batch, latent_dim, frames].
        """
        stages = self._stages(tokens.shape[-1])
        with torch.autocast(tokens.device.type, enabled=False):
            return sum(
                stage.decode(tokens[..., k]) for k, stage in enumerate(stages)
            )

    @property
    def vocabulary(self):
        """What each codeword adds to the latent.

        Returns
        -------
        torch.Tensor
            float [codebooks, codewords, latent_dim].
        """
        tokens = torch.arange(
            self.codebook_size, device=self.quantizers[0].codebook.weight.device
        )
        every_token = tokens[None, :, None].expand(-1, -1, self.num_codebooks)
        return self.embeddings(every_token)[0].transpose(0, 1)

    def embeddings(self, tokens):
        """Look up what each token adds to the latent.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks]; codebooks may be fewer than
            trained.

        Returns
        -------
        torch.Tensor
            float [batch, frames, codebooks, latent_dim]; its sum over the
            codebooks is what ``decode`` returns, transposed.
        """
        stages = self._stages(tokens.shape[-1])
        with torch.autocast(tokens.device.type, enabled=False):
            projected = [
                stage.decode(tokens[..., k]) for k, stage in enumerate(stages)
            ]
        return torch.stack(projected, dim=-1).permute(0, 2, 3, 1)

    def forward(self, latent, num_codebooks=None):
        """Quantise for training.

        Arguments
        ---------
        latent : torch.Tensor
            float [batch, latent_dim, frames].
        num_codebooks : int or torch.Tensor, optional
            Number of stages to use, for all items or int64 [batch], one
            number an item (quantiser dropout); default: all.

        Returns
        -------
        Quantized
        """
        per_item = isinstance(num_codebooks, torch.Tensor)
        stages = self._stages(None if per_item else num_codebooks)
        residual = _full_precision(latent)
        quantized = torch.zeros_like(residual)
        codebook_loss = commitment_loss = 0.0
        tokens = []
        with torch.autocast(latent.device.type, enabled=False):
            known = [None] * len(stages)
            if self.search_width is not None:
                known = self._search(residual.detach(), stages).unbind(-1)
            for k, stage in enumerate(stages):
                output, index, codebook, commitment = stage(residual, known[k])
                if per_item:
                    used = (k < num_codebooks).to(output.dtype)
                    output = output * used[:, None, None]
                    codebook, commitment = codebook * used, commitment * used
                    index = torch.where(used[:, None] > 0, index, -1)
                quantized = quantized + output
                residual = residual - output
                codebook_loss = codebook_loss + codebook.mean()
                commitment_loss = commitment_loss + commitment.mean()
                tokens.append(index)
        return Quantized(
            quantized,
            torch.stack(tokens, dim=-1),
            codebook_loss,
            commitment_loss,
        )


def _full_precision(x):
    """Cast half precision up; distances in it would flip tokens."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
