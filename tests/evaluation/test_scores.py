"""Choosing metrics, and scoring one file by them."""

import importlib.util
import math

import pytest
import torch

from speechbrain_apcodec.evaluation.scores import (
    METRICS,
    choose_metrics,
    score,
)
from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)


@pytest.fixture
def without_pesq(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "pesq" else find_spec(name),
    )


def test_what_is_not_installed_is_left_out_and_named(without_pesq):
    chosen, missing = choose_metrics()
    assert "pesq" in missing
    assert set(chosen) | set(missing) == set(METRICS)
    assert not set(chosen) & set(missing)


def test_what_was_asked_for_must_be_installed(without_pesq):
    with pytest.raises(MissingExtraError, match=r"for pesq \(pip install"):
        choose_metrics(["lsd", "pesq"])


def test_unknown_metrics_are_refused():
    with pytest.raises(ConfigurationError, match="no metric 'mos': choose"):
        choose_metrics(["mos"])


def test_a_delay_costs_nothing():
    generator = torch.Generator().manual_seed(0)
    wav = torch.randn(20000, generator=generator)
    late = torch.nn.functional.pad(wav, (200, 0))[:20000]
    chosen, _ = choose_metrics(["lsd", "si_sdr"])
    values = score(wav, late, 48000, chosen)
    assert values == {"lag": 200, "lsd": 0, "si_sdr": 100}


def test_the_band_reaches_the_metrics_and_parts_become_columns():
    generator = torch.Generator().manual_seed(0)
    wav = torch.randn(20000, generator=generator)
    chosen, _ = choose_metrics(["level", "si_sdr"])
    values = score(wav, 0.1 * wav, 48000, chosen, max_frequency=12000)
    assert values["level 0-4"] == pytest.approx(-20)
    assert values["level 8-16"] == pytest.approx(-20)
    assert math.isnan(values["level 16-20"])
