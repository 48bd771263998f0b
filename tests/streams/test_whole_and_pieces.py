"""Whole = chunked = streamed = batched, for random codecs and lengths."""

import random

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.random_codec import random_codec
from tests.random_streams import (
    Contract,
    decode_streams,
    encode_streams,
    noise,
    random_length,
)

# Of each mode: 5 groups of 40 cases, each with 8 codecs of its own.
GROUPS, CASES, CODECS = 5, 40, 8

pytestmark = pytest.mark.parametrize("group", range(GROUPS))


def draw(mode, group, statistics):
    """Yield codecs with waveforms, and what they give whole."""
    for case in range(CASES):
        name = f"{mode} {group}.{case}"
        rng = random.Random(name)
        codec = random_codec(
            group * CODECS + case % CODECS, rng.choice(statistics)
        )
        books = rng.randint(1, 4)
        dtype = codec.decoder.input_convolution.weight.dtype
        wavs = [
            noise(rng, random_length(rng, codec.hop_length), dtype)
            for _ in range(rng.randint(1, 3))
        ]
        if rng.random() < 0.1:
            wavs[0] = wavs[0][:0]
        with torch.no_grad():
            tokens = [codec.encode(wav[None], None, books)[0] for wav in wavs]
            decoded = [codec.decode(item)[0] for item in tokens]
        yield name, rng, codec, wavs, [item[0] for item in tokens], decoded


def padded(rng, items):
    """Pad items with noise to a batch, perhaps more than they need."""
    lengths = torch.tensor([len(item) for item in items])
    wide = items[0].new_zeros(lengths.max() + 3, *items[0].shape[1:])
    batch = pad_sequence([*items, wide], batch_first=True)
    batch = batch[:-1, : lengths.max() + rng.choice([0, 0, 1, 3])]
    for item, length in zip(batch, lengths, strict=True):
        item[length:] = 7
    return batch, lengths


@torch.no_grad()
def test_streamed_equals_whole(group):
    contract = Contract()
    for case, rng, codec, wavs, tokens, decoded in draw(
        "streamed", group, ["frame"]
    ):
        context = codec.make_streaming_context(
            len(wavs), rng.random() < 0.5, tokens[0].shape[1]
        )
        longest = max(len(wav) for wav in wavs)
        largest = rng.choice([1 + longest // 200, 40, 321, 1000, 4000])
        outputs = encode_streams(rng, context, [[wav] for wav in wavs], largest)
        for wav, whole, (other,) in zip(wavs, tokens, outputs, strict=True):
            contract.check_tokens(codec, wav, whole, other, case)
        outputs = decode_streams(
            rng,
            context,
            [[item] for item in tokens],
            rng.choice([1, 3, 20]),
        )
        for item, whole, (other,) in zip(tokens, decoded, outputs, strict=True):
            contract.check_wav(whole, other, case, codec, item)
    contract.check_share()


@pytest.mark.parametrize("mode", ["chunked", "batched"])
@torch.no_grad()
def test_padded_batch_equals_whole(group, mode):
    contract = Contract()
    for case, rng, codec, wavs, tokens, decoded in draw(
        mode, group, ["frame", "utterance"]
    ):
        books = tokens[0].shape[1]
        size = rng.choice([1, 2, 3, 7, 20]) if mode == "chunked" else None
        batch, num_samples = padded(rng, wavs)
        coded, num_frames = codec.encode(batch, num_samples, books, size)
        assert num_frames.tolist() == [len(item) for item in tokens]
        for item, wav, whole in zip(coded, wavs, tokens, strict=True):
            contract.check_tokens(codec, wav, whole, item[: len(whole)], case)
            assert not item[len(whole) :].any()
        batch, num_frames = padded(rng, tokens)
        batch = codec.decode(batch, num_frames, chunk_frames=size)
        for item, whole in zip(batch, decoded, strict=True):
            contract.check_wav(whole, item[: len(whole)], case)
            assert not item[len(whole) :].any()
    contract.check_share()
