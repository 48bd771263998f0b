"""Codecs under test: their names, what they store, what identifies them."""

import pytest
import torch

from speechbrain_apcodec.evaluation import systems
from speechbrain_apcodec.evaluation.systems import codec_system, peer_system
from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)
from tests.support.evaluation import FakeCodec


def test_kbps_is_that_of_the_tokens_stored():
    system = codec_system(FakeCodec())
    assert system.name == "APCodec 6 kbps"
    decoded, kbps = system.code(torch.ones(48000))
    assert torch.equal(decoded, 0.5 * torch.ones(48000))
    assert kbps == pytest.approx(6)
    # One sample more than two frames is stored as three.
    _, kbps = system.code(torch.ones(641))
    assert kbps == pytest.approx(3 * 40 / (641 / 48000) / 1000)


def test_fewer_codebooks_are_another_system():
    model = FakeCodec()
    halved = codec_system(model, 2)
    assert halved.name == "APCodec 3 kbps"
    assert halved.code(torch.ones(48000))[1] == pytest.approx(3)
    identities = {
        halved.identity,
        codec_system(model).identity,
        codec_system(FakeCodec(weights_sha256="bb")).identity,
    }
    assert len(identities) == 3


@pytest.mark.parametrize(
    "name", ["opus", "opus5", "opus257", "opus6.5", "mp3", "opus6k", "codec2-1"]
)
def test_unknown_peers_are_refused(name):
    with pytest.raises(ConfigurationError, match="no peer"):
        peer_system(name, 48000)


@pytest.mark.parametrize(
    ("name", "package"), [("opus6", "opus-tools"), ("codec2-2400", "codec2")]
)
def test_a_peer_without_its_programs_is_refused_at_once(
    name, package, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=f"install {package}"):
        peer_system(name, 48000)


@pytest.mark.parametrize(
    ("name", "title"),
    [("opus12", "Opus 12 kbps"), ("codec2-2400", "Codec2 2.4 kbps")],
)
def test_peers_are_named_by_their_bitrate(name, title, monkeypatch):
    monkeypatch.setattr(systems, "require_programs", lambda *_, **__: None)
    assert peer_system(name, 48000).name == title
