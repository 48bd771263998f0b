"""Merged tokens: shorter, and the same tokens again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speechbrain_apcodec.tokens.bpe import AcousticBPE
from speechbrain_apcodec.utils.errors import APCodecError

SIZE = 12


def utterances(count=30, codebooks=3):
    """Make tokens that come in recurring runs, as those of speech do."""
    generator = torch.Generator().manual_seed(0)
    runs = torch.randint(0, SIZE, (5, 6, codebooks), generator=generator)
    for _ in range(count):
        order = torch.randint(0, 5, (20,), generator=generator)
        yield runs[order].flatten(0, 1)


@pytest.fixture(scope="module", params=[1, 2])
def bpe(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("bpe") / "merges.model"
    codebooks = request.param
    size = 1 + codebooks * SIZE + 20
    return AcousticBPE.learn(utterances(), path, size, SIZE, codebooks), path


@given(st.data())
def test_decode_undoes_encode(bpe, data):
    bpe, _ = bpe
    frames = data.draw(st.integers(0, 50))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    # Any tokens, not only those that were learned from.
    tokens = torch.randint(0, SIZE, (frames, 3), generator=generator)
    ids = bpe.encode(tokens)
    assert ((ids > 0) & (ids < bpe.vocabulary_size)).all()
    assert torch.equal(bpe.decode(ids), tokens[:, : bpe.num_codebooks])


def test_what_recurs_becomes_short(bpe):
    bpe, path = bpe
    assert bpe.vocabulary_size == 1 + bpe.num_codebooks * SIZE + 20
    ratio = bpe.compression_ratio(utterances())
    ids = sum(len(bpe.encode(tokens)) for tokens in utterances())
    assert ratio == 30 * 120 * bpe.num_codebooks / ids
    assert ratio > 1.5
    again = AcousticBPE(path, SIZE, bpe.num_codebooks)
    tokens = next(utterances())
    assert torch.equal(again.encode(tokens), bpe.encode(tokens))


def test_learning_twice_gives_the_same_merges(bpe, tmp_path):
    bpe, path = bpe
    books, size = bpe.num_codebooks, bpe.vocabulary_size
    AcousticBPE.learn(utterances(), tmp_path / "m.model", size, SIZE, books)
    assert (tmp_path / "m.model").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("size", [SIZE, 100_000])
def test_impossible_vocabularies_are_refused(tmp_path, size):
    with pytest.raises(APCodecError):
        AcousticBPE.learn(utterances(), tmp_path / "m.model", size, SIZE)
    assert list(tmp_path.iterdir()) == []


def test_models_of_other_codebooks_are_refused(bpe, tmp_path):
    bpe, path = bpe
    for size, books in ((SIZE + 1, bpe.num_codebooks), (SIZE, 3)):
        with pytest.raises(APCodecError, match="was not learned on"):
            AcousticBPE(path, size, books)
    (tmp_path / "no.model").write_text("no model")
    for name in ("no.model", "missing.model"):
        with pytest.raises(APCodecError, match="is no SentencePiece model"):
            AcousticBPE(tmp_path / name, SIZE)


def test_wrong_tokens_and_ids_are_refused(bpe):
    bpe, _ = bpe
    with pytest.raises(APCodecError, match="take padding"):
        bpe.encode(torch.full((3, 3), SIZE))
    with pytest.raises(APCodecError, match="with at least"):
        bpe.encode(torch.zeros(3, 0).long())
    for index in (0, bpe.vocabulary_size, -1):
        with pytest.raises(APCodecError, match="ids must be from 1"):
            bpe.decode(torch.tensor([index]))
