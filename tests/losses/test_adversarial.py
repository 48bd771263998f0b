"""GAN losses against their formulas."""

import pytest
import torch

from speechbrain_apcodec.losses.adversarial import (
    DiscriminatorLoss,
    GeneratorAdversarialLoss,
)


def make_outputs(seed, sizes=((4, 6), (9,))):
    """Make the outputs of two discriminators of one and two parts."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return 2 * torch.randn(shape, generator=generator)

    return {
        name: [(draw(2, size), [draw(2, 3, size), draw(2, 5)]) for size in part]
        for name, part in zip(("mpd", "mrd"), sizes, strict=True)
    }


@pytest.fixture
def real():
    return make_outputs(0)


@pytest.fixture
def fake():
    return make_outputs(1)


def test_hinge_of_the_discriminators(real, fake):
    terms = DiscriminatorLoss()(real, fake)
    assert set(terms) == {"mpd_discriminator", "mrd_discriminator"}
    for name in ("mpd", "mrd"):
        expected = 0.0
        for (of_real, _), (of_fake, _) in zip(
            real[name], fake[name], strict=True
        ):
            judged = [max(0.0, 1 - x) for x in of_real.flatten().tolist()]
            expected += sum(judged) / len(judged)
            judged = [max(0.0, 1 + x) for x in of_fake.flatten().tolist()]
            expected += sum(judged) / len(judged)
        assert terms[f"{name}_discriminator"].item() == pytest.approx(expected)


def test_hinge_and_features_of_the_generator(real, fake):
    terms = GeneratorAdversarialLoss()(real, fake)
    for name in ("mpd", "mrd"):
        hinge = sum((1 - score).clamp(min=0).mean() for score, _ in fake[name])
        features = sum(
            (ours - theirs).abs().mean()
            for (_, our_maps), (_, their_maps) in zip(
                fake[name], real[name], strict=True
            )
            for ours, theirs in zip(our_maps, their_maps, strict=True)
        )
        torch.testing.assert_close(terms[f"{name}_generator"], hinge)
        torch.testing.assert_close(terms[f"{name}_feature_matching"], features)


def test_nothing_is_left_to_say_once_all_are_sure():
    sure = {"mpd": [(torch.full((2, 4), 1.5), [torch.ones(2, 3)])]}
    opposite = {"mpd": [(torch.full((2, 4), -1.5), [torch.ones(2, 3)])]}
    assert DiscriminatorLoss()(sure, opposite)["mpd_discriminator"] == 0
    terms = GeneratorAdversarialLoss()(opposite, sure)
    assert terms["mpd_generator"] == 0
    assert terms["mpd_feature_matching"] == 0


def test_losses_are_float32_of_half_precision_scores(real, fake):
    def halved(outputs):
        return {
            name: [
                (score.bfloat16(), [x.bfloat16() for x in maps])
                for score, maps in part
            ]
            for name, part in outputs.items()
        }

    terms = {
        **DiscriminatorLoss()(halved(real), halved(fake)),
        **GeneratorAdversarialLoss()(halved(real), halved(fake)),
    }
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_lists_of_different_length_are_an_error(real, fake):
    fake["mpd"].pop()
    with pytest.raises(ValueError, match="shorter|longer"):
        DiscriminatorLoss()(real, fake)
