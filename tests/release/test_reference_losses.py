"""The losses of a model on a file; golden values are in ``tests/losses``."""

import math
import shutil

import pytest
import torch

from speechbrain_apcodec.release.reference_losses import reference_losses
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.errors import AudioFileError, CheckpointError
from tests.golden_weights import golden_losses

CPU = {"device": "cpu"}


@pytest.fixture
def write(tmp_path):
    def write_noise(samples, rate=48000, channels=1):
        generator = torch.Generator().manual_seed(samples)
        wav = 0.1 * torch.randn(channels, samples, generator=generator)
        write_audio(tmp_path / "in.wav", wav, rate, "FLOAT")
        return tmp_path / "in.wav"

    return write_noise


@pytest.mark.parametrize("samples", [1100, 7960, 8000, 20001])
def test_any_length(tiny_model_folder, write, samples):
    losses = reference_losses(tiny_model_folder, write(samples), CPU)
    assert set(losses) == set(golden_losses())
    assert all(math.isfinite(value) for value in losses.values())


def test_totals_are_the_weighted_sums(tiny_model_folder, write):
    losses = reference_losses(tiny_model_folder, write(7960), CPU)
    discriminator = (
        losses["mpd_discriminator"] + 0.1 * losses["mrd_discriminator"]
    )
    assert losses["discriminator_total"] == pytest.approx(discriminator)


def test_same_losses_again(tiny_model_folder, write):
    path = write(7960)
    first = reference_losses(tiny_model_folder, path, CPU)
    assert reference_losses(tiny_model_folder, path, CPU) == first


def test_stereo_is_mixed(tiny_model_folder, write):
    losses = reference_losses(tiny_model_folder, write(7960, channels=2), CPU)
    assert losses["amplitude"] > 0


def test_model_without_discriminators(tiny_model_folder, write, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (folder / "losses.yaml").unlink()
    (folder / "discriminators.safetensors").unlink()
    with pytest.raises(CheckpointError, match="without discriminators"):
        reference_losses(folder, write(7960), CPU)


def test_file_of_another_rate(tiny_model_folder, write):
    with pytest.raises(AudioFileError, match="16000 Hz.*resample the file"):
        reference_losses(tiny_model_folder, write(7960, rate=16000), CPU)


@pytest.mark.parametrize("samples", [1, 1024])
def test_too_short_a_file(tiny_model_folder, write, samples):
    with pytest.raises(AudioFileError, match="need at least 1025"):
        reference_losses(tiny_model_folder, write(samples), CPU)
