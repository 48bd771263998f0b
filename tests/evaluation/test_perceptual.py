"""Listening models: their known best scores, their limits, their absence."""

import math
import sys

import pytest
import torch

from speechbrain_apcodec.evaluation import perceptual
from speechbrain_apcodec.utils.errors import MissingExtraError

RATE = 48000
CASES = {
    "stoi": (perceptual.stoi, 1.0),
    "pesq": (perceptual.pesq_wideband, 4.64),
    "visqol_audio": (perceptual.visqol_audio, 4.73),
}
MODELS = {
    "pystoi": perceptual.stoi,
    "pesq": perceptual.pesq_wideband,
    "visqol": perceptual.visqol_audio,
    "ai_edge_litert": perceptual.visqol_speech,
}


OTHERS = {
    "speechmos": (perceptual.dnsmos, 1, 5),
    "distillmos": (perceptual.distillmos, 1, 5),
    "resemblyzer": (perceptual.speaker_similarity, -1, 1),
}


@pytest.fixture(autouse=True)
def packages():
    for package in MODELS:
        pytest.importorskip(package)


def babble(seconds=1.5, rate=RATE):
    """Noise in syllables: what PESQ and STOI take for speech."""
    generator = torch.Generator().manual_seed(0)
    samples = int(seconds * rate)
    wav = torch.randn(samples, generator=generator)
    time = torch.arange(samples) / rate
    return 0.1 * wav * (torch.sin(2 * math.pi * 2 * time) > 0)


@pytest.mark.parametrize("name", CASES)
def test_identical_has_the_best_score_and_noise_lowers_it(name):
    metric, best = CASES[name]
    wav = babble()
    assert metric(wav, wav, RATE) == pytest.approx(best, abs=0.01)
    generator = torch.Generator().manual_seed(1)
    noisy = wav + 0.05 * torch.randn(len(wav), generator=generator)
    assert metric(wav, noisy, RATE) < best - 0.05


def test_visqol_speech_hears_noise():
    wav = babble()
    generator = torch.Generator().manual_seed(1)
    noisy = wav + 0.05 * torch.randn(len(wav), generator=generator)
    clean_score = perceptual.visqol_speech(wav, wav, RATE)
    assert clean_score > 3.5
    assert perceptual.visqol_speech(wav, noisy, RATE) < clean_score - 0.5


@pytest.mark.parametrize("metric", MODELS.values())
@pytest.mark.parametrize("samples", [0, 1, 2000, 9000])
def test_too_short_is_nan(metric, samples):
    wav = babble()[:samples]
    assert math.isnan(metric(wav, wav, RATE))


@pytest.mark.parametrize("metric", MODELS.values())
def test_a_silent_reference_is_nan(metric):
    assert math.isnan(metric(torch.zeros(72000), babble(), RATE))


def test_a_silent_decoded_file_does_not_crash():
    silence = torch.zeros(72000)
    assert perceptual.stoi(babble(), silence, RATE) == pytest.approx(0)
    for metric in (
        perceptual.pesq_wideband,
        perceptual.visqol_audio,
        perceptual.visqol_speech,
    ):
        assert math.isnan(metric(babble(), silence, RATE))


def test_pesq_survives_more_utterances_than_its_tables_hold():
    wav = babble(seconds=62, rate=16000)
    score = perceptual.pesq_wideband(wav, wav, 16000)
    assert score == pytest.approx(4.64, abs=0.01)


@pytest.mark.parametrize("package", OTHERS)
def test_the_other_models_stay_on_their_scales(package):
    pytest.importorskip(package)
    metric, worst, best = OTHERS[package]
    wav, loud = babble(), 5 * torch.randn(72000)
    assert worst < metric(wav, wav, RATE) <= best + 1e-5
    assert worst < metric(wav, loud, RATE) < best
    assert math.isnan(metric(wav, torch.zeros(72000), RATE))


@pytest.mark.parametrize("package", {**MODELS, **OTHERS})
def test_a_missing_package_is_named(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for load in (
        perceptual._visqol_api,
        perceptual._distillmos_network,
        perceptual._speaker_encoder,
    ):
        load.cache_clear()
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", None)
    metric = MODELS[package] if package in MODELS else OTHERS[package][0]
    with pytest.raises(MissingExtraError, match=package) as caught:
        metric(babble(), babble(), RATE)
    assert perceptual.INSTALL[package] in str(caught.value)
