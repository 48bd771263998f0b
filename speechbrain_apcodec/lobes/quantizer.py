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
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.vector_quantizer import VectorQuantizer
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Latent, Tokens


@dataclass
class Quantized:
    """What the quantiser makes of a latent; the losses are scalars."""

    #: With a straight-through gradient.
    quantized: Latent
    #: -1 in the codebooks that an item does not use.
    tokens: Tokens
    #: MSE that pulls codewords to latents, summed over stages.
    codebook_loss: Tensor
    #: MSE that pulls latents to codewords, summed over stages; to the sum of
    #: the codewords where these are searched together.
    commitment_loss: Tensor


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
        published. Otherwise the codewords lie in the latent's own space, and
        encoding is a beam search of this width for the least error: the
        nearest codeword of one stage need not leave the least to the last.

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
        latent_dim: int = 32,
        num_codebooks: int = 4,
        codebook_size: int = 1024,
        codebook_dim: int = 32,
        search_width: int | None = None,
    ) -> None:
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

    def stages(self, num_codebooks: int | None = None) -> list[VectorQuantizer]:
        """List the first stages; default: all."""
        stages = cast(list[VectorQuantizer], list(self.quantizers))
        if num_codebooks is None:
            return stages
        if not 1 <= num_codebooks <= self.num_codebooks:
            raise ConfigurationError(
                f"{num_codebooks} codebooks were asked for, but the model "
                f"has 1 to {self.num_codebooks}"
            )
        return stages[:num_codebooks]

    def encode(
        self, latent: Latent, num_codebooks: int | None = None
    ) -> Tokens:
        """Quantise to tokens of the first codebooks; default: all.

        No losses are computed.
        """
        residual = _full_precision(latent)
        stages = self.stages(num_codebooks)
        tokens = []
        with torch.autocast(latent.device.type, enabled=False):
            if self.search_width is not None:
                return self._search(residual, stages, self.search_width)
            for stage in stages:
                tokens.append(stage.encode(residual))
                residual = residual - stage.decode(tokens[-1])
        return torch.stack(tokens, dim=-1)

    @torch.no_grad()
    def _search(
        self, latent: Latent, stages: list[VectorQuantizer], width: int
    ) -> Tokens:
        """Search for the best sequence of codewords, by a beam search."""
        # [beams, batch, latent_dim, frames]; at first there is one.
        residual = latent.unsqueeze(0)
        tokens: list[Tensor] = []  # int64 [beams, batch, frames] of each stage
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
            count = min(width, error.shape[2])
            best = error.topk(count, largest=False).indices.permute(2, 0, 1)
            beam = best // self.codebook_size
            token = best % self.codebook_size
            tokens = [earlier.gather(0, beam) for earlier in tokens]
            tokens.append(token)
            beam = beam.unsqueeze(2).expand(-1, -1, self.latent_dim, -1)
            chosen = F.embedding(token, vocabulary).transpose(2, 3)
            residual = residual.gather(0, beam) - chosen
        return torch.stack([token[0] for token in tokens], dim=-1)

    def decode(self, tokens: Tokens) -> Latent:
        """Sum the projected codewords; codebooks may be fewer than trained."""
        return cast(Tensor, sum(self._project(tokens)))

    def embeddings(self, tokens: Tokens) -> Tensor:
        """Look up what each token adds to the latent.

        Gives float [batch, frames, codebooks, latent_dim]; its sum over the
        codebooks is the output of ``decode``, transposed.
        """
        return torch.stack(self._project(tokens), dim=-1).permute(0, 2, 3, 1)

    def _project(self, tokens: Tokens) -> list[Latent]:
        """Look up the projected codewords of each stage."""
        stages = self.stages(tokens.shape[-1])
        with torch.autocast(tokens.device.type, enabled=False):
            return [
                stage.decode(tokens[..., k]) for k, stage in enumerate(stages)
            ]

    @property
    def vocabulary(self) -> Tensor:
        """What each codeword adds to the latent.

        float [codebooks, codewords, latent_dim].
        """
        device = self.stages()[0].codebook.weight.device
        tokens = torch.arange(self.codebook_size, device=device)
        every_token = tokens[None, :, None].expand(-1, -1, self.num_codebooks)
        return self.embeddings(every_token)[0].transpose(0, 1)

    def forward(
        self, latent: Latent, num_codebooks: int | Tensor | None = None
    ) -> Quantized:
        """Quantise for training.

        Arguments
        ---------
        latent : float [batch, latent_dim, frames]
        num_codebooks : int or int64 [batch], optional
            Number of stages to use, for all items or, for quantiser dropout,
            for each; default: all.
        """
        per_item = None
        if isinstance(num_codebooks, Tensor):
            per_item, num_codebooks = num_codebooks, None
        stages = self.stages(num_codebooks)
        latent = _full_precision(latent)
        residual, quantized = latent, torch.zeros_like(latent)
        codebook_loss = commitment_loss = residual.new_zeros(())
        tokens = []
        with torch.autocast(latent.device.type, enabled=False):
            found: list[Tensor | None] = [None] * len(stages)
            if self.search_width is not None:
                best = self._search(
                    residual.detach(), stages, self.search_width
                )
                found = list(best.unbind(-1))
            for k, stage in enumerate(stages):
                output, index, codebook, commitment = stage(residual, found[k])
                if per_item is not None:
                    used = (k < per_item).to(output.dtype)
                    output = output * used[:, None, None]
                    codebook, commitment = codebook * used, commitment * used
                    index = torch.where(used[:, None] > 0, index, -1)
                quantized = quantized + output
                residual = residual - output
                codebook_loss = codebook_loss + codebook.mean()
                commitment_loss = commitment_loss + commitment.mean()
                tokens.append(index)
        if self.search_width is not None:
            # To the first codeword alone, which is all that a sum over stages
            # passes on to the latent, would pull everything out of it that
            # only later ones can tell.
            commitment_loss = F.mse_loss(latent, quantized.detach())
        return Quantized(
            quantized,
            torch.stack(tokens, dim=-1),
            codebook_loss,
            commitment_loss,
        )


def _full_precision(x: Tensor) -> Tensor:
    """Cast half precision up; distances in it would flip tokens."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
