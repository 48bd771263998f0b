"""Codec2 through its own programs."""

import math
import shutil

import pytest
import torch

from speechbrain_apcodec.evaluation.codec2 import MODES, codec2_roundtrip

pytestmark = pytest.mark.skipif(
    not (shutil.which("c2enc") and shutil.which("c2dec")),
    reason="codec2 is not installed",
)


def bursts(rate, seconds=1.0):
    """A voice-like sound that is on and off for 0.1 s each."""
    time = torch.arange(int(seconds * rate)) / rate
    voice = sum(
        torch.sin(2 * math.pi * 120 * n * time) / n for n in range(1, 25)
    )
    return 0.15 * voice * (torch.sin(2 * math.pi * 5 * time) > 0)


@pytest.mark.parametrize("mode", MODES)
def test_length_is_kept_bitrate_measured_and_delay_removed(mode):
    wav = bursts(48000)
    decoded, kbps = codec2_roundtrip(wav, 48000, mode)
    assert decoded.shape == wav.shape
    assert kbps == pytest.approx(mode / 1000)
    envelopes = [
        torch.nn.functional.avg_pool1d(x.abs()[None, None], 480)[0, 0]
        for x in (wav, decoded)
    ]
    # Later or earlier by a burst's half, loud would lie upon silent.
    same, late = (
        torch.corrcoef(torch.stack([envelopes[0], envelopes[1].roll(shift)]))
        for shift in (0, 5)
    )
    assert same[0, 1] > 0.6 and same[0, 1] > late[0, 1] + 0.3


@pytest.mark.parametrize("samples", [1, 959, 961])
def test_short_waveforms(samples):
    decoded, _ = codec2_roundtrip(bursts(48000)[:samples], 48000, 2400)
    assert decoded.shape == (samples,)
    assert torch.isfinite(decoded).all()
