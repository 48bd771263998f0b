"""Spectral losses against their definitions."""

import math

import pytest
import torch

from speechbrain_apcodec.losses.spectral import (
    AmplitudeLoss,
    ComplexLoss,
    MelLoss,
    PhaseLoss,
    WeightedAmplitudeLoss,
    WeightedPhaseLoss,
    anti_wrapped,
)
from tests.support.signals import noise

BINS, FRAMES = 9, 7


def naive_anti_wrapped(angle):
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return abs(angle)


def test_anti_wrapping_equals_the_naive_loop():
    angles = 20.0 * noise(500)
    expected = [naive_anti_wrapped(angle) for angle in angles.tolist()]
    torch.testing.assert_close(
        anti_wrapped(angles), torch.tensor(expected), rtol=0, atol=1e-4
    )


def test_anti_wrapping_is_even_periodic_and_bounded():
    angles = 5.0 * noise(500)
    wrapped = anti_wrapped(angles)
    torch.testing.assert_close(anti_wrapped(-angles), wrapped)
    for turns in (-3, 1, 10):
        turned = anti_wrapped(angles + 2 * math.pi * turns)
        torch.testing.assert_close(turned, wrapped, rtol=0, atol=1e-4)
    assert wrapped.min() >= 0
    assert wrapped.max() <= math.pi + 1e-5


def test_anti_wrapping_has_the_gradient_of_the_distance():
    angles = torch.tensor([0.5, -0.5, 2 * math.pi - 0.5, 2 * math.pi + 0.5])
    angles.requires_grad_()
    anti_wrapped(angles).sum().backward()
    assert angles.grad.tolist() == [1.0, -1.0, -1.0, 1.0]


def weighted_phase(natural, predicted, log_amplitude):
    terms = WeightedPhaseLoss()(natural, predicted, log_amplitude)
    return terms["weighted_phase"]


def test_weighted_phase_equals_the_naive_sum():
    natural = 3.0 * noise(2, BINS, FRAMES)
    predicted = 3.0 * noise(2, BINS, FRAMES, seed=1)
    log_amplitude = 2.0 * noise(2, BINS, FRAMES, seed=2)
    items = []
    for theirs, ours, level in zip(
        natural, predicted, log_amplitude, strict=True
    ):
        weights = [math.exp(x) for x in level.flatten().tolist()]
        angles = (ours - theirs).flatten().tolist()
        errors = [1 - math.cos(angle) for angle in angles]
        total = sum(w * e for w, e in zip(weights, errors, strict=True))
        items.append(total / sum(weights))
    value = weighted_phase(natural, predicted, log_amplitude)
    assert value.item() == pytest.approx(sum(items) / 2, rel=1e-5)


def test_weighted_phase_knows_neither_level_nor_turns():
    natural = 3.0 * noise(2, BINS, FRAMES)
    predicted = 3.0 * noise(2, BINS, FRAMES, seed=1)
    log_amplitude = noise(2, BINS, FRAMES, seed=2)
    reference = weighted_phase(natural, predicted, log_amplitude)
    gain = torch.tensor([-6.0, 3.0])[:, None, None]
    for same in (
        weighted_phase(natural, predicted, log_amplitude + gain),
        weighted_phase(natural, predicted + 2 * math.pi, log_amplitude),
        weighted_phase(predicted, natural, log_amplitude),
    ):
        torch.testing.assert_close(same, reference)


def test_weighted_phase_pulls_where_the_energy_is():
    log_amplitude = torch.full((1, BINS, FRAMES), -6.0)
    log_amplitude[0, 2] = 0.0
    natural = 3.0 * noise(1, BINS, FRAMES)
    predicted = (3.0 * noise(1, BINS, FRAMES, seed=1)).requires_grad_()
    weighted_phase(natural, predicted, log_amplitude).backward()
    pull = predicted.grad.abs().sum(dim=(0, 2))
    assert pull[2] > 10 * (pull.sum() - pull[2])


def test_phase_loss_equals_that_by_difference_matrices():
    """The paper's operators: identity minus its shift."""
    natural = 3.0 * noise(2, BINS, FRAMES)
    predicted = 3.0 * noise(2, BINS, FRAMES, seed=1)
    terms = PhaseLoss()(natural, predicted)

    along_frequency = torch.eye(BINS) - torch.diag(torch.ones(BINS - 1), -1)
    along_time = torch.eye(FRAMES) - torch.diag(torch.ones(FRAMES - 1), 1)
    expected = {
        "instantaneous_phase": predicted - natural,
        "group_delay": along_frequency @ predicted - along_frequency @ natural,
        "instantaneous_angular_frequency": predicted @ along_time
        - natural @ along_time,
    }
    for name, difference in expected.items():
        torch.testing.assert_close(terms[name], anti_wrapped(difference).mean())


def test_phase_loss_does_not_see_turns_of_single_bins():
    natural = noise(1, BINS, FRAMES)
    turns = torch.randint(-3, 4, natural.shape)
    for value in PhaseLoss()(natural, natural + 2 * math.pi * turns).values():
        assert value < 1e-4


def test_amplitude_and_complex_losses():
    a, b, c = (
        (noise(2, BINS, FRAMES, seed=i), noise(2, BINS, FRAMES, seed=9 + i))
        for i in range(3)
    )
    amplitude = AmplitudeLoss()(a[0], b[0])["amplitude"]
    torch.testing.assert_close(amplitude, (a[0] - b[0]).pow(2).mean())
    terms = ComplexLoss()(natural=a, predicted=b, consistent=c)
    torch.testing.assert_close(terms["real"], (a[0] - b[0]).abs().mean())
    torch.testing.assert_close(terms["imaginary"], (a[1] - b[1]).abs().mean())
    distance = torch.complex(*b) - torch.complex(*c)
    torch.testing.assert_close(
        terms["consistency"], distance.abs().pow(2).mean()
    )


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "num_mels"),
    [(48000, 1024, 80), (16000, 512, 40), (24000, 1024, 60)],
)
def test_mel_bands(sample_rate, n_fft, num_mels):
    bank = MelLoss(sample_rate, n_fft, num_mels).bank
    assert bank.shape == (num_mels, n_fft // 2 + 1)
    assert (bank >= 0).all()
    frequencies = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    heard = bank.sum(1) > 0
    centres = (bank @ frequencies)[heard] / bank.sum(1)[heard]
    assert (centres.diff() > 0).all()
    assert centres[-1] > 0.9 * sample_rate / 2
    # Slaney's bands have the same area, so that noise is flat.
    spacing = sample_rate / n_fft
    wide = bank[-num_mels // 3 :].sum(1) * spacing
    torch.testing.assert_close(wide, torch.ones_like(wide), rtol=0.05, atol=0.0)
    # Linear below 1 kHz, logarithmic above.
    high = centres[centres > 2000]
    steps = high.log().diff()
    assert steps.max() < 1.2 * steps.min()


def test_mel_loss_is_its_formula():
    loss = MelLoss(16000, 256, 20, decoded_amplitude=True)
    natural = (noise(1, 129, 5), noise(1, 129, 5, seed=1))
    decoded = (noise(1, 129, 5, seed=2), noise(1, 129, 5, seed=3))
    terms = loss(natural, decoded)
    ours, theirs = (
        torch.sqrt(torch.complex(*parts).abs().pow(2) + 1e-9)
        for parts in (decoded, natural)
    )
    difference = torch.log((loss.bank @ ours).clamp(min=1e-5)) - torch.log(
        (loss.bank @ theirs).clamp(min=1e-5)
    )
    torch.testing.assert_close(terms["mel_mae"], difference.abs().mean())
    torch.testing.assert_close(terms["mel_mse"], difference.pow(2).mean())
    # Glasberg and Moore's bandwidths: 24.7 (4.37 f + 1) Hz, f in kHz.
    density = 1 / (4.37 * torch.arange(129)[:, None] * 16 / 256 + 1)
    error = density * (ours.log() - theirs.log()).abs() / density.mean()
    torch.testing.assert_close(terms["decoded_amplitude"], error.mean())
    assert "decoded_amplitude" not in MelLoss(16000, 256, 20)(natural, decoded)


def test_weighted_amplitude_listens_as_the_ear_does():
    loss = WeightedAmplitudeLoss(513, 48000)
    natural = noise(1, 513, 4)
    values = {}
    for first, end in ((0, 1000), (4000, 5000), (23000, 24000)):
        predicted = natural.clone()
        bins = slice(*(f * 512 // 24000 for f in (first, end)))
        predicted[:, bins] += 0.5
        values[first] = loss(natural, predicted)["weighted_amplitude"]
    # A kilohertz has 15.6 bandwidths at the lower end, 1.9 and 0.4 above.
    low, middle, high = values.values()
    assert 7.0 < low / middle < 9.0
    assert 4.0 < middle / high < 5.5


def test_gradients_are_finite_at_silence():
    silence = torch.zeros(1, 129, 5)
    parts = [torch.zeros(1, 129, 5, requires_grad=True) for _ in range(2)]
    loss = MelLoss(16000, 256, 20, decoded_amplitude=True)
    terms = {
        **loss((silence, silence), tuple(parts)),
        **loss((noise(1, 129, 5), silence), tuple(parts)),
        **ComplexLoss()((silence, silence), tuple(parts), tuple(parts)),
        **PhaseLoss()(silence, parts[0]),
    }
    sum(terms.values()).backward()
    assert all(torch.isfinite(part.grad).all() for part in parts)
