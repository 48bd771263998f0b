"""Codebooks that start where the latents are and stay in use."""

import pytest
import torch

from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.training.codebook_health import CodebookHealth
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import load_hparams
from tests.installed import ROOT


@pytest.fixture
def quantizer():
    torch.manual_seed(0)
    return ResidualVectorQuantizer(
        8, num_codebooks=3, codebook_size=64, codebook_dim=8
    )


def make_latents(seed, batch=4, frames=250):
    """Make latents around 40 centres, far from the origin."""
    generator = torch.Generator().manual_seed(1)
    centres = 3 * torch.randn(40, 8, generator=generator) + 5
    generator.manual_seed(seed)
    chosen = torch.randint(40, (batch, frames), generator=generator)
    noise = 0.5 * torch.randn(batch, frames, 8, generator=generator)
    return (centres[chosen] + noise).transpose(1, 2)


def error(quantizer, latent):
    """Return the share of the latents' variance that is lost."""
    lost = (latent - quantizer(latent).quantized).square().mean()
    return (lost / latent.var(dim=(0, 2)).mean()).item()


def initialize(quantizer, **options):
    health = CodebookHealth(quantizer, warmup_steps=2, **options)
    for step in range(2):
        assert not health.quantizes(step)
        assert not health.maintain(step).initialized
        health.observe(make_latents(step), tokens=None)
    assert health.maintain(2).initialized
    assert health.quantizes(2)
    return health


def test_published_configuration_switches_all_off():
    hparams = load_hparams(
        ROOT / "hparams" / "base.yaml",
        {"channels": 8, "hidden_channels": 8, "num_blocks": 1},
    )
    health = hparams["codebook_health"]
    assert not health.active
    assert health.quantizes(0)
    assert hparams["quantizer_dropout"] == 0
    assert hparams["ema_decay"] == 0
    before = [p.clone() for p in health.quantizer.parameters()]
    for step in range(1000):
        done = health.maintain(step)
        assert not done.initialized
        assert not any(done.num_restarted)
    health.observe(torch.randn(1, 32, 5), torch.zeros(1, 5, 4).long())
    assert health.pool is None
    for ours, theirs in zip(health.quantizer.parameters(), before, strict=True):
        assert torch.equal(ours, theirs)


def test_initialisation_fits_latents_it_never_saw(quantizer):
    unseen = make_latents(seed=7)
    before = error(quantizer, unseen)
    initialize(quantizer)
    assert before > 0.9
    assert error(quantizer, unseen) < 0.1
    # Each stage takes away some of what those before it left.
    errors = [
        (unseen - quantizer(unseen, k).quantized).square().mean().item()
        for k in (1, 2, 3)
    ]
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2]
    for k, tokens in enumerate(quantizer.encode(unseen).unbind(-1)):
        assert len(tokens.unique()) > 0.7 * 64, k


def test_initialisation_keeps_the_gradient_hooks(quantizer):
    """By such hooks DDP keeps the ranks equal."""
    called = set()
    nodes = []
    for name, parameter in quantizer.named_parameters():
        node = parameter.view_as(parameter).grad_fn.next_functions[0][0]
        node.register_hook(lambda *_, name=name: called.add(name))
        nodes.append(node)
    initialize(quantizer)
    output = quantizer(make_latents(3).requires_grad_())
    (output.quantized.sum() + output.codebook_loss).backward()
    assert called == {name for name, _ in quantizer.named_parameters()}


def test_projections_undo_each_other(quantizer):
    initialize(quantizer)
    rows = make_latents(seed=3)
    for stage in quantizer.quantizers:
        there_and_back = stage.out_proj(stage.in_proj(rows))
        torch.testing.assert_close(there_and_back, rows, rtol=1e-4, atol=1e-4)


def test_projections_keep_the_most_they_can():
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(
        8, num_codebooks=1, codebook_size=64, codebook_dim=2
    )
    health = CodebookHealth(quantizer, warmup_steps=1)
    scales = torch.tensor([5.0, 4.0] + [0.1] * 6)
    latent = torch.randn(4, 8, 200) * scales[:, None] + 1
    health.observe(latent, tokens=None)
    health.maintain(1)
    (stage,) = quantizer.quantizers
    lost = (latent - stage.out_proj(stage.in_proj(latent))).square()
    assert lost[:, :2].mean() < 0.001
    assert lost[:, 2:].mean().item() == pytest.approx(0.01, rel=0.1)


def test_initialisation_is_reproducible():
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        quantizer = ResidualVectorQuantizer(
            8, num_codebooks=3, codebook_size=64, codebook_dim=8
        )
        torch.manual_seed(len(weights))
        initialize(quantizer)
        weights.append(torch.cat([p.flatten() for p in quantizer.parameters()]))
    assert torch.equal(*weights)


def test_dead_codes_move_to_latents_and_live_ones_stay(quantizer):
    health = initialize(quantizer, restart_every=3)
    first = quantizer.quantizers[0].codebook.weight
    with torch.no_grad():
        first[10:20] = -first[:10].mean(0) + 1e-3 * torch.randn(10, 8)
    before = [s.codebook.weight.clone() for s in quantizer.quantizers]
    used = torch.zeros(3, 64, dtype=torch.bool)
    for step in (2, 3, 4):
        latent = make_latents(seed=step + 20)
        tokens = quantizer.encode(latent)
        for k in range(3):
            used[k, tokens[..., k].unique()] = True
        assert not health.maintain(step).num_restarted
        health.observe(latent, tokens)
    assert health.counts.sum(1).tolist() == [3000] * 3
    # Less than 3 % of an equal share, 3000 / 64: dead codes never occurred
    # or occurred once.
    dead = health.counts < 0.03 * 3000 / 64
    assert dead[0].sum() > 5
    done = health.maintain(5)
    assert done.num_restarted == dead.sum(1).tolist()
    for k, stage in enumerate(quantizer.quantizers):
        assert torch.equal(done.restarted[k], dead[k])
        moved = (stage.codebook.weight != before[k]).any(1)
        assert torch.equal(moved, dead[k])
        assert not (dead[k] & (health.counts[k] > 1)).any()
    # The new codewords are latents that occurred.
    pool = quantizer.quantizers[0].in_proj(health.pool.t()[None])[0].t()
    distances = torch.cdist(first[dead[0]], pool).min(1).values
    assert distances.max() < 1e-3
    assert health.counts.sum() == 0


def test_a_step_is_maintained_once(quantizer):
    health = initialize(quantizer, restart_every=1)
    weights = [p.clone() for p in quantizer.parameters()]
    health.observe(make_latents(9), tokens=None)
    assert not health.maintain(2).initialized
    for ours, theirs in zip(quantizer.parameters(), weights, strict=True):
        assert torch.equal(ours, theirs)
    assert len(health.maintain(3).num_restarted) == 3
    assert not health.maintain(3).num_restarted


def test_tokens_that_were_not_used_do_not_count(quantizer):
    health = CodebookHealth(quantizer, restart_every=10)
    output = quantizer(make_latents(0), torch.tensor([1, 2, 3, 3]))
    health.observe(make_latents(0), output.tokens)
    assert health.counts.sum(1).tolist() == [1000, 750, 500]


def test_pool_keeps_the_newest(quantizer):
    health = CodebookHealth(quantizer, restart_every=10, pool_size=1500)
    first, second = make_latents(0), make_latents(1)
    health.observe(first, None)
    health.observe(second, None)
    assert health.pool.shape == (1500, 8)
    assert torch.equal(
        health.pool[-1000:], second.transpose(1, 2).flatten(0, 1)
    )
    assert torch.equal(
        health.pool[:500], first.transpose(1, 2).flatten(0, 1)[500:]
    )


def test_saved_state_continues_alike(quantizer, tmp_path):
    health = initialize(quantizer, restart_every=3)
    latent = make_latents(3)
    health.observe(latent, quantizer.encode(latent))
    health._save(tmp_path / "health.ckpt")
    state = {k: v.clone() for k, v in quantizer.state_dict().items()}
    counts = health.counts.clone()
    expected = health.maintain(5).num_restarted
    weights = [p.clone() for p in quantizer.parameters()]

    quantizer.load_state_dict(state)
    other = CodebookHealth(quantizer, warmup_steps=2, restart_every=3)
    other._load(tmp_path / "health.ckpt", end_of_epoch=False)
    assert torch.equal(other.counts, counts)
    assert not other.maintain(2).initialized
    assert other.maintain(5).num_restarted == expected
    for ours, theirs in zip(quantizer.parameters(), weights, strict=True):
        assert torch.equal(ours, theirs)


def test_configuration_errors(quantizer):
    with pytest.raises(ConfigurationError, match="pool_size is 63"):
        CodebookHealth(quantizer, warmup_steps=1, pool_size=63)
    with pytest.raises(ConfigurationError, match="observe"):
        CodebookHealth(quantizer, warmup_steps=1).maintain(1)
    wide = ResidualVectorQuantizer(4, 1, codebook_size=8, codebook_dim=6)
    health = CodebookHealth(wide, warmup_steps=1)
    health.observe(torch.randn(1, 4, 9), None)
    with pytest.raises(ConfigurationError, match="codebook_dim 6"):
        health.maintain(1)


def test_refit_follows_latents_that_grow(quantizer):
    torch.manual_seed(0)
    health = initialize(
        quantizer, restart_every=1, refit_iterations=2, pool_size=800
    )
    grown = 5 * torch.randn(4, quantizer.latent_dim, 200)

    def error():
        decoded = quantizer.decode(quantizer.encode(grown))
        return float(((decoded - grown).square().mean() / grown.var()).detach())

    before = error()
    health.observe(grown, quantizer.encode(grown))
    health.maintain(3)
    assert error() < 0.6 * before
