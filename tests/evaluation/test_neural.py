"""Neural peers: their absence, and tiny untrained ones of the real kind."""

import sys

import pytest
import torch

from speechbrain_apcodec.evaluation import neural
from speechbrain_apcodec.evaluation.systems import peer_system
from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)


@pytest.mark.parametrize("peer", ["encodec6", "dac6"])
def test_a_missing_package_is_named(peer, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="pip install transformers"):
        peer_system(peer, 48000)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Tiny models of the published structure, in place of the published."""
    transformers = pytest.importorskip("transformers")
    encodec = transformers.EncodecConfig(
        num_filters=4, hidden_size=8, codebook_dim=8
    )
    dac = transformers.DacConfig(
        sampling_rate=24000,
        encoder_hidden_size=4,
        decoder_hidden_size=32,
        hidden_size=64,
        n_codebooks=32,
        downsampling_ratios=[2, 4, 5, 8],
        upsampling_ratios=[8, 5, 4, 2],
    )
    for name, kind, config in (
        ("encodec", "EncodecModel", encodec),
        ("dac", "DacModel", dac),
    ):
        getattr(transformers, kind)(config).save_pretrained(tmp_path / name)
        monkeypatch.setitem(neural.CODECS, name, (kind, tmp_path / name))


@pytest.mark.parametrize(
    ("peer", "bitrate"), [("encodec6", 6), ("dac6", 6), ("dac1.5", 1.5)]
)
def test_length_is_kept_and_bitrate_measured(weights, peer, bitrate):
    system = peer_system(peer, 48000)
    decoded, kbps = system.code(0.1 * torch.randn(48000))
    assert decoded.shape == (48000,)
    assert kbps == pytest.approx(bitrate, rel=0.02)


@pytest.mark.parametrize("peer", ["encodec7", "dac1", "dac99"])
def test_other_bitrates_are_refused(weights, peer):
    with pytest.raises(ConfigurationError, match="choose from"):
        peer_system(peer, 48000)


def test_missing_weights_are_named(monkeypatch, tmp_path):
    pytest.importorskip("transformers")
    monkeypatch.setitem(
        neural.CODECS, "dac", ("DacModel", str(tmp_path / "none"))
    )
    with pytest.raises(MissingExtraError, match="not on this disk: fetch"):
        peer_system("dac6", 48000)
