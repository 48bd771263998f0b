"""The network as JSON: it says what the YAML says, and runs nothing."""

import json
import shutil

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.models import pretrained
from speechbrain_apcodec.models.architecture import (
    build_codec,
    describe_architecture,
)
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.tiny_model import HPARAMS, tiny_hparams

CPU = {"device": "cpu"}


def has_codec(path):
    return "\ncodec: !new:" in merge_hparams(path)


CONFIGURATIONS = sorted(filter(has_codec, HPARAMS.glob("*.yaml")))


def layers(codec):
    """Describe every layer and all of its plain settings."""
    return {
        name: (
            # Weight norm gives each layer a class of its own.
            [parent.__name__ for parent in type(module).__mro__],
            {
                key: value
                for key, value in vars(module).items()
                if isinstance(value, bool | int | float | str | tuple)
            },
        )
        for name, module in codec.named_modules()
    }


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_every_configuration_is_the_same_by_json(path):
    text = inference_hparams(merge_hparams(path), ["codec"])
    architecture = json.loads(json.dumps(describe_architecture(text)))
    with torch.device("meta"):  # no time for millions of random numbers
        ours = build_codec(architecture)
        theirs = load_hyperpyyaml(text)["codec"]
    assert layers(ours) == layers(theirs)
    shapes, expected = (
        {key: value.shape for key, value in codec.state_dict().items()}
        for codec in (ours, theirs)
    )
    assert shapes == expected


@pytest.mark.parametrize(
    "source", [DEFAULT_MODEL, STREAMING_MODEL], ids=["default", "streaming"]
)
def test_embedded_models_are_the_same_by_json(source):
    yaml_way = APCodec.from_hparams(source, run_opts=CPU)
    json_way = APCodec.from_config(source, run_opts=CPU)
    assert json_way.model_id == yaml_way.model_id
    assert json_way.weights_sha256 == yaml_way.weights_sha256
    generator = torch.Generator().manual_seed(0)
    wavs = 0.1 * torch.randn(2, 5000, generator=generator)
    tokens, lens = yaml_way.encode(wavs, torch.tensor([1.0, 0.5]))
    assert torch.equal(
        json_way.encode(wavs, torch.tensor([1.0, 0.5]))[0], tokens
    )
    decoded = [way.decode(tokens, lens)[0] for way in (yaml_way, json_way)]
    assert torch.equal(*decoded)
    assert json_way.latency_samples == yaml_way.latency_samples


def test_no_yaml_is_read(tiny_model_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (folder / "hyperparams.yaml").write_text("codec: !apply:os.abort []\n")
    fetched = []
    fetch = pretrained.fetch_file
    monkeypatch.setattr(
        pretrained,
        "fetch_file",
        lambda *a, **k: fetched.append(a[0]) or fetch(*a, **k),
    )
    model = APCodec.from_config(folder, run_opts=CPU)
    assert fetched == ["config.json"]
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    expected = APCodec.from_hparams(tiny_model_folder, run_opts=CPU)
    assert torch.equal(model.encode(wavs)[0], expected.encode(wavs)[0])
    (folder / "hyperparams.yaml").unlink()
    assert APCodec.from_config(folder, run_opts=CPU).model_id == "tiny"


def changed(architecture, path, value):
    """Return a copy in which one entry has another value."""
    copy = json.loads(json.dumps(architecture))
    node = copy
    *parents, last = path.split(".")
    for key in parents:
        node = node[key]
    node[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("class", "os.system", "no part 'os.system'"),
        ("class", "speechbrain_apcodec.lobes.codec.Codec", "no part"),
        ("class", ["Codec"], "unhashable"),
        ("encoder.class", "Decoder", "cannot be built"),
        ("encoder.convolution", "eval", "no convolution 'eval'"),
        ("encoder.convolution", "Upsample", "no convolution 'Upsample'"),
        ("encoder.convolution", {"class": "Codec"}, "unhashable"),
        ("encoder.amplitude.downsample", "FeedForward", "no downsample"),
        ("encoder.amplitude.channels", -1, "cannot be built"),
        ("encoder.amplitude.channels", "x", "cannot be built"),
        ("encoder.amplitude.channels", None, "cannot be built"),
        ("encoder.amplitude.channels", 2**60, "cannot be built"),
        ("encoder.amplitude.surprise", 1, "surprise"),
        ("encoder.amplitude", 5, "cannot be built"),
        ("encoder.ratio", {"bins": 3}, "is no part"),
        ("quantizer.num_codebooks", 0, "must all be at least 1"),
        ("analysis.n_fft", 512, "different n_fft"),
    ],
)
def test_what_describes_no_codec_is_one_line(path, value, message):
    text = inference_hparams(tiny_hparams(), ["codec"])
    architecture = changed(describe_architecture(text), path, value)
    with pytest.raises(CheckpointError, match=message) as error:
        build_codec(architecture)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("architecture", [None, [], "Codec", {}, 5])
def test_what_is_no_description_at_all(architecture):
    with pytest.raises(CheckpointError, match="is no part"):
        build_codec(architecture)


def test_a_part_is_no_codec():
    with pytest.raises(CheckpointError, match="STFTAnalysis, no Codec"):
        build_codec({"class": "STFTAnalysis"})


@pytest.mark.parametrize(
    "foreign",
    [
        "!new:os.getcwd",
        "!new:elsewhere.Codec",
        "!new:speechbrain_apcodec.lobes.discriminators.Discriminators",
        "!apply:os.getcwd",
    ],
)
def test_parts_of_others_have_no_description(foreign):
    assert describe_architecture(f"codec: {foreign}\n") is None


def test_other_sizes_than_those_of_the_weights(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    entry = "encoder.amplitude.hidden_channels"
    config["architecture"] = changed(config["architecture"], entry, 24)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="misshapen"):
        APCodec.from_config(folder, run_opts=CPU)


def test_older_folders_load_by_their_yaml_alone(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    del config["architecture"]
    (folder / "config.json").write_text(json.dumps(config))
    assert APCodec.from_hparams(folder, run_opts=CPU).model_id == "tiny"
    with pytest.raises(CheckpointError, match="apcodec export FOLDER"):
        APCodec.from_config(folder, run_opts=CPU)
    config["architecture"] = "Codec"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="damaged"):
        APCodec.from_config(folder, run_opts=CPU)


def test_one_changed_byte(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    weights = folder / "codec.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="changed or damaged"):
        APCodec.from_config(folder, run_opts=CPU)
    weights.write_bytes(content[:1000])
    with pytest.raises(CheckpointError, match="not a whole safetensors"):
        APCodec.from_config(folder, run_opts=CPU)
    weights.unlink()
    with pytest.raises(CheckpointError, match="holds no codec.safetensors"):
        APCodec.from_config(folder, run_opts=CPU)
