"""Files cut and joined at block borders: tokens stay as they are."""

import dataclasses

import numpy
import pytest

from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import read_apc, write_apc
from speechbrain_apcodec.files.cutting import cut_apc, join_apc
from speechbrain_apcodec.utils.errors import AudioFileError, BitstreamError
from tests.installed import ROOT

HEADER = ApcHeader(
    "tiny@0123456789abcdef", 48000, 44100, 200_000, 320, 3, 1000, 2, "PCM_24"
)


@pytest.fixture
def tokens():
    return numpy.random.default_rng(0).integers(0, 1000, HEADER.tokens_shape)


@pytest.fixture
def path(tmp_path, tokens):
    path = tmp_path / "a.apc"
    write_apc(path, HEADER, tokens)
    return path


@pytest.mark.parametrize("border", [1, 3, 4])
def test_joining_undoes_cutting(path, tokens, border):
    parts = [path.with_name(name) for name in ("b.apc", "c.apc")]
    first = cut_apc(path, parts[0], 0, border)
    cut_apc(path, parts[1], border, 5)
    assert first.seconds == border
    _, kept = read_apc(parts[0])
    assert numpy.array_equal(kept, tokens[:, : 150 * border])
    joined = path.with_name("d.apc")
    assert join_apc(parts, joined) == HEADER
    assert joined.read_bytes() == path.read_bytes()


def test_damage_elsewhere_does_not_matter(path, tokens):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1  # in the last block
    path.write_bytes(data)
    cut_apc(path, path.with_name("b.apc"), 1, 3)
    _, kept = read_apc(path.with_name("b.apc"))
    assert numpy.array_equal(kept, tokens[:, 150:450])
    with pytest.raises(BitstreamError, match="block 5 of 5"):
        cut_apc(path, path.with_name("c.apc"), 3, 5)
    assert not path.with_name("c.apc").exists()


def test_version_1_can_be_cut(tmp_path):
    old = ROOT / "tests" / "files" / "version_1.apc"
    cut_apc(old, tmp_path / "b.apc", 1, 2)
    header, kept = read_apc(tmp_path / "b.apc")
    assert header.num_samples == 44_100
    assert numpy.array_equal(kept, read_apc(old)[1][:, 150:])


def test_what_does_not_fit(path):
    whole = path.read_bytes()
    other = path.with_name("other.apc")
    header = dataclasses.replace(HEADER, model_id="other@00")
    write_apc(other, header, read_apc(path)[1])
    out = path.with_name("out.apc")
    for start, stop in ((0, 6), (-1, 2), (2, 2)):
        with pytest.raises(BitstreamError, match="has the blocks 0 to 4"):
            cut_apc(path, out, start, stop)
    with pytest.raises(BitstreamError, match="border of a block"):
        join_apc([path, path], out)
    with pytest.raises(BitstreamError, match="differs"):
        join_apc([path, other], out)
    with pytest.raises(AudioFileError, match="input itself"):
        cut_apc(path, path, 0, 1, force=True)
    assert not out.exists()
    assert path.read_bytes() == whole
