"""The interface: lengths, shapes, checks."""

import json
import math

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError
from tests.support.signals import quiet_noise

CPU = {"device": "cpu"}


@pytest.fixture(scope="module", params=["frame", "utterance"])
def model(request, tiny_model_folder, tiny_utterance_folder):
    """The tiny model, with each statistic of the GRN."""
    folders = {"frame": tiny_model_folder, "utterance": tiny_utterance_folder}
    return APCodec.from_hparams(folders[request.param], run_opts=CPU)


def test_properties(tiny_model, tiny_model_folder):
    assert tiny_model.sample_rate == 48000
    assert tiny_model.hop_length == 320
    assert tiny_model.stft_hop_length == 40
    assert tiny_model.frame_rate == 150.0
    assert tiny_model.num_codebooks == 4
    assert tiny_model.codebook_size == 1024
    assert tiny_model.model_id == "tiny"
    config = json.loads((tiny_model_folder / "config.json").read_text())
    digest = config["sha256"]["codec.safetensors"]
    assert tiny_model.weights_sha256 == digest
    assert tiny_model.bitrate() == 6000.0
    assert tiny_model.bitrate(1) == 1500.0
    assert tiny_model.audio_normalizer.sample_rate == 48000


def test_model_that_was_never_exported_has_no_id(tiny_model):
    model = APCodec({"codec": tiny_model.mods["codec"]}, run_opts=CPU)
    with pytest.raises(CheckpointError, match="has no id"):
        model.model_id  # noqa: B018
    with pytest.raises(CheckpointError, match="has no id"):
        model.weights_sha256  # noqa: B018


def test_tokens_say_something(tiny_model):
    """The tests below would pass on constant tokens."""
    tokens, _ = tiny_model.encode(quiet_noise(1, 64000))
    for k in range(4):
        assert len(tokens[..., k].unique()) > 20


@settings(deadline=None, max_examples=40, derandomize=True)
@given(samples=st.integers(1, 5000))
def test_any_length(tiny_utterance_folder, samples):
    model = _cached(tiny_utterance_folder)
    wavs = quiet_noise(1, samples, seed=samples)
    tokens, token_lens = model.encode(wavs)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (1, math.ceil(samples / 320), 4)
    assert token_lens.tolist() == [1.0]
    exact, wav_lens = model.decode(tokens, num_samples=samples)
    assert exact.shape == (1, samples)
    assert wav_lens.tolist() == [1.0]
    whole, _ = model.decode(tokens)
    assert whole.shape == (1, tokens.shape[1] * 320)
    assert torch.equal(whole[:, :samples], exact)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    lengths=st.lists(st.integers(0, 4000), min_size=2, max_size=4),
    frame=st.booleans(),
)
def test_batch_equals_single(
    tiny_model_folder, tiny_utterance_folder, lengths, frame
):
    # In float64 no rounding error can flip a token between two codewords.
    folder = tiny_model_folder if frame else tiny_utterance_folder
    model = _cached(folder, torch.float64)
    longest = max(*lengths, 1)
    # Whatever lies in the padding must not matter.
    batch = quiet_noise(len(lengths), longest, seed=sum(lengths)).double()
    wav_lens = torch.tensor([length / longest for length in lengths])
    tokens, token_lens = model.encode(batch, wav_lens)
    decoded, decoded_lens = model.decode(tokens, token_lens, longest)
    for i, length in enumerate(lengths):
        frames = math.ceil(length / 320)
        assert round(token_lens[i].item() * tokens.shape[1]) == frames
        covered = round(decoded_lens[i].item() * longest)
        assert covered == min(frames * 320, longest)
        assert not tokens[i, frames:].any()
        assert not decoded[i, covered:].any()
        single, _ = model.encode(batch[i : i + 1, :length])
        assert torch.equal(tokens[i : i + 1, :frames], single)
        alone, _ = model.decode(single, num_samples=covered)
        torch.testing.assert_close(
            decoded[i, :covered],
            alone[0],
            rtol=0,
            atol=1e-9,
            check_dtype=False,
        )


_MODELS = {}


def _cached(folder, dtype=torch.float32):
    """Load a model once for all cases that hypothesis draws."""
    key = folder, dtype
    if key not in _MODELS:
        _MODELS[key] = APCodec.from_hparams(folder, run_opts=CPU).to(dtype)
    return _MODELS[key]


def test_relative_lengths_are_rounded(tiny_model):
    """Lengths that float32 cannot hold exactly still count right."""
    wavs = quiet_noise(3, 963)
    wav_lens = torch.tensor([321 / 963, 1.0, 640 / 963])
    _, token_lens = tiny_model.encode(wavs, wav_lens)
    assert (token_lens * 4).tolist() == [2.0, 4.0, 2.0]


@pytest.mark.parametrize("books", [1, 2, 3, 4])
def test_fewer_codebooks_are_a_prefix(model, books):
    wavs = quiet_noise(2, 3000)
    every, _ = model.encode(wavs)
    some, _ = model.encode(wavs, num_codebooks=books)
    assert torch.equal(some, every[..., :books])
    decoded, _ = model.decode(some)
    assert decoded.shape == (2, 3200)
    assert torch.isfinite(decoded).all()


def test_every_codebook_matters(model):
    tokens, _ = model.encode(quiet_noise(1, 3000))
    outputs = [model.decode(tokens[..., :k])[0] for k in (1, 2, 3, 4)]
    for fewer, more in zip(outputs, outputs[1:], strict=False):
        assert not torch.allclose(fewer, more)


def test_forward_is_the_round_trip(model):
    wavs = quiet_noise(2, 1500)
    wav_lens = torch.tensor([0.4, 1.0])
    decoded, lengths = model(wavs, wav_lens)
    assert decoded.shape == wavs.shape
    assert torch.equal(lengths, wav_lens)
    assert not decoded[0, 600:].any()
    tokens, token_lens = model.encode(wavs, wav_lens)
    parts, _ = model.decode(tokens, token_lens, 1500)
    assert torch.equal(decoded[0, :600], parts[0, :600])
    assert torch.equal(decoded[1], parts[1])
    _, lengths = model(wavs)
    assert lengths.tolist() == [1.0, 1.0]


def test_nothing_to_code(model):
    tokens, token_lens = model.encode(torch.zeros(2, 0))
    assert tokens.shape == (2, 0, 4)
    assert token_lens.shape == (2,)
    wavs, wav_lens = model.decode(tokens)
    assert wavs.shape == (2, 0)
    assert wav_lens.shape == (2,)
    decoded, _ = model(torch.zeros(2, 0), num_codebooks=1)
    assert decoded.shape == (2, 0)


def test_silence_and_extremes_are_finite(model):
    wavs = torch.zeros(3, 2000)
    wavs[1] = 1e4
    wavs[2, ::2] = 1e-30
    decoded, _ = model(wavs)
    assert torch.isfinite(decoded).all()


def test_no_gradient_but_ordinary_tensors(tiny_model):
    wavs = quiet_noise(1, 1000).requires_grad_()
    tokens, _ = tiny_model.encode(wavs)
    decoded, _ = tiny_model.decode(tokens)
    assert not decoded.requires_grad
    # Tensors of inference mode could not enter a graph.
    scale = torch.ones(1, requires_grad=True)
    (decoded * scale).sum().backward()
    assert torch.isfinite(scale.grad).all()
    assert not any(p.requires_grad for p in tiny_model.parameters())
    assert not any(module.training for module in tiny_model.mods.modules())


def test_arguments_are_not_changed(tiny_model):
    wavs = quiet_noise(2, 700)
    wav_lens = torch.tensor([0.5, 1.0])
    before = wavs.clone(), wav_lens.clone()
    tokens, token_lens = tiny_model.encode(wavs, wav_lens)
    assert torch.equal(wavs, before[0]) and torch.equal(wav_lens, before[1])
    tokens[0, 2:] = 77777  # padding of another kind
    kept = tokens.clone()
    tiny_model.decode(tokens, token_lens)
    assert torch.equal(tokens, kept)


def test_padding_tokens_may_be_anything(tiny_model):
    tokens, token_lens = tiny_model.encode(
        quiet_noise(2, 1280), torch.tensor([0.5, 1.0])
    )
    expected, _ = tiny_model.decode(tokens, token_lens)
    for padding in (-1, 1024):
        padded = tokens.clone()
        padded[0, 2:] = padding
        assert torch.equal(tiny_model.decode(padded, token_lens)[0], expected)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
def test_integer_types_of_tokens(tiny_model, dtype):
    tokens, _ = tiny_model.encode(quiet_noise(1, 900))
    tokens = tokens % 256
    expected, _ = tiny_model.decode(tokens)
    assert torch.equal(tiny_model.decode(tokens.to(dtype))[0], expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_float_types_of_waveforms(tiny_model, dtype):
    wavs = quiet_noise(1, 900).to(dtype)
    ours, _ = tiny_model.encode(wavs)
    assert torch.equal(ours, tiny_model.encode(wavs.float())[0])


def test_mixed_precision(tiny_model_folder):
    """Spectra, phases and codebooks stay in float32."""
    model = APCodec.from_hparams(
        tiny_model_folder, run_opts={"device": "cpu", "precision": "bf16"}
    )
    wavs = quiet_noise(1, 3200)
    tokens, _ = model.encode(wavs)
    decoded, _ = model.decode(tokens)
    assert decoded.dtype == torch.float32
    assert torch.isfinite(decoded).all()
    reference = _cached(tiny_model_folder).decode(tokens)[0]
    error = (decoded - reference).square().mean()
    assert error < 1e-3 * reference.square().mean()  # -30 dB


@pytest.mark.parametrize(
    "wavs, message",
    [
        (torch.zeros(100), r"\[batch, samples\], not float32 \[100\]"),
        (torch.zeros(1, 1, 100), "not float32"),
        (torch.zeros(1, 100).long(), "not int64"),
        (torch.zeros(0, 100), r"not float32 \[0, 100\]"),
        (numpy.zeros((1, 100)), "not ndarray"),
        (torch.full((1, 100), torch.nan), "NaN"),
        (torch.full((1, 100), torch.inf), "infinite"),
    ],
)
def test_wrong_waveforms(tiny_model, wavs, message):
    with pytest.raises(APCodecError, match=message):
        tiny_model.encode(wavs)


@pytest.mark.parametrize(
    "wav_lens", [[1.0], [0.5, 1.1], [-0.1, 1.0], [math.nan, 1.0], 1.0]
)
def test_wrong_lengths(tiny_model, wav_lens):
    with pytest.raises(APCodecError, match="2 relative lengths from 0 to 1"):
        tiny_model.encode(torch.zeros(2, 100), torch.tensor(wav_lens))


@pytest.mark.parametrize("books", [0, 5, -1, 2.0])
def test_wrong_number_of_codebooks(tiny_model, books):
    for call in (
        lambda: tiny_model.encode(torch.zeros(1, 100), num_codebooks=books),
        lambda: tiny_model.bitrate(books),
    ):
        with pytest.raises(APCodecError, match="1 to 4 codebooks"):
            call()


@pytest.mark.parametrize(
    "tokens, message",
    [
        (torch.zeros(3, 4).long(), r"codebooks\], not int64 \[3, 4\]"),
        (torch.zeros(1, 3, 4), "not float32"),
        (torch.zeros(1, 3, 4).bool(), "not bool"),
        (torch.zeros(0, 3, 4).long(), r"not int64 \[0, 3, 4\]"),
        ([[[0, 0]]], "not list"),
        (torch.zeros(1, 3, 5).long(), "1 to 4 codebooks, not 5"),
        (torch.zeros(1, 3, 0).long(), "1 to 4 codebooks, not 0"),
        (torch.full((1, 3, 4), 1024), "0 to 1023, but go from 1024 to 1024"),
        (torch.full((1, 3, 4), -1), "0 to 1023"),
    ],
)
def test_wrong_tokens(tiny_model, tokens, message):
    with pytest.raises(APCodecError, match=message):
        tiny_model.decode(tokens)


@pytest.mark.parametrize("num_samples", [961, -1, 10**9])
def test_wrong_number_of_samples(tiny_model, num_samples):
    with pytest.raises(APCodecError, match="hold up to 960 samples"):
        tiny_model.decode(torch.zeros(1, 3, 4).long(), None, num_samples)


def test_compile_reaches_the_branches_but_no_stream(
    tiny_model_folder, monkeypatch
):
    wrapped, calls = [], []

    def compile_nothing(function, **options):
        wrapped.append(options)
        return lambda *args: calls.append(1) or function(*args)

    monkeypatch.setattr(torch, "compile", compile_nothing)
    model = APCodec.from_hparams(
        tiny_model_folder, run_opts={"device": "cpu", "compile": True}
    )
    assert wrapped == [{"options": {"freezing": True}}] * 4
    plain, wavs = _cached(tiny_model_folder), quiet_noise(2, 3200)
    lens = torch.tensor([1.0, 0.4])
    tokens, token_lens = model.encode(wavs, lens)
    assert torch.equal(tokens, plain.encode(wavs, lens)[0])
    assert len(calls) == 2
    decoded, _ = model.decode(tokens, token_lens)
    assert torch.equal(decoded, plain.decode(tokens, token_lens)[0])
    assert len(calls) == 4
    context = model.make_streaming_context(2)
    tokens = context.encode(wavs)
    assert tokens.shape[1] > 0
    context.decode(tokens)
    assert len(calls) == 4
