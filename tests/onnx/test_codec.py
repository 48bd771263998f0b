"""ONNX graphs give the tokens and waveforms that PyTorch gives."""

import itertools
import json
import random

import numpy
import onnx
import pytest
import torch
from onnxruntime import InferenceSession

from speechbrain_apcodec.onnx import export as onnx_export
from speechbrain_apcodec.onnx import folder as onnx_folder
from speechbrain_apcodec.onnx.codec import ONNXCodec
from speechbrain_apcodec.onnx.export import export_onnx, write_graphs
from speechbrain_apcodec.onnx.modules import RealAnalysis
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    CheckpointError,
    ConfigurationError,
    MissingExtraError,
)
from tests.random_codec import APCODEC_S, CAUSAL, NON_CAUSAL, make_codec
from tests.random_streams import (
    Contract,
    decode_streams,
    encode_streams,
    noise,
    random_length,
)

KINDS = {
    "non-causal": {**NON_CAUSAL},
    "causal": {
        **CAUSAL,
        "ratio": 4,
        "downsample_kernel_size": 5,
        "dense_kernel_size": 1,
        "unit_circle": True,
    },
    "APCodec-S": {**APCODEC_S, "hop": 80},
    "utterance": {"statistic": "utterance"},
}
CASES = 20


def of_kinds(kinds):
    """Run a test for each kind; with -n, each is exported by one process."""
    return pytest.mark.parametrize(
        "kind",
        [
            pytest.param(kind, marks=pytest.mark.xdist_group(f"onnx {kind}"))
            for kind in kinds
        ],
    )


every_kind = of_kinds(KINDS)
streamable = of_kinds(["non-causal", "causal", "APCodec-S"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return, for a kind, the codec and its graphs; each is made once."""
    made = {}

    def get(kind):
        if kind not in made:
            codec = make_codec(kind, **KINDS[kind])
            folder = tmp_path_factory.mktemp("onnx")
            write_graphs(codec, folder, kind, "0" * 64)
            # A first frame is its own mirror image, and its phases are 0 or
            # pi; in float32 the sign of that pi is up to rounding errors.
            codec.analysis = RealAnalysis(*codec.stft)
            made[kind] = codec, ONNXCodec.from_folder(folder), folder
        return made[kind]

    return get


def draw(kind, codec):
    """Yield a source of randomness with waveforms of random lengths."""
    for case in range(CASES):
        rng = random.Random(f"{kind} {case}")
        yield (
            rng,
            [
                noise(rng, random_length(rng, codec.hop_length), torch.float32)
                for _ in range(rng.randint(1, 3))
            ],
        )


@every_kind
@torch.no_grad()
def test_whole(exported, kind):
    codec, model, _ = exported(kind)
    graphs, contract = model.mods["codec"], Contract()
    for rng, wavs in draw(kind, codec):
        books = rng.randint(1, 4)
        length = min(len(wav) for wav in wavs)
        batch = torch.stack([wav[:length] for wav in wavs])
        tokens, num_frames = codec.encode(batch, None, books)
        others, other_frames = graphs.encode(batch, None, books)
        assert torch.equal(num_frames, other_frames)
        for wav, whole, other in zip(batch, tokens, others, strict=True):
            contract.check_tokens(codec, wav, whole, other, kind)
        for whole, other in zip(
            codec.decode(tokens), graphs.decode(tokens), strict=True
        ):
            contract.check_wav(whole, other, kind)
    contract.check_share()


@every_kind
@torch.no_grad()
def test_padded_batch(exported, kind):
    """Each item of a batch is what it is alone."""
    _, model, _ = exported(kind)
    torch.manual_seed(0)
    wavs, hop = torch.randn(3, 1000), model.hop_length
    tokens, token_lens = model.encode(wavs, torch.tensor([1.0, 0.0, 0.5]))
    frames = [-(-length // hop) for length in (1000, 0, 500)]
    assert torch.equal(token_lens, torch.tensor(frames) / frames[0])
    alone, _ = model.encode(wavs[2:, :500])
    assert torch.equal(tokens[2, : alone.shape[1]], alone[0])
    assert not tokens[2, alone.shape[1] :].any()
    assert not tokens[1].any()
    decoded, wav_lens = model.decode(tokens, token_lens, 1000)
    assert wav_lens[1] == 0
    sound, _ = model.decode(alone)
    covered = min(sound.shape[1], 1000)
    torch.testing.assert_close(decoded[2, :covered], sound[0, :covered])
    assert not decoded[2, sound.shape[1] :].any()


@streamable
@torch.no_grad()
def test_streamed(exported, kind):
    """Streams pause, end and begin anew, and are what PyTorch makes whole."""
    codec, model, _ = exported(kind)
    graphs, contract = model.mods["codec"], Contract()
    for rng, wavs in draw(f"streamed {kind}", codec):
        books = rng.randint(1, 4)
        tokens = [codec.encode(wav[None], None, books)[0][0] for wav in wavs]
        context = graphs.make_streaming_context(
            len(wavs), rng.random() < 0.5, books
        )
        outputs = encode_streams(
            rng,
            context,
            [[wav] for wav in wavs],
            rng.choice([97, 321, 1000, 4000]),
        )
        for wav, whole, (other,) in zip(wavs, tokens, outputs, strict=True):
            contract.check_tokens(codec, wav, whole, other, kind)
        outputs = decode_streams(rng, context, [[item] for item in tokens], 9)
        for whole, (other,) in zip(tokens, outputs, strict=True):
            contract.check_wav(codec.decode(whole[None])[0], other, kind)
    contract.check_share()


@pytest.mark.xdist_group("onnx causal")
@torch.no_grad()
def test_long_recordings_are_coded_piece_by_piece(exported, monkeypatch):
    _, model, _ = exported("causal")
    torch.manual_seed(0)
    wav = 0.1 * torch.randn(1, 5000)
    tokens, _ = model.encode(wav)
    decoded, _ = model.decode(tokens)
    monkeypatch.setattr(
        "speechbrain_apcodec.inference.apcodec.CHUNK_SECONDS", 0.02
    )
    pieces, _ = model.encode(wav)
    assert (tokens != pieces).float().mean() <= 0.01  # ties
    other, _ = model.decode(tokens)
    assert (other - decoded).abs().max() <= 1e-5 * decoded.abs().max()


@pytest.mark.xdist_group("onnx utterance")
def test_utterance_statistic_cannot_be_streamed(exported):
    _, model, folder = exported("utterance")
    assert not model.streamable
    assert not (folder / onnx_folder.STREAM_ENCODER).exists()
    with pytest.raises(ConfigurationError, match="grn_statistic: frame"):
        model.make_streaming_context()


@every_kind
def test_graphs_are_as_described(exported, kind):
    """Names and shapes are those of onnx.json; all operators are real."""
    codec, model, folder = exported(kind)
    config = json.loads((folder / "onnx.json").read_text())
    files = {path.name for path in folder.glob("*.onnx")}
    assert set(config["graphs"]) == files
    for file, described in config["graphs"].items():
        graph = onnx.load(folder / file)
        onnx.checker.check_model(graph, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(graph).graph
        complex_types = {
            onnx.TensorProto.COMPLEX64,
            onnx.TensorProto.COMPLEX128,
        }
        for value in (*inferred.value_info, *inferred.input):
            assert value.type.tensor_type.elem_type not in complex_types
        assert {node.domain for node in inferred.node} == {""}
        assert "DFT" not in {node.op_type for node in inferred.node}
        session = InferenceSession(folder / file)
        outputs = [entry.name for entry in session.get_outputs()]
        assert outputs == described["outputs"]
        for entry in session.get_inputs():
            shape = described["inputs"][entry.name]["shape"]
            assert len(shape) == len(entry.shape)
            for ours, theirs in zip(shape, entry.shape, strict=True):
                assert ours == theirs or isinstance(theirs, str)
    for key in ("sample_rate", "hop_length", "num_codebooks", "codebook_size"):
        assert config[key] == getattr(codec, key)
    if codec.streamable:
        for key in ("latency_samples", "encoder_latency_samples"):
            assert config[key] == getattr(codec.timing, key)
            assert config[key] == getattr(model, key)


def run_graph(folder, file, first, position, total, past):
    """Run a graph of streams as ``onnx.folder`` describes it."""
    session = InferenceSession(folder / file)
    name, _, _, *names = [entry.name for entry in session.get_inputs()]
    past = past or {
        entry.name.removeprefix("past."): numpy.zeros(
            [1, *entry.shape[1:]], numpy.float32
        )
        for entry in session.get_inputs()[3:]
    }
    inputs = {
        name: first,
        "position": numpy.array([position]),
        "total": numpy.array([total]),
        **{name: past[name.removeprefix("past.")] for name in names},
    }
    output, *new = session.run(None, inputs)
    names = [entry.name for entry in session.get_outputs()][1:]
    return output, {
        name.removeprefix("next."): value
        for name, value in zip(names, new, strict=True)
    }


@streamable
@torch.no_grad()
def test_streams_as_described(exported, kind):
    """What ``onnx.folder`` says is enough to run the graphs by NumPy."""
    codec, model, folder = exported(kind)
    config = json.loads((folder / "onnx.json").read_text())
    hop, window = config["hop_length"], config["window_length"]
    stft_hop, half = config["stft_hop_length"], window // 2
    generator = numpy.random.default_rng(0)
    wav = generator.standard_normal(7 * hop + 11).astype(numpy.float32)
    reflected = numpy.concatenate(
        [wav[half:0:-1], wav, wav[-2 : -half - 2 : -1], 0 * wav, 0 * wav]
    )
    behind, delay = window - stft_hop, config["encoder"]["delay"]
    frames, past, tokens, position = 8, None, [], 0
    for groups in itertools.cycle([1, 3]):
        ended = position + groups >= 6
        piece = reflected[position * hop : (position + groups) * hop + behind]
        output, past = run_graph(
            folder,
            onnx_folder.STREAM_ENCODER,
            piece[None],
            position,
            1 + len(wav) // stft_hop if ended else 2**62,
            past,
        )
        tokens.append(output[0])
        position += groups
        if position >= frames + delay:
            break
    tokens = numpy.concatenate(tokens)[delay : delay + frames]
    whole = torch.from_numpy(wav)[None]
    others, _ = model.mods["codec"].encode(whole)
    contract = Contract()
    tokens = torch.from_numpy(tokens)
    contract.check_tokens(codec, whole[0], others[0], tokens, kind)

    first = config["decoder"]["delay"] * stft_hop + half - 1
    pushing = -(-first // hop)
    sound, past = [], None
    padded = torch.cat([tokens, tokens[:1].expand(pushing, -1)]).numpy()
    for position in range(len(padded)):
        output, past = run_graph(
            folder,
            onnx_folder.STREAM_DECODER,
            padded[None, position : position + 1],
            position,
            frames * config["ratio"] if position >= frames else 2**62,
            past,
        )
        sound.append(output[0])
    sound = numpy.concatenate(sound)[first : first + frames * hop]
    decoded = codec.decode(tokens[None])[0]
    contract.check_wav(decoded, torch.from_numpy(sound), kind)


# Export ----------------------------------------------------------------


@pytest.mark.xdist_group("onnx tiny")
def test_exported_model_serves_as_the_model(tiny_model, tiny_graphs):
    model = ONNXCodec.from_folder(tiny_graphs)
    assert model.model_id == tiny_model.model_id
    assert model.weights_sha256 == tiny_model.weights_sha256
    assert model.bitrate() == tiny_model.bitrate()
    with pytest.raises(APCodecError, match="do not give their codewords"):
        _ = model.vocabulary
    with pytest.raises(APCodecError, match="1 to 4 codebooks"):
        model.encode(torch.zeros(1, 100), num_codebooks=5)


@pytest.mark.xdist_group("onnx tiny")
def test_changed_graph_is_refused(tiny_graphs, tmp_path):
    for path in tiny_graphs.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / onnx_folder.DECODER).write_bytes(b"other")
    with pytest.raises(CheckpointError, match="export the graphs again"):
        ONNXCodec.from_folder(tmp_path)
    (tmp_path / "onnx.json").write_text('{"onnx_format_version": 9}')
    with pytest.raises(CheckpointError, match="format version 9"):
        ONNXCodec.from_folder(tmp_path)
    with pytest.raises(CheckpointError, match="apcodec export --onnx"):
        ONNXCodec.from_folder(tmp_path / "nowhere")


def test_folders_of_others_are_left_alone(tiny_model_folder, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for folder in (tmp_path, tiny_model_folder):
        with pytest.raises(CheckpointError, match="which no export wrote"):
            export_onnx(tiny_model_folder, folder)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.xdist_group("onnx tiny")
def test_earlier_export_is_replaced(
    tiny_model_folder, tiny_graphs, tmp_path, monkeypatch
):
    def write(codec, folder, *names):
        for path in tiny_graphs.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(onnx_export, "write_graphs", write)
    out = tmp_path / "graphs"
    for force in (False, True):
        assert export_onnx(tiny_model_folder, out, force) == out
        assert {path.name for path in out.iterdir()} == onnx_folder.ONNX_FILES
    monkeypatch.setattr(onnx_export, "write_graphs", lambda *_: None)
    with pytest.raises(CheckpointError, match="--force"):
        export_onnx(tiny_model_folder, out)
    with pytest.raises(CheckpointError):
        export_onnx(tiny_model_folder, out, force=True)
    assert {path.name for path in out.iterdir()} == onnx_folder.ONNX_FILES
    assert list(tmp_path.iterdir()) == [out]


def test_missing_extra_is_named(tiny_model_folder, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(onnx_folder.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"speechbrain_apcodec\[onnx\]"):
        export_onnx(tiny_model_folder, tmp_path / "graphs")
