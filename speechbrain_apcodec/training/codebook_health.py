"""Codebooks that are used: warm-up, initialisation, restart of dead codes.

Codewords drawn from N(0, 1) collapse: a handful of them is used, or the
decoder learns to ignore them all. What helps is to train without the
quantiser first, to start the codebooks from the encoder's latents, and to
move dead codewords to where the latents are. The last two follow Jukebox
(https://arxiv.org/abs/2005.00341, section 3) and SoundStream
(https://arxiv.org/abs/2107.03312, section III-C).

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from torch import Tensor

from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.vector_quantizer import VectorQuantizer
from speechbrain_apcodec.utils.codebooks import count_tokens
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Latent, Tokens

# A code is dead if it was chosen fewer times since the last restart than this
# share of an equal use.
_DEAD_BELOW = 0.03

# Of k-means at the initialisation.
_CLUSTER_ITERATIONS = 10


@dataclass
class Maintenance:
    """What ``CodebookHealth.maintain`` did."""

    quantizer: ResidualVectorQuantizer
    #: For each codebook a bool [codewords], True where restarted; empty if
    #: no restart was due.
    restarted: list[Tensor] = field(default_factory=list)
    #: Whether all codebooks were initialised.
    initialized: bool = False
    #: Whether a restart moved all codewords.
    moved_all: bool = False

    @torch.no_grad()
    def carry_over(self, average: ResidualVectorQuantizer) -> None:
        """Move the restarted codewords of a quantiser's average too.

        The average follows slowly, but between the old position of a
        codeword and its new one there is nothing to average.
        """
        for k, dead in enumerate(self.restarted):
            moved = slice(None) if self.moved_all else dead
            ours, theirs = _stages(average)[k], _stages(self.quantizer)[k]
            ours.codebook.weight[moved] = theirs.codebook.weight[moved]

    @property
    def num_restarted(self) -> list[int]:
        """Number of restarted codes of each codebook."""
        return [int(dead.sum()) for dead in self.restarted]


@register_checkpoint_hooks
class CodebookHealth:
    """Keeps the codebooks of a residual vector quantiser in use.

    Steps are optimiser steps. All ranks of a distributed run must call the
    same methods in the same steps, with latents of the same shape: every
    rank remembers the latents and counts the tokens of all ranks, and the
    codebooks of rank 0 are broadcast.

    Arguments
    ---------
    quantizer : speechbrain_apcodec.lobes.quantizer.ResidualVectorQuantizer
        The quantiser to look after.
    warmup_steps : int
        Steps without the quantiser. After them the codebooks are initialised
        from the residuals of recent latents; with 0 steps they stay as they
        are.
    pool_size : int
        Recent latents kept for initialisation and restart.
    restart_every : int
        Steps between restarts of dead codes; 0 switches them off.
    refit_iterations : int
        Iterations of k-means on the live codewords at every restart (online
        clustering as in ERVQ, https://arxiv.org/abs/2410.12359). An
        optimiser moves a codeword by the learning rate a step at most; in a
        short run the latents outgrow it.
    seed : int
        Seed of the random choices.

    Example
    -------
    >>> quantizer = ResidualVectorQuantizer(8, 2, 16, codebook_dim=8)
    >>> health = CodebookHealth(quantizer, warmup_steps=1, restart_every=0)
    >>> health.quantizes(step=0), health.quantizes(step=1)
    (False, True)
    >>> health.observe(torch.randn(4, 8, 50), tokens=None)
    >>> health.maintain(step=1).initialized
    True
    """

    def __init__(
        self,
        quantizer: ResidualVectorQuantizer,
        warmup_steps: int = 0,
        pool_size: int = 7000,
        restart_every: int = 0,
        refit_iterations: int = 0,
        seed: int = 1234,
    ) -> None:
        if pool_size < quantizer.codebook_size:
            raise ConfigurationError(
                f"pool_size is {pool_size}, but {quantizer.codebook_size} "
                "codewords need at least as many latents"
            )
        self.quantizer = quantizer
        self.warmup_steps = warmup_steps
        self.pool_size = pool_size
        self.restart_every = restart_every
        self.refit_iterations = refit_iterations
        self.seed = seed
        self.pool: Tensor | None = None
        self.maintained: int | None = None
        self.counts = torch.zeros(
            quantizer.num_codebooks, quantizer.codebook_size, dtype=torch.long
        )

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return self.warmup_steps > 0 or self.restart_every > 0

    def quantizes(self, step: int) -> bool:
        """Tell whether the quantiser takes part in a step."""
        return step >= self.warmup_steps

    @torch.no_grad()
    def observe(self, latent: Latent, tokens: Tokens | None) -> None:
        """Remember the latents of a step and count the tokens.

        Tokens are -1 where there is none, and None while warming up.
        """
        if not self.active:
            return
        latent = latent.detach().transpose(1, 2).flatten(0, 1).float()
        latent = _gathered(latent)
        if self.pool is not None:
            latent = torch.cat([self.pool.to(latent.device), latent])
        self.pool = latent[-self.pool_size :]
        if tokens is not None:
            self.counts = self.counts.to(tokens.device)
            counts = count_tokens(tokens, self.counts.shape[1])
            if _distributed():
                torch.distributed.all_reduce(counts)
            self.counts[: len(counts)] += counts

    def maintain(self, step: int) -> Maintenance:
        """Initialise or restart codes if that is due after ``step`` steps.

        Call it before the forward pass of every optimiser step.
        """
        # An epoch can end within a window of gradient accumulation, whose
        # step then begins anew: with hardly a token counted since.
        if step == self.maintained:
            return Maintenance(self.quantizer)
        self.maintained = step
        if self.warmup_steps and step == self.warmup_steps:
            dead = torch.ones_like(self.counts, dtype=torch.bool)
            self._move_codewords(step, dead, initialize=True)
            return Maintenance(self.quantizer, initialized=True)
        since = step - self.warmup_steps
        if self.restart_every and since > 0 and since % self.restart_every == 0:
            totals = self.counts.sum(1, keepdim=True)
            dead = self.counts < _DEAD_BELOW * totals / self.counts.shape[1]
            self._move_codewords(step, dead)
            return Maintenance(
                self.quantizer, list(dead), moved_all=self.refit_iterations > 0
            )
        return Maintenance(self.quantizer)

    @torch.no_grad()
    def _move_codewords(
        self, step: int, dead: Tensor, initialize: bool = False
    ) -> None:
        """Move dead codewords, bool [codebooks, codewords], to latents."""
        if self.pool is None:
            raise ConfigurationError(
                "the codebooks cannot be initialised without latents: call "
                "observe() in every step before"
            )
        generator = torch.Generator().manual_seed(self.seed + step)
        iterations = (
            _CLUSTER_ITERATIONS if initialize else self.refit_iterations
        )
        residual = self.pool
        for k, stage in enumerate(_stages(self.quantizer)):
            if initialize and stage.factorized:
                _fit_projections(stage, residual)
            rows = residual.t()[None]
            projected = stage.in_proj(rows)[0].t()
            codewords = stage.codebook.weight
            codewords[dead[k]] = _sample(
                projected, int(dead[k].sum()), generator
            )
            _cluster(stage, projected, iterations)
            residual = residual - stage.decode(stage.encode(rows))[0].t()
        if _distributed():
            for tensor in self.quantizer.parameters():
                torch.distributed.broadcast(tensor.data, src=0)
        self.counts.zero_()

    @mark_as_saver
    def _save(self, path: Path) -> None:
        torch.save(
            {
                "pool": self.pool,
                "counts": self.counts,
                "maintained": self.maintained,
            },
            path,
        )

    @mark_as_loader
    def _load(self, path: Path, end_of_epoch: bool) -> None:
        # Codes may be restarted before the next latents are observed.
        device = _stages(self.quantizer)[0].codebook.weight.device
        state = torch.load(path, map_location=device, weights_only=True)
        self.pool, self.counts = state["pool"], state["counts"]
        self.maintained = state["maintained"]


def _stages(quantizer: ResidualVectorQuantizer) -> list[VectorQuantizer]:
    return cast("list[VectorQuantizer]", list(quantizer.quantizers))


def _distributed() -> bool:
    return (
        torch.distributed.is_available() and torch.distributed.is_initialized()
    )


def _gathered(rows: Tensor) -> Tensor:
    """Concatenate the rows of all ranks."""
    if not _distributed():
        return rows
    parts = [
        torch.empty_like(rows)
        for _ in range(torch.distributed.get_world_size())
    ]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def _sample(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw rows, each at most once as long as there are enough."""
    order = torch.randperm(len(rows), generator=generator)
    order = order.repeat(-(-count // len(rows)))[:count]
    return rows[order.to(rows.device)]


def _fit_projections(stage: VectorQuantizer, residual: Tensor) -> None:
    """Set the projections to the principal directions around the mean.

    The out-projection is the transpose of the in-projection. Drawn at random
    they would not undo each other, an error that no codeword can mend.
    """
    dimension, latent_dim = stage.in_proj.weight.shape[:2]
    if dimension > latent_dim:
        raise ConfigurationError(
            f"codebook_dim {dimension} is larger than latent_dim {latent_dim}"
        )
    mean = residual.mean(0)
    covariance = torch.cov(residual.double().t())
    directions = torch.linalg.eigh(covariance).eigenvectors.flip(1)
    directions = directions[:, :dimension].to(residual)
    _set_weight(stage.in_proj, directions.t()[..., None])
    stage.in_proj.bias.copy_(-directions.t() @ mean)
    _set_weight(stage.out_proj, directions[..., None])
    stage.out_proj.bias.copy_(mean)


def _set_weight(convolution: Any, weight: Tensor) -> None:
    """Set the weight of a weight-normalised convolution in place.

    Assigning to it would cut its parameters off from the hooks by which DDP
    averages their gradients, and the ranks would drift apart.
    """
    parametrization = convolution.parametrizations.weight
    originals = (parametrization.original0, parametrization.original1)
    values = parametrization[0].right_inverse(weight)
    for parameter, value in zip(originals, values, strict=True):
        parameter.copy_(value)


def _cluster(stage: VectorQuantizer, rows: Tensor, iterations: int) -> None:
    """Move a stage's codewords to the mean of the rows that choose them."""
    codewords = stage.codebook.weight
    for _ in range(iterations):
        chosen = stage.nearest(rows.t()[None])[0]
        sums = torch.zeros_like(codewords).index_add_(0, chosen, rows)
        counts = torch.bincount(chosen, minlength=len(codewords))[:, None]
        used = counts[:, 0] > 0
        codewords[used] = (sums / counts.clamp(min=1))[used]
