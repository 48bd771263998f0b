"""A model is what PyTorch takes it for: moved, copied, trained through."""

import copy
import io
import pickle

import numpy
import pytest
import torch

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.inference.adapters.encodec import EncodecInterface
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError

CPU = {"device": "cpu"}


@pytest.fixture
def model(tiny_model):
    """A copy of the tiny model, to be moved."""
    return copy.deepcopy(tiny_model)


@pytest.fixture
def wavs():
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, 4801, generator=generator)


def through_file(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        through_file,
    ],
    ids=["deepcopy", "pickle", "torch.save"],
)
def test_a_copy_codes_alike(tiny_model, copied, wavs):
    other = copied(tiny_model)
    tokens, _ = tiny_model.encode(wavs)
    assert torch.equal(other.encode(wavs)[0], tokens)
    assert torch.equal(other.decode(tokens)[0], tiny_model.decode(tokens)[0])
    assert other.weights_sha256 == tiny_model.weights_sha256


def test_a_voice_can_be_pickled(tiny_voice):
    other = pickle.loads(pickle.dumps(tiny_voice))
    assert torch.equal(other.synthesize("ab"), tiny_voice.synthesize("ab"))


@pytest.mark.parametrize("who", ["model", "parent", "assignment"])
def test_the_device_is_that_of_the_weights(model, who):
    parent = torch.nn.ModuleDict({"codec": model})
    if who == "assignment":
        model.device = "meta"
    else:
        (model if who == "model" else parent).to("meta")
    assert model.device == model.device_type == "meta"
    tensors = *model.mods.parameters(), *model.mods.buffers()
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert model.make_streaming_context().decoding.queues[0].is_meta
    assert model.token_index_offsets.is_meta
    assert model.inference_ctx is not model.inference_ctx


def test_an_adapter_says_where_its_codec_is(model):
    adapter = EncodecInterface(model)
    torch.nn.Sequential(adapter).to("meta")
    assert adapter.device == model.device == "meta"


@pytest.mark.parametrize(
    "cast",
    [
        lambda module: module.half(),
        lambda module: module.bfloat16(),
        lambda module: module.to(torch.bfloat16),
        lambda module: torch.nn.Sequential(module).half(),
    ],
)
def test_half_precision_is_refused_as_a_whole(model, wavs, cast):
    before, _ = model.encode(wavs)
    with pytest.raises(ConfigurationError, match="run_opts") as raised:
        cast(model)
    assert "\n" not in str(raised.value)
    assert torch.equal(model.encode(wavs)[0], before)


def test_double_precision_computes(model, wavs):
    assert (
        model.double().decode(model.encode(wavs)[0])[0].dtype == torch.float64
    )


@pytest.mark.parametrize("inside_first", [True, False])
def test_a_stream_may_leave_inference_mode(tiny_model, wavs, inside_first):
    pieces = wavs.split(1500, dim=1)
    tokens, _ = tiny_model.encode(wavs)
    with torch.inference_mode(inside_first):
        context = tiny_model.make_streaming_context()
    coded, decoded = [], []
    for number, piece in enumerate(pieces):
        with torch.inference_mode(inside_first == (number % 2 == 0)):
            coded.append(tiny_model.encode_chunk(context, piece))
            decoded.append(tiny_model.decode_chunk(context, coded[-1]))
    coded.append(tiny_model.encode_flush(context))
    decoded.append(tiny_model.decode_chunk(context, coded[-1]))
    decoded.append(tiny_model.decode_flush(context))
    assert torch.equal(torch.cat(coded, dim=1), tokens)
    whole, _ = tiny_model.decode(tokens)
    torch.testing.assert_close(torch.cat(decoded, dim=1), whole)
    context.reset()


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("call", ["interface", "lobe"])
def test_an_enhancer_is_trained_through_the_codec(
    tiny_model_folder, wavs, freeze, call
):
    codec = APCodec.from_hparams(
        tiny_model_folder, run_opts=CPU, freeze_params=freeze
    )
    enhancer = torch.nn.Conv1d(1, 1, 9, padding=4)
    wavs[:, 2000:3500] = 0.0  # the phase of silence has no gradient
    enhanced = enhancer(wavs[:, None])[:, 0] * (wavs != 0)
    if call == "interface":
        decoded, _ = codec(enhanced)
    else:
        decoded = codec.mods["codec"](enhanced).decoded
    (decoded - wavs).square().mean().backward()
    assert enhancer.weight.grad.isfinite().all()
    assert enhancer.weight.grad.any()
    weights = list(codec.mods["codec"].encoder.parameters())
    assert any(weight.grad is not None for weight in weights) != freeze


def test_what_is_trained_through_is_what_is_coded(tiny_model, wavs):
    coded, _ = tiny_model(wavs)
    passed, _ = tiny_model(wavs.clone().requires_grad_())
    torch.testing.assert_close(passed, coded, atol=1e-4, rtol=0)
    with pytest.raises(APCodecError, match="one length"):
        tiny_model(wavs.requires_grad_(), torch.tensor([0.5]))


def test_numpy_integers_are_integers(tiny_model, wavs):
    one, two = numpy.int64(1), numpy.int32(2)
    tokens, _ = tiny_model.encode(wavs, num_codebooks=two)
    assert tokens.shape[2] == 2
    assert tiny_model.decode(tokens, num_samples=one)[0].shape == (1, 1)
    assert tiny_model.bitrate(two) == tiny_model.bitrate(2)
    assert tiny_model.make_streaming_context(two).batch_size == 2


@pytest.mark.parametrize("number", [True, 1.0, "1"])
def test_nothing_else_is_an_integer(tiny_model, wavs, number):
    tokens, _ = tiny_model.encode(wavs)
    for call in (
        lambda: tiny_model.encode(wavs, num_codebooks=number),
        lambda: tiny_model.decode(tokens, num_samples=number),
        lambda: tiny_model.bitrate(number),
        lambda: tiny_model.make_streaming_context(number),
    ):
        with pytest.raises(APCodecError, match="whole number|1 to 4 codebooks"):
            call()
