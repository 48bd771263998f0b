"""STFT there and back, of files of any length."""

import math

import pytest
import torch

from speechbrain_apcodec.lobes.spectrum import (
    STFTAnalysis,
    STFTSynthesis,
    angle,
)
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.support.signals import noise

SIZES = [(1024, 40, 320), (1024, 80, 320), (512, 100, 300), (256, 64, 256)]


@pytest.mark.parametrize("sizes", SIZES)
def test_round_trip_of_any_length(sizes):
    analysis, synthesis = STFTAnalysis(*sizes), STFTSynthesis(*sizes)
    generator = torch.Generator().manual_seed(2)
    lengths = torch.randint(1, 5000, (12,), generator=generator).tolist()
    for length in [*lengths, 1, 2, 160, 161, 319, 320]:
        wavs = noise(2, length, seed=length).double()
        spectrum = analysis(wavs)
        assert spectrum.phase.shape[-1] == analysis.num_frames(length)
        decoded = synthesis(spectrum.real, spectrum.imaginary)
        assert decoded.shape[-1] >= length
        torch.testing.assert_close(decoded[:, :length], wavs, rtol=0, atol=1e-6)


def test_parts_agree():
    spectrum = STFTAnalysis()(noise(2, 3000))
    amplitude = (spectrum.log_amplitude.exp() - 1e-5).clamp(min=0)
    torch.testing.assert_close(
        amplitude * spectrum.phase.cos(), spectrum.real, rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        amplitude * spectrum.phase.sin(), spectrum.imaginary, rtol=0, atol=1e-4
    )


def test_transform_is_that_of_torch():
    wavs = noise(2, 3000)
    real, imaginary = STFTAnalysis().transform(wavs)
    expected = torch.stft(
        torch.nn.functional.pad(wavs, (352, 352)),
        1024,
        40,
        320,
        window=torch.hann_window(320),
        center=False,
        return_complex=True,
    )
    # torch pads with zeros here: compare what the ends do not reach.
    torch.testing.assert_close(
        torch.complex(real, imaginary)[:, :, 8:-8],
        expected[:, :, 4:][:, :, : real.shape[-1] - 16],
        rtol=1e-4,
        atol=1e-4,
    )


def test_padded_batch_equals_each_item_alone():
    analysis, synthesis = STFTAnalysis(), STFTSynthesis()
    lengths = torch.tensor([3000, 1, 161, 2345, 40])
    wavs = noise(5, 3000)
    wavs[1:, 2900:] = 100.0
    batch = analysis(wavs, lengths)
    frames = analysis.num_frames(lengths)
    decoded = synthesis(batch.real, batch.imaginary, frames)
    for i, length in enumerate(lengths.tolist()):
        alone = analysis(wavs[i : i + 1, :length])
        count = alone.phase.shape[-1]
        assert count == frames[i] == analysis.num_frames(length)
        for part in ("real", "imaginary", "log_amplitude"):
            torch.testing.assert_close(
                getattr(batch, part)[i, :, :count],
                getattr(alone, part)[0],
                rtol=1e-5,
                atol=1e-5,
            )
        wav = synthesis(alone.real, alone.imaginary)[0]
        torch.testing.assert_close(
            decoded[i, : len(wav)], wav, rtol=1e-5, atol=1e-5
        )
        assert (decoded[i, len(wav) :] == 0).all()


def test_an_empty_item_has_no_frames():
    assert STFTAnalysis().num_frames(0) == 0
    assert STFTAnalysis().num_frames(torch.tensor([0, 1])).tolist() == [0, 5]


def test_dc_and_nyquist_have_phase_zero_or_pi():
    phase = STFTAnalysis()(noise(1, 4000)).phase[:, [0, -1]]
    assert set(phase.unique().tolist()) == {
        0.0,
        torch.tensor(math.pi).item(),
    }


def test_angle_is_atan2():
    y, x = noise(2, 1000)
    assert torch.equal(angle(y, x), torch.atan2(y, x))
    zeros = torch.tensor([0.0, -0.0])
    assert angle(zeros, -torch.ones(2)).tolist() == pytest.approx([math.pi] * 2)
    zeros.requires_grad_()
    phase = angle(zeros, -zeros)
    phase.sum().backward()
    assert phase.tolist() == zeros.grad.tolist() == [0.0, 0.0]


def test_gradients_are_finite_at_silence():
    wavs = torch.zeros(1, 1000, requires_grad=True)
    real, imaginary = STFTAnalysis().transform(wavs)
    (angle(imaginary, real).sum() + real.sum()).backward()
    assert torch.isfinite(wavs.grad).all()


def test_float32_under_autocast():
    wavs = noise(1, 1000)
    expected = STFTAnalysis()(wavs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spectrum = STFTAnalysis()(wavs.bfloat16().float())
        decoded = STFTSynthesis()(expected.real, expected.imaginary)
    assert spectrum.phase.dtype == decoded.dtype == torch.float32
    torch.testing.assert_close(decoded[:, :1000], wavs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((256, 40, 320), "no longer than the FFT"),
        ((1024, 40, 321), "even"),
        ((1023, 40, 320), "even"),
        ((1024, 107, 320), "cannot be inverted"),
        ((1024, 0, 320), "cannot be inverted"),
    ],
)
@pytest.mark.parametrize("make", [STFTAnalysis, STFTSynthesis])
def test_configuration_errors(make, sizes, message):
    with pytest.raises(ConfigurationError, match=message):
        make(*sizes)
