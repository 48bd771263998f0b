"""Levels that tell of a mistake, and channels that cancel each other out."""

import logging

import pytest
import torch

from speechbrain_apcodec.utils import levels
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import AudioFileError
from speechbrain_apcodec.utils.levels import (
    check_level,
    mix_to_mono,
    warn_of_level,
)
from tests.support.signals import quiet_noise


@pytest.fixture(autouse=True)
def _forget_what_was_said():
    levels.notice_once.cache_clear()


def test_channels_are_averaged():
    wav = quiet_noise(2, 4800)
    assert torch.equal(mix_to_mono(wav), wav.mean(dim=0))
    one_of_many = torch.zeros(16, 4800)
    one_of_many[3] = wav[0]
    torch.testing.assert_close(mix_to_mono(one_of_many), wav[0] / 16)


@pytest.mark.parametrize("weaker", [1.0, 0.8])
def test_antiphase_channels_are_not_lost(weaker, caplog):
    left = quiet_noise(1, 4800)[0]
    mono = mix_to_mono(torch.stack([-weaker * left, left]), "a.wav")
    assert torch.equal(mono.abs(), left.abs())
    assert "a.wav: its channels cancel" in caplog.text


def test_silence_is_no_cancellation(caplog):
    assert not mix_to_mono(torch.zeros(2, 100)).any()
    assert caplog.text == ""


def test_loud_samples_are_said_once(tiny_model, caplog):
    for _ in range(2):
        tiny_model.encode(100 * quiet_noise(1, 4800))
    assert [record.levelno for record in caplog.records] == [levels.NOTICE]
    assert levels.NOTICE > logging.WARNING
    assert "times full scale" in caplog.text
    tiny_model.encode(16384 * quiet_noise(1, 4800))
    assert "8192 times full scale" in caplog.text


def test_integers_in_floats_are_refused(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, 32768 * quiet_noise(1, 4800), 48000, "FLOAT")
    with pytest.raises(AudioFileError, match="divide 16-bit integers"):
        read_audio(path)


def test_a_little_over_full_scale_is_usual(caplog):
    check_level(1.5, "a.wav")
    warn_of_level(1.5)
    assert caplog.text == ""
