"""Text for models of speech: its pieces, and batches of similar lengths."""

import numpy
import pytest
import torch
from sentencepiece import SentencePieceProcessor
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_apcodec.tts.dataset import (
    BucketBatchSampler,
    train_tokenizer,
)
from speechbrain_apcodec.tts.text import BOS_ID, EOS_ID, encode_text
from speechbrain_apcodec.utils.errors import ConfigurationError

SENTENCES = ["Not at this case, Tom.", "Lord, but I'm glad to see you."]


def trained(sentences, path, num_pieces=40, model_type="char"):
    train_tokenizer(sentences, path, num_pieces, model_type)
    tokenizer = SentencePieceProcessor()
    tokenizer.load(str(path))
    return tokenizer


@pytest.mark.parametrize(
    ("num_pieces", "model_type"), [(40, "char"), (26, "unigram"), (30, "bpe")]
)
def test_text_comes_back_from_its_pieces(tmp_path, num_pieces, model_type):
    # SentencePiece itself reads no path with a space.
    path = tmp_path / "a run" / "tokenizer.model"
    path.parent.mkdir()
    tokenizer = trained(SENTENCES, path, num_pieces, model_type)
    assert tokenizer.vocab_size() <= num_pieces
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    for sentence in SENTENCES:
        ids = encode_text(tokenizer, sentence)
        assert ids[0] == BOS_ID and ids[-1] == EOS_ID
        assert tokenizer.decode(ids[1:-1].tolist()) == sentence.lower()


def test_case_and_spaces_do_not_matter(tmp_path):
    tokenizer = trained(SENTENCES, tmp_path / "tokenizer.model")
    one, other = (
        encode_text(tokenizer, text)
        for text in ("See  you,\nTom.", "see you, tom.")
    )
    assert torch.equal(one, other)


def test_pieces_of_phonemes(tmp_path):
    path = tmp_path / "tokenizer.model"
    train_tokenizer(SENTENCES, path, 40, "char", phonemes="en-us")
    tokenizer = SentencePieceProcessor()
    tokenizer.load(str(path))
    ids = encode_text(tokenizer, "Eye see you, Tom.", phonemes="en-us")
    assert tokenizer.decode(ids[1:-1].tolist()) == "aɪ si ju, tɑm."


def test_new_text_makes_new_pieces_in_the_same_place(tmp_path):
    path = tmp_path / "tokenizer.model"
    assert "z" not in trained(SENTENCES, path).decode(list(range(20)))
    tokenizer = trained(["zzz yyy"], path)
    assert tokenizer.decode(encode_text(tokenizer, "zy")[1:-1].tolist()) == "zy"


def test_too_many_pieces_are_refused(tmp_path):
    path = tmp_path / "tokenizer.model"
    with pytest.raises(ConfigurationError, match="set num_pieces"):
        train_tokenizer(SENTENCES, path, 5000, "unigram")
    assert not path.exists()


def test_too_few_pieces_for_the_characters_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="raise it"):
        train_tokenizer(SENTENCES, tmp_path / "tokenizer.model", 8, "char")


def make_sampler(frames_per_batch=300, seed=1, number=60):
    lengths = numpy.random.default_rng(0).integers(20, 150, number)
    data = {
        str(i): {"num_frames": int(length)} for i, length in enumerate(lengths)
    }
    counter = EpochCounter(9)
    sampler = BucketBatchSampler(
        DynamicItemDataset(data), frames_per_batch, 4, seed, counter
    )
    return sampler, counter, lengths


def epoch(sampler, counter, number):
    counter.current = number
    return list(sampler)


def test_every_item_is_in_one_batch_that_is_not_too_large():
    sampler, counter, lengths = make_sampler()
    for number in (1, 2):
        batches = epoch(sampler, counter, number)
        assert sorted(sum(batches, [])) == list(range(60))
        sizes = [len(b) * lengths[b].max() for b in batches]
        assert max(sizes) <= 300
        assert len(batches) < 40


def test_batches_follow_from_seed_and_epoch():
    first = make_sampler()
    batches = [epoch(*first[:2], number) for number in (1, 2, 3)]
    assert batches[0] != batches[1] != batches[2]
    # A resumed run begins with a later epoch.
    resumed = make_sampler()
    assert epoch(*resumed[:2], 3) == batches[2]
    assert epoch(*make_sampler(seed=2)[:2], 3) != batches[2]


def test_a_sentence_longer_than_a_batch_is_one_of_its_own():
    sampler, counter, lengths = make_sampler(frames_per_batch=10)
    batches = epoch(sampler, counter, 1)
    assert sorted(sum(batches, [])) == list(range(60))
    assert max(len(b) * lengths[b].max() for b in batches) <= lengths.max()
