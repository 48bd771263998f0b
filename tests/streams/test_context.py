"""Many streams at once, their state, their ends, and what is refused."""

import copy
import dataclasses
import random

import pytest
import torch

from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.random_codec import APCODEC_S, CAUSAL, make_codec, random_codec
from tests.random_streams import (
    Contract,
    decode_streams,
    encode_streams,
    noise,
    random_length,
)


@pytest.fixture(scope="module")
def codec():
    """A tiny APCodec-S."""
    return make_codec(**APCODEC_S)


def tensors_in(value):
    """Yield every tensor of a state."""
    if isinstance(value, torch.Tensor):
        yield value
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from tensors_in(getattr(value, item.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from tensors_in(item)


@pytest.mark.parametrize("number", range(6))
@torch.no_grad()
def test_sixteen_streams_equal_their_own_single_runs(number):
    """They start, pause, end and begin anew at different times."""
    rng = random.Random(f"sixteen {number}")
    codec, contract = random_codec(number), Contract()
    dtype = codec.decoder.input_convolution.weight.dtype
    playlists = [
        [
            noise(rng, random_length(rng, codec.hop_length), dtype)
            for _ in range(rng.randint(1, 2))
        ]
        for _ in range(16)
    ]
    context = codec.make_streaming_context(16)
    coded = encode_streams(rng, context, playlists, 1500)
    tokens = []
    for wavs, others in zip(playlists, coded, strict=True):
        tokens.append([codec.encode(wav[None])[0][0] for wav in wavs])
        for wav, whole, other in zip(wavs, tokens[-1], others, strict=True):
            contract.check_tokens(codec, wav, whole, other, number)
    decoded = decode_streams(rng, context, tokens, 5)
    for items, others in zip(tokens, decoded, strict=True):
        for item, other in zip(items, others, strict=True):
            contract.check_wav(codec.decode(item[None])[0], other, number)
    contract.check_share()


def test_state_is_the_callers(codec):
    before = set(codec.state_dict())
    context = codec.make_streaming_context(2)
    wavs = 0.1 * torch.randn(2, 3000)
    context.encode(wavs)
    assert set(codec.state_dict()) == before
    assert not any(True for _ in codec.buffers(recurse=False))
    # Decoding has not been touched.
    fresh = codec.make_streaming_context(2)
    for ours, theirs in zip(
        tensors_in(context.decoding), tensors_in(fresh.decoding), strict=True
    ):
        assert torch.equal(ours, theirs)
    assert context.to("cpu") is context


def test_a_copy_of_the_context_forks_the_streams(codec):
    wavs = 0.1 * torch.randn(1, 4000)
    context = codec.make_streaming_context()
    begin = context.encode(wavs[:, :1800])
    fork = copy.deepcopy(context)
    other = torch.cat([wavs[:, :1800], -wavs[:, 1800:]], dim=1)
    for state, wav in ((context, wavs), (fork, other)):
        tokens = [begin, state.encode(wav[:, 1800:])]
        tokens.append(state.flush_encoder())
        assert torch.equal(torch.cat(tokens, 1), codec.encode(wav)[0])


@torch.no_grad()
def test_streams_of_two_callers_take_turns():
    """Their contexts are of one codec, and share nothing."""
    codec = make_codec(**CAUSAL)
    wavs = 0.1 * torch.randn(2, 1, 3000)
    contexts = [codec.make_streaming_context() for _ in wavs]
    coded, decoded = ([], []), ([], [])
    for place in range(0, 3000, 700):
        for wav, context, tokens in zip(wavs, contexts, coded, strict=True):
            tokens.append(context.encode(wav[:, place : place + 700]))
    for wav, context, tokens in zip(wavs, contexts, coded, strict=True):
        tokens.append(context.flush_encoder())
        assert torch.equal(torch.cat(tokens, dim=1), codec.encode(wav)[0])
    for pieces in zip(*coded, strict=True):
        for context, piece, out in zip(contexts, pieces, decoded, strict=True):
            out.append(context.decode(piece))
    for context, tokens, out in zip(contexts, coded, decoded, strict=True):
        out.append(context.flush_decoder())
        whole = codec.decode(torch.cat(tokens, dim=1))
        torch.testing.assert_close(torch.cat(out, dim=1), whole)


def test_nothing_is_an_empty_tensor(codec):
    context = codec.make_streaming_context(3)
    empty = torch.zeros(3, 0)
    assert context.encode(empty).shape == (3, 0, 4)
    assert context.encode(torch.zeros(3, 1)).shape == (3, 0, 4)
    tokens = torch.zeros(3, 0, 4, dtype=torch.int64)
    assert context.decode(tokens).shape == (3, 0)
    context.reset()
    assert context.flush_encoder().shape == (3, 0, 4)
    assert context.flush_decoder().shape == (3, 0)
    assert context.num_tokens.tolist() == context.num_samples.tolist()


@torch.no_grad()
def test_the_end_is_cut_at_any_sample_of_the_last_token(codec):
    tokens = torch.randint(64, (1, 3, 4))
    whole = codec.decode(tokens)
    context = codec.make_streaming_context()
    begun = [context.decode(tokens[:, i : i + 1]) for i in range(3)]
    for num_samples in range(2 * 320 + 1, 3 * 320 + 1):
        end = copy.deepcopy(context).flush_decoder(num_samples)
        decoded = torch.cat([*begun, end], dim=1)
        assert decoded.shape[1] == num_samples
        torch.testing.assert_close(decoded, whole[:, :num_samples])


def test_low_delay_hands_out_what_is_known(codec):
    """After token n, what no later token reaches; by default, less."""
    tokens = torch.randint(64, (1, 4, 4))
    early = codec.make_streaming_context(low_delay=True)
    late = codec.make_streaming_context()
    out = {"early": 0, "late": 0}
    for n in range(4):
        for name, context in (("early", early), ("late", late)):
            token = tokens[:, n : n + 1]
            out[name] += context.decode(token).shape[1]
        known = (n + 1) * 320 - codec.timing.decoder_latency_samples
        assert out["early"] == known
        assert out["late"] == min(known, n * 320 + 1)
    with pytest.raises(ConfigurationError, match="not 1000"):
        early.flush_decoder(1000)
    assert out["early"] + early.flush_decoder().shape[1] == 4 * 320
    assert out["late"] + late.flush_decoder(1000).shape[1] == 1000


@torch.no_grad()
def test_two_minutes_take_no_more_memory_than_two_seconds(codec):
    context = codec.make_streaming_context()
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for number in range(600):
        block = torch.randn(1, 9600, generator=generator)
        tokens = context.encode(block)
        context.decode(tokens)
        if number in (10, 599):
            storages = {
                tensor.untyped_storage().data_ptr(): tensor.untyped_storage()
                for tensor in tensors_in([context.encoding, context.decoding])
            }
            sizes.append(sum(len(storage) for storage in storages.values()))
    assert sizes[0] == sizes[1] < 200_000


def test_a_norm_over_the_utterance_cannot_be_streamed():
    codec = make_codec(statistic="utterance")
    assert not codec.streamable
    with pytest.raises(ConfigurationError, match="the end included"):
        codec.make_streaming_context()


def test_branches_that_look_unequally_far_cannot_be_streamed(codec):
    lame = make_codec(kernel_size=3)
    lame.encoder.phase = make_codec(kernel_size=7).encoder.phase
    lame.encoder.set_clocks()
    assert not lame.streamable
    with pytest.raises(ConfigurationError, match="equally far"):
        lame.make_streaming_context()
    lame.encode(torch.zeros(1, 1000))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.encode(torch.zeros(3, 5)), "2 streams"),
        (
            lambda x: x.encode(torch.zeros(2, 5), torch.tensor([6, 1])),
            "do not fit",
        ),
        (lambda x: x.flush_encoder([2]), "do not exist"),
        (lambda x: x.flush_encoder([0]), "ended already"),
        (lambda x: x.encode(torch.zeros(2, 5)), r"reset\(\[0\]\)"),
        (lambda x: x.flush_decoder(1), "0 tokens"),
    ],
)
def test_what_is_refused(codec, call, message):
    context = codec.make_streaming_context(2)
    context.flush_encoder([0])
    with pytest.raises(ConfigurationError, match=message):
        call(context)
    # The other stream goes on.
    context.encode(torch.zeros(2, 9), torch.tensor([0, 9]))


def test_causal_codecs_have_the_latency_of_feed_forward_ones(codec):
    causal = make_codec(**CAUSAL)
    assert causal.timing.latency_samples == codec.timing.latency_samples == 598
