"""What discriminators see, and which weights a pass trains."""

import pytest
import torch
from speechbrain.dataio.batch import PaddedBatch

from speechbrain_apcodec.training.adversarial import (
    adversarial_terms,
    discriminator_terms,
    level_gain,
)
from tests.training.tiny_brain import make_items, start_brain


@pytest.fixture
def brain(tmp_path):
    return start_brain(tmp_path)


def test_discriminators_hear_every_item_at_one_level(tmp_path):
    brain = start_brain(tmp_path, discriminator_level_db=-14.0)
    heard, decoded = [], []
    brain.codec.register_forward_hook(
        lambda module, args, output: decoded.append(output.decoded.detach())
    )
    brain.modules.discriminators.register_forward_hook(
        lambda module, args, output: heard.append(args[0].detach())
    )
    items = make_items(2)
    items[1]["sig"] = 0.01 * items[1]["sig"]
    wavs = torch.stack([item["sig"] for item in items])
    brain.fit_batch(PaddedBatch(items))
    both, real, fake = heard
    levels = 20 * real.square().mean(dim=1).sqrt().log10()
    torch.testing.assert_close(levels, torch.full((2,), -14.0))
    torch.testing.assert_close(both, torch.cat([real, fake]))
    # What is decoded keeps its distance from what is real.
    gain = real.norm(dim=1) / wavs.norm(dim=1)
    torch.testing.assert_close(fake, gain[:, None] * decoded[0])


def test_silence_is_not_raised_without_end():
    gain = level_gain(torch.zeros(2, 8), -14.0)
    assert torch.isfinite(gain).all()
    assert torch.equal(level_gain(torch.zeros(2, 8), None), torch.ones(2, 1))


def test_generator_pass_leaves_the_discriminators_alone(brain):
    discriminators = brain.modules.discriminators
    wavs = torch.stack([item["sig"] for item in make_items(2)])
    decoded = (0.5 * wavs).requires_grad_()
    outputs = []
    discriminators.register_forward_hook(
        lambda module, args, output: outputs.append(output)
    )
    terms = adversarial_terms(discriminators, brain.hparams.loss, wavs, decoded)
    brain.hparams.loss.total(terms).backward()

    assert all(p.grad is None for p in discriminators.parameters())
    assert decoded.grad.abs().max() > 0
    real, fake = outputs
    for name in ("mpd", "mrd"):
        for (score, maps), (fake_score, _) in zip(
            real[name], fake[name], strict=True
        ):
            assert not score.requires_grad
            assert not any(feature.requires_grad for feature in maps)
            assert fake_score.requires_grad


def test_discriminator_pass_leaves_the_codec_alone(brain):
    wavs = torch.stack([item["sig"] for item in make_items(2)])
    decoded = (0.5 * wavs).requires_grad_()
    terms = discriminator_terms(
        brain.modules.discriminators, brain.hparams.loss, wavs, decoded
    )
    brain.hparams.loss.total(terms).backward()
    assert decoded.grad is None
    for name, p in brain.modules.discriminators.named_parameters():
        assert p.grad is not None, name
