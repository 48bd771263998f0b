"""Random equalisation of crops."""

import numpy as np
import pytest
import torch

from speechbrain_apcodec.training.equalizer import equalize
from tests.support.signals import noise

RANGES = {0: [-3, 3], 6000: [2, 2], 12000: [-8, 8]}


def gains_in_db(segment, filtered):
    """Compare two spectra, at each hertz."""
    ratio = torch.fft.rfft(filtered).abs() / torch.fft.rfft(segment).abs()
    return 20 * ratio.log10()


def test_gains_lie_on_lines_between_points_that_are_drawn():
    segment = noise(24000, seed=1)
    random, twin = np.random.default_rng(3), np.random.default_rng(3)
    drawn = [twin.uniform(*limits) for limits in RANGES.values()]
    gains = gains_in_db(segment, equalize(segment, RANGES, 24000, random))
    for hertz in (0, 1500, 6000, 11000, 12000):
        expected = np.interp(hertz, list(RANGES), drawn)
        assert gains[hertz].item() == pytest.approx(expected, abs=0.01)


def test_every_segment_has_its_own_gains_in_the_whole_range():
    random = np.random.default_rng(0)
    segment = noise(24000, seed=1)
    top = [
        gains_in_db(segment, equalize(segment, RANGES, 24000, random))[12000]
        for _ in range(40)
    ]
    assert -8 <= min(top) < -6
    assert 6 < max(top) <= 8
