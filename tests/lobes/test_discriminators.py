"""What the discriminators see of a waveform."""

import pytest
import torch

from speechbrain_apcodec.lobes.discriminators import (
    Discriminators,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    MultiScaleSTFTDiscriminator,
)
from tests.support.signals import noise


def make_discriminators():
    torch.manual_seed(0)
    return Discriminators(
        {
            "mpd": MultiPeriodDiscriminator([2, 3], [4, 6]),
            "mrd": MultiResolutionDiscriminator([(256, 64, 128)], 3),
            "stft": MultiScaleSTFTDiscriminator([256], 3),
        }
    )


def flatten(outputs):
    for sub_outputs in outputs.values():
        for score, maps in sub_outputs:
            yield score
            yield from maps


def test_items_of_a_batch_are_judged_alone():
    """Real and decoded speech may share a batch."""
    discriminators = make_discriminators()
    wavs = noise(3, 801)
    batch = discriminators(wavs)
    for i in range(3):
        alone = discriminators(wavs[i : i + 1])
        for ours, theirs in zip(flatten(batch), flatten(alone), strict=True):
            torch.testing.assert_close(ours[i : i + 1], theirs)


def test_one_map_for_each_convolution_and_the_score():
    outputs = make_discriminators()(noise(2, 800))
    assert [len(maps) for _, maps in outputs["mpd"]] == [3, 3]
    assert [len(maps) for _, maps in outputs["mrd"]] == [6]
    assert [len(maps) for _, maps in outputs["stft"]] == [6]
    for sub_outputs in outputs.values():
        for score, maps in sub_outputs:
            assert torch.equal(score, maps[-1].flatten(1))


def test_period_discriminator_sees_each_phase_alone():
    """A kernel one sample wide never mixes the columns of a period."""
    discriminator = MultiPeriodDiscriminator([5], [4, 4])
    wavs = noise(1, 500)
    changed = wavs.clone()
    changed[:, 2::5] += 1.0
    ((_, before),) = discriminator(wavs)
    ((_, after),) = discriminator(changed)
    for ours, theirs in zip(after, before, strict=True):
        moved = (ours != theirs).any(dim=(0, 1, 2))
        assert moved.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("length", [800, 801, 802, 803, 804])
def test_period_discriminator_completes_by_reflection(length):
    discriminator = MultiPeriodDiscriminator([5], [2])
    seen = []
    discriminator.discriminators[0].register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    wavs = noise(1, length)
    discriminator(wavs)
    samples = seen[0].flatten(1)
    assert torch.equal(samples[:, :length], wavs)
    extra = samples.shape[1] - length
    assert 0 <= extra < 5
    if extra:
        assert torch.equal(samples[:, length:], wavs.flip(1)[:, 1 : extra + 1])


def test_resolution_discriminator_sees_magnitudes():
    """The sign of a waveform is not heard."""
    discriminator = MultiResolutionDiscriminator([(256, 64, 128)], 3)
    wavs = noise(2, 800)
    ((ours, _),) = discriminator(wavs)
    ((theirs, _),) = discriminator(-wavs)
    torch.testing.assert_close(ours, theirs)


def test_gradients_are_finite_at_silence():
    wavs = torch.zeros(1, 800, requires_grad=True)
    sum(x.sum() for x in flatten(make_discriminators()(wavs))).backward()
    assert torch.isfinite(wavs.grad).all()


def test_magnitude_is_float32_under_autocast():
    discriminator = MultiResolutionDiscriminator([(256, 64, 128)], 3)
    wavs = noise(1, 800)
    expected = discriminator._magnitude(wavs, 256, 64, 128)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        magnitude = discriminator._magnitude(wavs, 256, 64, 128)
    assert torch.equal(magnitude, expected)


def test_stft_discriminator_sees_what_is_faint():
    """A hiss 60 dB below a tone, which linear magnitudes all but hide."""
    torch.manual_seed(0)
    compressed = MultiScaleSTFTDiscriminator([256], 4)
    linear = MultiResolutionDiscriminator([(256, 64, 256)], 4)
    tone = torch.sin(0.05 * torch.arange(8000))[None]
    hiss = 0.001 * noise(1, 8000)

    def change(discriminator):
        ((_, quiet),) = discriminator(tone)
        ((_, noisy),) = discriminator(tone + hiss)
        return (noisy[0] - quiet[0]).norm() / quiet[0].norm()

    assert change(compressed) > 10 * change(linear)


def test_stft_discriminator_sees_phases():
    torch.manual_seed(0)
    discriminator = MultiScaleSTFTDiscriminator([256], 4)
    wavs = noise(1, 8000)
    ((score, _),) = discriminator(wavs)
    ((negative, _),) = discriminator(-wavs)
    assert not torch.allclose(score, negative, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 30.0])
def test_stft_discriminator_has_finite_gradients(level):
    discriminator = MultiScaleSTFTDiscriminator([256, 512], 4)
    wavs = (level * noise(1, 8000)).requires_grad_()
    sum(score.sum() for score, _ in discriminator(wavs)).backward()
    assert wavs.grad.isfinite().all()
