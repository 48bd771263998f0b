"""The network as one mapping: YAML, config.json and folders say the same."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.lobes.network import build_codec
from speechbrain_apcodec.models import pretrained
from speechbrain_apcodec.models.network import (
    check_parts,
    describe_network,
    gather_network,
    with_network,
)
from speechbrain_apcodec.release.export import export
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.streams.time import Reach
from speechbrain_apcodec.utils.errors import CheckpointError, ConfigurationError
from speechbrain_apcodec.utils.hparams import (
    dump,
    load_hparams,
    merge_hparams,
    parse,
)
from tests.tiny_model import HPARAMS, tiny_hparams

CPU = {"device": "cpu"}


CONFIGURATIONS = [
    path for path in sorted(HPARAMS.glob("*.yaml")) if "tts" not in path.stem
]
#: Exported before format version 2, and kept as it was.
VERSION_1 = Path(STREAMING_MODEL)
EMBEDDED = pytest.mark.parametrize(
    "source", [DEFAULT_MODEL, STREAMING_MODEL], ids=["default", "streaming"]
)


def layers(codec):
    """Describe every layer and all of its plain settings."""
    return {
        name: (
            # Weight norm gives each layer a class of its own.
            [parent.__name__ for parent in type(module).__mro__],
            {
                key: value
                for key, value in vars(module).items()
                if isinstance(value, bool | int | float | str | tuple | Reach)
            },
        )
        for name, module in codec.named_modules()
    }


def assert_same(text, network):
    """Compare what a YAML builds with what a description says."""
    with torch.device("meta"):  # no time for millions of random numbers
        ours = build_codec(json.loads(json.dumps(network)))
        theirs = load_hyperpyyaml(dump(parse(text, "a model")))["codec"]
    assert layers(ours) == layers(theirs)
    shapes, expected = (
        {key: value.shape for key, value in codec.state_dict().items()}
        for codec in (ours, theirs)
    )
    assert shapes == expected


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_every_configuration_is_the_same_by_json(path):
    text = inference_hparams(merge_hparams(path), ["codec"])
    network = describe_network(text)
    assert_same(text, network)
    written = inference_hparams(with_network(text), ["codec"])
    assert load_hyperpyyaml(written)["network"] == network


def test_version_1_describes_its_parts():
    text = Path(VERSION_1, "hyperparams.yaml").read_text(encoding="utf-8")
    assert "\nnetwork:" not in text
    network = describe_network(text)
    assert_same(text, network)
    config = json.loads(Path(VERSION_1, "config.json").read_text())
    assert config["format_version"] == 1
    by_config = gather_network(config["architecture"])
    assert by_config == {**network, "floor": 1e-5}
    assert_same(text, by_config)
    assert describe_network(with_network(text)) == network


def test_a_folder_of_version_1_is_exported_as_version_2(tmp_path):
    new = export(VERSION_1, tmp_path / "new")
    config = json.loads((new / "config.json").read_text())
    former = json.loads(Path(VERSION_1, "config.json").read_text())
    for key in ("model_id", "sample_rate", "hop_length", "num_codebooks"):
        assert config[key] == former[key]
    assert config["format_version"] == 2
    for file in ("hyperparams.yaml", "losses.yaml"):
        text = (new / file).read_text(encoding="utf-8")
        assert load_hyperpyyaml(text)["network"] == config["network"]
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    tokens, *others = (
        way(folder, run_opts=CPU).encode(wavs)[0]
        for folder in (VERSION_1, new)
        for way in (APCodec.from_hparams, APCodec.from_config)
    )
    assert all(torch.equal(tokens, other) for other in others)


@EMBEDDED
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


def rewrite(folder, **entries):
    """Change entries of a model's config.json; None takes one out."""
    config = json.loads((folder / "config.json").read_text()) | entries
    config = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("convolution", "os.system", "no convolution 'os.system'"),
        ("convolution", "Upsample", "no convolution 'Upsample'"),
        ("convolution", {"class": "Codec"}, "not callable"),
        ("downsample", "FeedForward", "no downsample"),
        ("channels", -1, "cannot be built"),
        ("channels", "x", "cannot be built"),
        ("channels", None, "cannot be built"),
        ("channels", 2**60, "cannot be built"),
        ("channels", {"bins": 3}, "cannot be built"),
        ("amplitude_prior", "os.system", "cannot be built"),
        ("surprise", 1, "surprise"),
        ("num_codebooks", 0, "must all be at least 1"),
        ("n_fft", 256, "no longer than the FFT"),
        ("hidden_channels", 24, "misshapen"),
    ],
)
def test_what_describes_no_codec_is_one_line(
    tiny_model_folder, tmp_path, name, value, message
):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    rewrite(folder, network=describe_network(tiny_hparams()) | {name: value})
    with pytest.raises(CheckpointError, match=message) as error:
        APCodec.from_config(folder, run_opts=CPU)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "foreign",
    [
        "!new:os.getcwd",
        "!new:elsewhere.Codec",
        "!new:speechbrain_apcodec.lobes.discriminators.Discriminators",
        "!apply:os.getcwd",
        "!apply:speechbrain_apcodec.lobes.network.build_codec\n"
        "    network:\n        convolution: !name:elsewhere.Convolution",
    ],
)
def test_parts_of_others_have_no_description(foreign):
    text = f"codec: {foreign}\n"
    assert describe_network(text) is None
    assert with_network(text) == text


@pytest.mark.parametrize("value", ["!ref <gone>", "!PLACEHOLDER"])
def test_what_is_left_open_is_one_line(value):
    text = tiny_hparams().replace("ratio: 8", f"ratio: {value}")
    with pytest.raises(ConfigurationError, match="gone|PLACEHOLDER"):
        describe_network(text)


@pytest.mark.parametrize("part", ["amplitude_encoder", "quantizer"])
def test_a_part_that_the_codec_does_not_use_is_refused(part, tmp_path):
    """A YAML of before ``network`` must not be obeyed in part, silently."""
    yaml = tmp_path / "my.yaml"
    mini = HPARAMS / "mini.yaml"
    yaml.write_text(f"include:\n    - {mini}\n{part}:\n    kernel_size: 3\n")
    with pytest.raises(ConfigurationError, match=f"does not use {part}"):
        check_parts(merge_hparams(yaml))
    check_parts(merge_hparams(mini))
    check_parts((VERSION_1 / "hyperparams.yaml").read_text())


def test_layers_may_be_given_as_classes():
    convolutions = "speechbrain_apcodec.lobes.convolutions"
    text = tiny_hparams().replace(
        "convolution: NonCausalConv1d",
        f"convolution: !name:{convolutions}.CausalConv1d",
    )
    text = inference_hparams(text, ["codec"])
    network = describe_network(text)
    assert network["convolution"] == "CausalConv1d"
    assert_same(text, network)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("amplitude", "channels", 64),
        ("amplitude", "unit_circle", True),
        ("phase", "class", "os.system"),
        ("phase", "class", ["SubEncoder"]),
    ],
)
def test_unusual_parts_of_version_1_load_by_their_yaml_alone(
    tmp_path, part, name, value
):
    folder = shutil.copytree(VERSION_1, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["encoder"][part][name] = value
    (folder / "config.json").write_text(json.dumps(config))
    assert APCodec.from_hparams(folder, run_opts=CPU).num_codebooks == 4
    with pytest.raises(CheckpointError, match="load it by its YAML"):
        APCodec.from_config(folder, run_opts=CPU)


def test_sub_encoders_of_two_widths_load_by_their_yaml_alone(tmp_path):
    """No ``network`` says that, and their sizes stand one by one."""
    text = (VERSION_1 / "hyperparams.yaml").read_text()
    before, key, after = text.partition("amplitude_encoder:")
    after = after.replace("num_blocks: !ref <num_blocks>", "num_blocks: 1", 1)
    text = before + key + after
    assert describe_network(text) is None
    yaml = tmp_path / "hyperparams.yaml"
    yaml.write_text(text)
    encoder = load_hparams(yaml)["codec"].encoder
    blocks = [len(encoder.amplitude.backbone.blocks)]
    blocks.append(len(encoder.phase.backbone.blocks))
    assert blocks[0] == 1 < blocks[1]


def test_older_folders_load_by_their_yaml_alone(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    rewrite(folder, network=None, format_version=1)
    assert APCodec.from_hparams(folder, run_opts=CPU).model_id == "tiny"
    with pytest.raises(CheckpointError, match="apcodec export FOLDER"):
        APCodec.from_config(folder, run_opts=CPU)
    for key in ("network", "architecture"):
        rewrite(folder, **{key: "Codec"})
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
