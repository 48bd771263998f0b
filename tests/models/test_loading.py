"""A model is loaded to the last tensor, or not at all."""

import json
import shutil

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import load_file, save_file

from speechbrain_apcodec.inference import APCodec, loading
from speechbrain_apcodec.models.config import file_sha256
from speechbrain_apcodec.models.loading import (
    SafetensorsPretrainer,
    weights_file,
)
from speechbrain_apcodec.models.pretrained import find_model
from speechbrain_apcodec.utils.errors import CheckpointError
from tests.former_names import with_former_names
from tests.tiny_model import write_tiny_model

CPU = {"device": "cpu"}
WEIGHTS = weights_file("codec")
BIAS = "encoder.joint_convolution.bias"


@pytest.fixture
def folder(tiny_model_folder, tmp_path):
    """A copy of the tiny model that a test may damage."""
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def load(folder, **kwargs):
    return APCodec.from_hparams(folder, run_opts=CPU, **kwargs)


def rewrite(folder, change):
    """Change the tensors, and let config.json agree with them."""
    state = load_file(folder / WEIGHTS)
    change(state)
    save_file(state, folder / WEIGHTS)
    config = json.loads((folder / "config.json").read_text())
    config["sha256"][WEIGHTS] = file_sha256(folder / WEIGHTS)
    (folder / "config.json").write_text(json.dumps(config))


def test_every_tensor_is_loaded(folder):
    # Frozen, it would have its weights folded.
    ours = load(folder, freeze_params=False).mods["codec"].state_dict()
    stored = load_file(folder / WEIGHTS)
    assert set(ours) == set(stored)
    assert all(torch.equal(ours[name], stored[name]) for name in ours)


def test_loading_does_not_depend_on_the_random_state(folder):
    wavs = torch.linspace(-1, 1, 2000)[None]
    torch.manual_seed(0)
    first, _ = load(folder).encode(wavs)
    torch.manual_seed(1)
    second, _ = load(folder).encode(wavs)
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda state: state.pop(BIAS),
            r"1 tensor is missing \(encoder.joint_convolution.bias\)",
        ),
        (
            lambda state: state.update(extra=torch.zeros(1)),
            r"1 tensor is unexpected \(extra\)",
        ),
        (
            lambda state: state.update({BIAS: torch.zeros(9)}),
            r"misshapen \(encoder.joint_convolution.bias: \[9\] instead of "
            r"\[8\]\)",
        ),
        (
            lambda state: state.update({BIAS: torch.zeros(8).long()}),
            "1 tensor is of another type .*int64 instead of float32",
        ),
        (
            lambda state: state.update({BIAS: torch.full((8,), torch.nan)}),
            "1 tensor is not finite",
        ),
        (
            lambda state: state.clear(),
            r"\d\d tensors are missing \([^,]+, [^,]+, [^,]+, \.\.\.\)",
        ),
    ],
    ids=["missing", "unexpected", "misshapen", "integer", "NaN", "other"],
)
def test_misfit_is_named(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_misfit_of_both_kinds_in_one_line(folder):
    def rename(state):
        state["renamed"] = state.pop(BIAS)

    rewrite(folder, rename)
    with pytest.raises(CheckpointError, match="missing.*unexpected") as error:
        load(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file(folder, share):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="not a whole safetensors"):
        load(folder)


def test_one_changed_byte(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-3] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="changed or damaged"):
        load(folder)


def test_weights_without_entry_in_the_config_are_still_strict(folder):
    config = json.loads((folder / "config.json").read_text())
    config["sha256"] = {}
    (folder / "config.json").write_text(json.dumps(config))
    assert load(folder).num_codebooks == 4
    rewrite(folder, lambda state: state.pop(BIAS))
    with pytest.raises(CheckpointError, match="missing"):
        load(folder)


def test_missing_weights(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=f"holds no {WEIGHTS}"):
        load(folder)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not the config.json"),
        ("[]", "not the config.json"),
        ('{"format_version": 1}', "not the config.json"),
    ],
)
def test_config_of_something_else(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"format_version": 3}, "format version 3"),
        ({"num_codebooks": 8}, "num_codebooks 8, but the model has 4"),
        ({"sample_rate": 16000}, "sample_rate 16000, but"),
        ({"model_id": 5}, "damaged"),
    ],
)
def test_config_that_contradicts(folder, entry, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **entry}))
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_a_yaml_of_an_earlier_version_loads(folder, tiny_model):
    yaml = folder / "hyperparams.yaml"
    former = with_former_names(yaml.read_text())
    assert former != yaml.read_text()
    yaml.write_text(former)
    model = load(folder)
    assert model.weights_sha256 == tiny_model.weights_sha256


def test_another_size_by_overrides_does_not_load(folder):
    with pytest.raises(CheckpointError, match="misshapen"):
        load(folder, overrides={"hidden_channels": 24})


def test_half_precision_on_disk(tiny_model_folder, tmp_path):
    folder = write_tiny_model(tmp_path / "half", half=True)
    stored = load_file(folder / WEIGHTS)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    half, full = (
        load(path, freeze_params=False).mods["codec"].state_dict()
        for path in (folder, tiny_model_folder)
    )
    for name, value in full.items():
        assert half[name].dtype == torch.float32
        assert torch.equal(half[name], value.half().float())


def test_yaml_without_codec(folder):
    yaml = folder / "hyperparams.yaml"
    yaml.write_text(
        yaml.read_text().replace("modules:\n    codec:", "modules:\n    it:")
    )
    with pytest.raises(CheckpointError, match="no 'codec' below 'modules'"):
        load(folder)


def test_pretrainer_in_a_recipe(tiny_model_folder):
    """A recipe's YAML loads a trained codec under a name of its own."""
    text = (tiny_model_folder / "hyperparams.yaml").read_text()
    text = text[: text.index("modules:")] + (
        "pretrainer: !new:speechbrain_apcodec.models.loading."
        "SafetensorsPretrainer\n"
        "    loadables:\n"
        "        teacher: !ref <codec>\n"
        "    paths:\n"
        f"        teacher: {tiny_model_folder}/{WEIGHTS}\n"
    )
    hparams = load_hyperpyyaml(text)
    hparams["pretrainer"].collect_files()
    hparams["pretrainer"].load_collected()
    stored = load_file(tiny_model_folder / WEIGHTS)
    assert torch.equal(hparams["codec"].state_dict()[BIAS], stored[BIAS])


def test_pretrainer_that_was_not_told_where(tiny_model_folder):
    layer = torch.nn.Linear(1, 1)
    pretrainer = SafetensorsPretrainer(loadables={"layer": layer})
    with pytest.raises(CheckpointError, match="give a default source"):
        pretrainer.collect_files()
    with pytest.raises(CheckpointError, match="was not collected"):
        pretrainer.load_collected()


@pytest.mark.parametrize("way", [APCodec.from_hparams, APCodec.from_config])
def test_a_model_that_changes_while_it_is_fetched(
    way, tiny_model_folder, monkeypatch
):
    """A hub's branch can move on between config.json and the weights."""

    def find_older(*args):
        found = find_model(*args)
        found.config["sha256"][WEIGHTS] = "0" * 64
        return found

    monkeypatch.setattr(loading, "find_model", find_older)
    with pytest.raises(CheckpointError, match="fetch the model again"):
        way(tiny_model_folder)


def test_pretrainer_condition(tiny_model_folder):
    layer = torch.nn.Linear(1, 1)
    pretrainer = SafetensorsPretrainer(
        loadables={"layer": layer}, conditions={"layer": False}
    )
    assert pretrainer.collect_files(tiny_model_folder) == {}
    pretrainer.load_collected()
    assert pretrainer.sha256 == {}
