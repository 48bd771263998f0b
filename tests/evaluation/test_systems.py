"""Codecs under test: their names, what they store, what identifies them."""

import pytest
import torch

from speechbrain_apcodec.evaluation.systems import codec_system, peer_system
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.evaluation.fakes import FakeCodec


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


@pytest.mark.parametrize("name", ["opus", "opus5", "opus257", "mp3", "opus6k"])
def test_unknown_peers_are_refused(name):
    with pytest.raises(ConfigurationError, match="no peer"):
        peer_system(name, 48000)
