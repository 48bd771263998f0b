"""The contract on the trained models of the package, with real speech."""

import random

import pytest
import torch

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.streams.chunks import encode_in_chunks
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import APCodecError
from tests.installed import ROOT
from tests.random_streams import Contract, decode_streams, encode_streams

CLIPS = ROOT / "speechbrain_apcodec" / "pretrained" / "clips"
CASES = 20


@pytest.fixture(scope="module", params=[DEFAULT_MODEL, STREAMING_MODEL])
def model(request):
    """A trained model."""
    return APCodec.from_hparams(request.param, run_opts={"device": "cpu"})


@pytest.fixture(scope="module")
def speech():
    """The clips, float [samples] each."""
    return [read_audio(path)[0][0] for path in sorted(CLIPS.glob("*.flac"))]


def crop(rng, speech):
    """Draw a short piece of speech."""
    length = rng.choice([1, 161, 960, rng.randint(1, 16000)])
    wav = rng.choice(speech)
    start = rng.randrange(len(wav) - length)
    return wav[start : start + length]


@torch.no_grad()
def test_streamed(model, speech):
    codec, contract = model.mods["codec"], Contract()
    for case in range(CASES):
        rng = random.Random(f"streamed {case}")
        wav, books = crop(rng, speech), rng.randint(1, 4)
        whole = codec.encode(wav[None], None, books)[0][0]
        context = model.make_streaming_context(num_codebooks=books)
        largest = rng.choice([97, 320, 960, 4000])
        ((other,),) = encode_streams(rng, context, [[wav]], largest)
        contract.check_tokens(codec, wav, whole, other, case)
        ((other,),) = decode_streams(rng, context, [[whole]], 9)
        contract.check_wav(codec.decode(whole[None])[0], other, case)
    contract.check_share()


@pytest.mark.parametrize("chunk_frames", [None, 7])
@torch.no_grad()
def test_batched_and_chunked(model, speech, chunk_frames):
    codec, contract = model.mods["codec"], Contract()
    for case in range(CASES // 2):  # of two recordings each
        rng = random.Random(f"batched {chunk_frames} {case}")
        wavs = [crop(rng, speech) for _ in range(2)]
        lengths = torch.tensor([len(wav) for wav in wavs])
        batch = torch.nn.utils.rnn.pad_sequence(
            wavs, batch_first=True, padding_value=0.5
        )
        tokens, num_frames = codec.encode(batch, lengths, None, chunk_frames)
        decoded = codec.decode(tokens, num_frames, chunk_frames=chunk_frames)
        for wav, other, count, sound in zip(
            wavs, tokens, num_frames, decoded, strict=True
        ):
            whole = codec.encode(wav[None])[0][0]
            contract.check_tokens(codec, wav, whole, other[:count], case)
            contract.check_wav(
                codec.decode(other[None, :count])[0],
                sound[: count * codec.hop_length],
                case,
            )
    contract.check_share()


def test_relative_lengths_and_valid_counts(model, speech):
    """One stream pauses, the other does not; both are what they are alone."""
    wavs = torch.stack([wav[20000:26000] for wav in speech[:2]])
    context = model.make_streaming_context(2)
    pieces = ([], [])
    for start in range(0, 6000, 1500):
        block = wavs[:, start : start + 1500]
        for lens in ([1.0, 0.0], [0.0, 1.0]):
            tokens = model.encode_chunk(context, block, torch.tensor(lens))
            for item, count in enumerate(context.num_tokens.tolist()):
                pieces[item].append(tokens[item, :count])
    tokens = model.encode_flush(context)
    for item, count in enumerate(context.num_tokens.tolist()):
        pieces[item].append(tokens[item, :count])
    whole, _ = model.encode(wavs)
    for item in range(2):
        differing = (torch.cat(pieces[item]) != whole[item]).float().mean()
        assert differing <= 0.01  # ties
    decoded = [model.decode_chunk(context, whole)]
    decoded.append(model.decode_flush(context, 6000))
    expected, _ = model.decode(whole, num_samples=6000)
    torch.testing.assert_close(
        torch.cat(decoded, 1), expected, rtol=0, atol=1e-5
    )


def test_long_recordings_are_coded_piece_by_piece(model, monkeypatch, speech):
    calls = []
    codec = model.mods["codec"]
    monkeypatch.setattr(
        "speechbrain_apcodec.lobes.codec.encode_in_chunks",
        lambda *args: calls.append(args[-1]) or encode_in_chunks(*args),
    )
    monkeypatch.setattr(
        "speechbrain_apcodec.inference.apcodec.CHUNK_SECONDS", 0.1
    )
    wav = speech[0][None, :9600]
    tokens, _ = model.encode(wav)
    assert calls == [15]
    whole, _ = codec.encode(wav)
    assert (tokens != whole).float().mean() <= 0.01  # ties


def test_latency(model):
    looks_ahead = model.mods["codec"].encoder.joint_convolution.reach.right
    expected = 4718 if looks_ahead else 598
    assert model.latency_samples == expected
    assert expected == (
        model.encoder_latency_samples + model.decoder_latency_samples
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: x.encode(torch.zeros(5)), "wavs must be"),
        (lambda m, x: m.encode_chunk(x, torch.zeros(5)), "wavs must be"),
        (
            lambda m, x: m.encode_chunk(x, torch.zeros(1, 5), num_codebooks=9),
            "1 to 4 codebooks",
        ),
        (lambda m, x: x.decode(torch.zeros(1, 2, 4)), "tokens must"),
        (lambda m, x: m.decode_chunk(x, torch.zeros(1, 2, 4)), "tokens must"),
        (lambda m, x: x.decode(torch.full((1, 2, 4), 1024)), "0 to 1023"),
        (lambda m, x: m.make_streaming_context(1, False, 9), "1 to 4"),
        (
            lambda m, x: m.decode_chunk(x, torch.full((1, 2, 4), 1024)),
            "0 to 1023",
        ),
    ],
)
def test_bad_input_is_named(model, call, message):
    with pytest.raises(APCodecError, match=message):
        call(model, model.make_streaming_context())
