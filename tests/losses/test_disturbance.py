"""The differentiable PESQ."""

import math
from pathlib import Path

import pytest
import torch

import speechbrain_apcodec
from speechbrain_apcodec.losses.disturbance import DisturbanceLoss
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.resampling import resample

CLIPS = Path(speechbrain_apcodec.__file__).parent / "pretrained" / "clips"


@pytest.fixture
def loss():
    return DisturbanceLoss(48000)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def decodes(wav):
    """What codecs do: add noise, quantise magnitudes, forget phases."""
    level = wav.square().mean().sqrt()
    for decibels in (5, 12, 20, 30, 40):
        yield wav + 10 ** (-decibels / 20) * level * noise(len(wav))
    window = torch.hann_window(1024)
    spectrum = torch.stft(wav, 1024, 256, window=window, return_complex=True)
    log = spectrum.abs().clamp(min=1e-5).log()
    for step, turn in ((0.5, 0.0), (1.0, 0.0), (0.1, 0.5), (0.1, 2.0)):
        phase = spectrum.angle() + turn * noise(*spectrum.shape)
        changed = torch.polar(torch.exp((log / step).round() * step), phase)
        yield torch.istft(changed, 1024, 256, window=window, length=len(wav))


def test_it_orders_decodes_as_pesq_does(loss):
    pesq = pytest.importorskip("pesq").pesq
    ours, theirs = [], []
    for path in sorted(CLIPS.glob("*.flac")):
        wav = read_audio(path)[0][0]
        for decoded in decodes(wav):
            raw = 4.5 - loss(wav[None], decoded[None])["disturbance"]
            mapped = 0.999 + 4 / (1 + math.exp(3.8224 - 1.3669 * raw))
            ours.append(mapped)  # by equation 1 of P.862.2
            pair = (resample(x, 48000, 16000).numpy() for x in (wav, decoded))
            theirs.append(pesq(16000, *pair, "wb"))
    correlation = torch.corrcoef(torch.tensor([ours, theirs]))[0, 1]
    assert len(ours) == 18
    assert correlation > 0.95


def test_what_is_added_costs_more_than_what_is_missing(loss):
    wavs = 0.1 * noise(1, 16000)
    spectrum = torch.fft.rfft(wavs)
    spectrum[:, 700:1000] = 0
    hole = torch.fft.irfft(spectrum, 16000)
    added = loss(hole, wavs)["disturbance"]
    assert added > 1.2 * loss(wavs, hole)["disturbance"]


def test_only_the_level_of_the_pair_is_forgiven(loss):
    wavs = 0.1 * noise(1, 16000)
    decoded = wavs + 0.02 * noise(1, 16000).flip(1)
    value = loss(wavs, decoded)["disturbance"]
    louder = loss(3 * wavs, 3 * decoded)["disturbance"]
    torch.testing.assert_close(louder, value)
    half = loss(wavs, wavs * torch.linspace(0, 1, 16000))["disturbance"]
    assert half > 0.2


@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 30.0])
def test_silence_and_clipping_have_finite_gradients(loss, level):
    wavs = (level * noise(2, 8000)).clamp(-1, 1)
    for decoded in (torch.zeros(2, 8000), wavs.clone(), torch.ones(2, 8000)):
        decoded.requires_grad_()
        value = loss(wavs, decoded)["disturbance"]
        value.backward()
        assert value.isfinite()
        assert decoded.grad.isfinite().all()


def test_a_rate_without_its_bands_is_refused():
    with pytest.raises(ConfigurationError, match="22050"):
        DisturbanceLoss(22050)
