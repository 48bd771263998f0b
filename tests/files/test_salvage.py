"""Damaged files: all that is whole comes back, and no click beside it."""

import dataclasses

import numpy
import pytest
import torch

from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import pack_apc, read_apc
from speechbrain_apcodec.files.coding import decode_file, encode_file
from speechbrain_apcodec.files.salvage import Salvage, salvage_apc
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import NOTICE, BitstreamError
from tests.support.signals import quiet_noise

HEADER = ApcHeader(
    "tiny@0123456789abcdef", 48000, 44100, 200_000, 320, 4, 1024, 1, "FLOAT"
)
START = 54 + len("tiny@0123456789abcdef" + "FLOAT") + 4
SIZE = 754
FRAMES = 150


@pytest.fixture(scope="module")
def tokens():
    return numpy.random.default_rng(0).integers(0, 1024, HEADER.tokens_shape)


@pytest.fixture(scope="module")
def data(tokens):
    return pack_apc(HEADER, tokens)


def spoil(data, *blocks):
    """Change a bit of some blocks."""
    data = bytearray(data)
    for block in blocks:
        data[START + block * SIZE + 100] ^= 4
    return bytes(data)


def assert_salvaged(data, tokens, lost):
    """All blocks are there but those; theirs are tokens of whole ones."""
    salvaged = salvage_apc(data)
    at = numpy.arange(HEADER.num_frames)
    gone = numpy.isin(at // FRAMES, lost)
    assert numpy.array_equal(salvaged.tokens[:, ~gone], tokens[:, ~gone])
    inside = [(at >= a) & (at < b) for a, b in salvaged.gaps]
    assert numpy.array_equal(sum(inside, numpy.zeros(len(at), bool)), gone)
    whole = {tuple(frame) for frame in tokens[0, ~gone]}
    assert {tuple(frame) for frame in salvaged.tokens[0, gone]} <= whole


@pytest.mark.parametrize(
    "lost", [[], [0], [2], [4], [1, 2], [0, 1, 3], [0, 2, 4], [1, 2, 3, 4]]
)
def test_damage_is_local(data, tokens, lost):
    assert HEADER.num_blocks == 5
    assert_salvaged(spoil(data, *lost), tokens, lost)


@pytest.mark.parametrize("added", [-700, -3, -1, 1, 5, 2000])
@pytest.mark.parametrize("place", [START + 20, START + 2 * SIZE + 30])
def test_lost_and_added_bytes_cost_the_blocks_that_they_lay_in(
    data, tokens, added, place
):
    changed = data[:place] + data[place - min(added, 0) :]
    if added > 0:
        changed = data[:place] + bytes(added) + data[place:]
    assert_salvaged(changed, tokens, [(place - START) // SIZE])


def test_a_file_that_was_cut_off(data, tokens):
    for length in range(START + SIZE, len(data) - 4, 97):
        left = (length - START) // SIZE
        assert_salvaged(data[:length], tokens, list(range(left, 5)))


def test_exchanged_blocks_are_both_lost(data, tokens):
    b, c, d = (START + block * SIZE for block in (1, 2, 3))
    changed = data[:b] + data[c:d] + data[b:c] + data[d:]
    assert_salvaged(changed, tokens, [1, 2])


def test_what_cannot_be_salvaged(data):
    header = bytearray(data)
    header[30] ^= 1
    for changed, words in (
        (bytes(header), "checksum of its header"),
        (data[: START + 10], "too little"),
        (spoil(data, 0, 1, 2, 3, 4), "no whole block"),
        (data[:40], "truncated in its header"),
    ):
        with pytest.raises(BitstreamError, match=words) as raised:
            salvage_apc(changed)
        assert "\n" not in str(raised.value)


def test_neighbours_stand_mirrored_in_a_gap(data, tokens):
    filled = salvage_apc(spoil(data, 1)).tokens[0]
    half = FRAMES // 2
    before, after = tokens[0, :FRAMES], tokens[0, 2 * FRAMES : 3 * FRAMES]
    left, right = filled[FRAMES : FRAMES + half], filled[FRAMES + half :]
    assert numpy.array_equal(left, before[::-1][:half])
    assert numpy.array_equal(right[:half], after[half - 1 :: -1])


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("gap", [(0, 150), (150, 300), (600, 681)])
def test_sound_fades_without_a_step_and_is_silent_within(tokens, gap, size):
    short = dataclasses.replace(HEADER, sample_rate=1000, num_samples=4536)
    salvaged = Salvage(short, tokens, [gap])
    ones = torch.ones(1, short.num_samples)
    faded = torch.cat([*salvaged.fade(ones.split(size, dim=1))], dim=1)[0]
    start, end = (round(frame / 0.15) for frame in gap)
    assert faded.shape == ones[0].shape
    assert (faded[:start] == 1).all()
    assert (faded[end:] == 1).all()
    assert faded.diff().abs().max() < 0.02
    inner = faded[start + 80 * (start > 0) : min(end, 4536) - 80 * (end < 4536)]
    assert len(inner) > 400
    assert inner.abs().max() < 1e-6


def test_the_command_line_names_what_it_conceals(
    tiny_model, tiny_model_folder, tmp_path, capsys, caplog
):
    """What is far from the lost second is as if nothing were lost."""
    wav, apc, bad = (tmp_path / name for name in ("a.wav", "a.apc", "b.apc"))
    write_audio(wav, quiet_noise(1, 4 * 48000), 48000, "FLOAT")
    header = encode_file(tiny_model, wav, apc)
    decode_file(tiny_model, apc, tmp_path / "whole.wav")
    data = bytearray(apc.read_bytes())
    data[len(data) // 2] ^= 1
    bad.write_bytes(data)
    command = ["decode", str(bad), str(tmp_path / "rest.wav")]
    command += ["--model", str(tiny_model_folder)]
    assert main(command) == 2
    assert "--salvage" in capsys.readouterr().err
    assert not (tmp_path / "rest.wav").exists()
    assert main([*command, "--salvage"]) == 0
    (said,) = caplog.messages
    assert said == f"{tmp_path / 'rest.wav'}: concealed 1.00 to 2.00 s"
    assert caplog.records[0].levelno == NOTICE  # which the command line shows
    whole, _ = read_audio(tmp_path / "whole.wav")
    rest, _ = read_audio(tmp_path / "rest.wav")
    assert rest.shape == whole.shape == (1, header.num_samples)
    far = 4 * tiny_model.latency_samples
    for start, end in ((0, 48_000 - far), (96_000 + far, 192_000)):
        assert torch.allclose(
            rest[:, start:end], whole[:, start:end], rtol=0, atol=1e-5
        )
    assert rest[:, 52_000:92_000].abs().max() < 1e-6
    # No click: no step is greater than those of the sound itself.
    assert rest.diff().abs().max() <= 1.2 * whole.diff().abs().max()
    assert read_apc(apc)[0] == header
