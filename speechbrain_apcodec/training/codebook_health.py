"""Codebooks that are used: warm-up, initialisation, restart of dead codes.

Codewords drawn from N(0, 1) collapse: a handful of them is used, or the
decoder learns to ignore them all. What helps is to train without the
quantiser first, to start the codebooks from what the encoder then emits, and
to move codewords that nobody chooses to where the latents are. The last two
follow Jukebox (https://arxiv.org/abs/2005.00341, section 3) and SoundStream
(https://arxiv.org/abs/2107.03312, section III-C).

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)

from speechbrain_apcodec.utils.codebooks import count_tokens
from speechbrain_apcodec.utils.errors import ConfigurationError


@register_checkpoint_hooks
class CodebookHealth:
    """Keeps the codebooks of a residual vector quantiser alive.

    Steps are optimiser steps. All ranks of a distributed run must call the
    same methods in the same steps, with latents of the same shape: every
    rank remembers the latents and counts the tokens of all ranks, and the
    codebooks of rank 0 are broadcast.

    Arguments
    ---------
    quantizer : speechbrain_apcodec.lobes.quantizer.ResidualVectorQuantizer
        The quantiser to look after.
    warmup_steps : int
        Steps during which the quantiser is left out. After them the
        codebooks are initialised from the residuals of recent latents;
        with 0 steps they stay as they are.
    pool_size : int
        Recent latents kept for initialisation and restart.
    restart_every : int
        Steps between restarts of dead codes; 0 switches them off.
    dead_below : float
        A code is dead that was chosen fewer times since the last restart
        than this share of what equal use would give.
    cluster_iterations : int
        Iterations of k-means at the initialisation.
    refit_iterations : int
        Iterations of k-means on the live codewords at every restart (online
        clustering as in ERVQ, https://arxiv.org/abs/2410.12359). An
        optimiser moves a codeword by the learning rate a step at most; in a
        short run the latents outgrow it.
    seed : int
        Seed of the random choices.

    Example
    -------
    >>> from speechbrain_apcodec.lobes.quantizer import (
    ...     ResidualVectorQuantizer,
    ... )
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
        quantizer,
        warmup_steps=0,
        pool_size=7000,
        restart_every=0,
        dead_below=0.03,
        cluster_iterations=10,
        refit_iterations=0,
        seed=1234,
    ):
        if pool_size < quantizer.codebook_size:
            raise ConfigurationError(
                f"pool_size is {pool_size}, but {quantizer.codebook_size} "
                "codewords need at least as many latents"
            )
        self.quantizer = quantizer
        self.warmup_steps = warmup_steps
        self.pool_size = pool_size
        self.restart_every = restart_every
        self.dead_below = dead_below
        self.cluster_iterations = cluster_iterations
        self.refit_iterations = refit_iterations
        self.seed = seed
        self.pool = None
        self.maintained = None
        self.counts = torch.zeros(
            quantizer.num_codebooks, quantizer.codebook_size, dtype=torch.long
        )

    @property
    def active(self):
        """Whether anything is switched on."""
        return self.warmup_steps > 0 or self.restart_every > 0

    def quantizes(self, step):
        """Tell whether the quantiser takes part in a step.

        Arguments
        ---------
        step : int
            Optimiser steps done.

        Returns
        -------
        bool
        """
        return step >= self.warmup_steps

    @torch.no_grad()
    def observe(self, latent, tokens):
        """Remember the latents of a step and count the tokens.

        Arguments
        ---------
        latent : torch.Tensor
            float [batch, latent_dim, frames].
        tokens : torch.Tensor or None
            int64 [batch, frames, codebooks], -1 where there is no token;
            None while warming up.
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

    def maintain(self, step):
        """Initialise or restart codes where this step calls for it.

        Call it before the forward pass of every optimiser step.

        Arguments
        ---------
        step : int
            Optimiser steps done.

        Returns
        -------
        Maintenance
            What was done.
        """
        # An epoch can end within a window of gradient accumulation, whose
        # step then begins anew: with hardly a token counted since.
        if step == self.maintained:
            return Maintenance(self.quantizer)
        self.maintained = step
        if self.warmup_steps and step == self.warmup_steps:
            self._initialize(step)
            return Maintenance(self.quantizer, initialized=True)
        since = step - self.warmup_steps
        if self.restart_every and since > 0 and since % self.restart_every == 0:
            moved_all = self.refit_iterations > 0
            return Maintenance(
                self.quantizer, self._restart(step), moved_all=moved_all
            )
        return Maintenance(self.quantizer)

    def _known_pool(self):
        if self.pool is None:
            raise ConfigurationError(
                "the codebooks cannot be initialised without latents: call "
                "observe() in every step before"
            )
        return self.pool

    @torch.no_grad()
    def _initialize(self, step):
        generator = torch.Generator().manual_seed(self.seed + step)
        residual = self._known_pool()
        for stage in self.quantizer.quantizers:
            if stage.factorized:
                _fit_projections(stage, residual)
            projected = _project(stage, residual)
            chosen = _sample(projected, self.quantizer.codebook_size, generator)
            stage.codebook.weight.copy_(chosen)
            _cluster(stage, projected, self.cluster_iterations)
            residual = residual - _reconstruct(stage, residual)
        self._broadcast()
        self.counts.zero_()

    @torch.no_grad()
    def _restart(self, step):
        generator = torch.Generator().manual_seed(self.seed + step)
        counts = self.counts
        enough = self.dead_below * counts.sum(1) / counts.shape[1]
        residual = self._known_pool()
        restarted = []
        for k, stage in enumerate(self.quantizer.quantizers):
            dead = counts[k] < enough[k]
            projected = _project(stage, residual)
            codewords = stage.codebook.weight
            codewords[dead] = _sample(projected, int(dead.sum()), generator)
            _cluster(stage, projected, self.refit_iterations)
            restarted.append(dead)
            residual = residual - _reconstruct(stage, residual)
        self._broadcast()
        self.counts.zero_()
        return restarted

    def _broadcast(self):
        if _distributed():
            for tensor in self.quantizer.parameters():
                torch.distributed.broadcast(tensor.data, src=0)

    @mark_as_saver
    def _save(self, path):
        torch.save(
            {
                "pool": self.pool,
                "counts": self.counts,
                "maintained": self.maintained,
            },
            path,
        )

    @mark_as_loader
    def _load(self, path, end_of_epoch):
        del end_of_epoch
        # Codes may be restarted before the next latents are observed.
        device = self.quantizer.quantizers[0].codebook.weight.device
        state = torch.load(path, map_location=device, weights_only=True)
        self.pool, self.counts = state["pool"], state["counts"]
        self.maintained = state["maintained"]


class Maintenance:
    """What ``CodebookHealth.maintain`` did.

    Arguments
    ---------
    quantizer : speechbrain_apcodec.lobes.quantizer.ResidualVectorQuantizer
        The quantiser that was looked after.
    restarted : list of torch.Tensor, optional
        For each codebook a bool [codewords], True where restarted; default:
        no restart was due.
    initialized : bool
        Whether all codebooks were initialised.
    moved_all : bool
        Whether a restart moved all codewords.
    """

    def __init__(
        self, quantizer, restarted=(), initialized=False, moved_all=False
    ):
        self.quantizer = quantizer
        self.restarted = list(restarted)
        self.initialized = initialized
        self.moved_all = moved_all

    @torch.no_grad()
    def carry_over(self, average):
        """Move the codewords of an average of the quantiser to the same place.

        Arguments
        ---------
        average : speechbrain_apcodec.lobes.quantizer.ResidualVectorQuantizer
            Follows the quantiser slowly; between the old place of a codeword
            and its new one there is nothing to be averaged.
        """
        for k, dead in enumerate(self.restarted):
            moved = slice(None) if self.moved_all else dead
            ours = average.quantizers[k].codebook.weight
            ours[moved] = self.quantizer.quantizers[k].codebook.weight[moved]

    @property
    def num_restarted(self):
        """Number of restarted codes of each codebook."""
        return [int(dead.sum()) for dead in self.restarted]


def _distributed():
    return (
        torch.distributed.is_available() and torch.distributed.is_initialized()
    )


def _gathered(rows):
    """Concatenate the rows of all ranks."""
    if not _distributed():
        return rows
    parts = [
        torch.empty_like(rows)
        for _ in range(torch.distributed.get_world_size())
    ]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def _project(stage, residual):
    """Project rows [latents, latent_dim] to [latents, codebook_dim]."""
    return stage.in_proj(residual.t()[None])[0].t()


def _reconstruct(stage, residual):
    """Quantise rows [latents, latent_dim] and project them back."""
    return stage.decode(stage.encode(residual.t()[None]))[0].t()


def _sample(rows, count, generator):
    """Draw rows, each at most once as long as there are enough."""
    order = torch.randperm(len(rows), generator=generator)
    order = order.repeat(-(-count // len(rows)))[:count]
    return rows[order.to(rows.device)]


def _fit_projections(stage, residual):
    """Let the projections keep as much of the residual as they can.

    In-projection: the principal directions around the mean; out-projection:
    its transpose. Drawn at random they would not undo each other, and the
    codewords would begin with an error that has nothing to do with them.
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


def _set_weight(convolution, weight):
    """Set the weight of a weight-normalised convolution in place.

    Assigning to it would cut its parameters off from the hooks by which DDP
    averages their gradients, and the ranks would drift apart.
    """
    parametrization = convolution.parametrizations.weight
    originals = (parametrization.original0, parametrization.original1)
    values = parametrization[0].right_inverse(weight)
    for parameter, value in zip(originals, values, strict=True):
        parameter.copy_(value)


def _cluster(stage, rows, iterations):
    """Move a stage's codewords to the mean of the rows that choose them."""
    codewords = stage.codebook.weight
    for _ in range(iterations):
        chosen = stage.nearest(rows.t()[None])[0]
        sums = torch.zeros_like(codewords).index_add_(0, chosen, rows)
        counts = torch.bincount(chosen, minlength=len(codewords))[:, None]
        used = counts[:, 0] > 0
        codewords[used] = (sums / counts.clamp(min=1))[used]
