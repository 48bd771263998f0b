"""From a training run's folder to a model's folder."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.release.export import export, find_checkpoint
from speechbrain_apcodec.utils.errors import CheckpointError
from tests.tiny_model import tiny_hparams, tiny_states, write_tiny_model

CPU = {"device": "cpu"}
BIAS = "encoder.joint_convolution.bias"
FILES = {"README.md", "codec.safetensors", "config.json", "hyperparams.yaml"}


class Recoverable(torch.nn.Module):
    """Saves given tensors as a module would."""

    def __init__(self, state):
        super().__init__()
        self.state = state

    def state_dict(self, *args, **kwargs):
        return self.state


def marked(state, value):
    """Change one tensor, by which a checkpoint is recognised."""
    return {**state, BIAS: torch.full_like(state[BIAS], value)}


@pytest.fixture(scope="module")
def states():
    return tiny_states(tiny_hparams())


@pytest.fixture
def run_folder(tmp_path, states):
    """A run of three validated checkpoints and one in mid-epoch."""
    folder = tmp_path / "results" / "mini"
    (folder / "save").mkdir(parents=True)
    (folder / "hyperparams.yaml").write_text(tiny_hparams())
    for number, mel_mae in ((1, 0.9), (2, 0.7), (3, 0.8), (4, None)):
        checkpointer = Checkpointer(
            folder / "save",
            {
                "codec": Recoverable(marked(states["codec"], number)),
                "ema": Recoverable(marked(states["codec"], 10 + number)),
                "discriminators": Recoverable(states["discriminators"]),
            },
        )
        meta = {"unixtime": float(number), "epoch": number}
        if mel_mae is not None:
            meta["mel_mae"] = mel_mae
        checkpointer.save_checkpoint(meta=meta, name=str(number))
    return folder


def bias_of(folder):
    return load_file(folder / "codec.safetensors")[BIAS][0].item()


def test_best_checkpoint_and_averaged_weights(run_folder, tmp_path):
    out = export(run_folder, tmp_path / "model")
    assert {file.name for file in out.iterdir()} == FILES
    assert bias_of(out) == 12.0
    card = (out / "README.md").read_text()
    assert "moving average" in card
    assert "| mel_mae | 0.7 |" in card


def test_exported_model_codes(run_folder, states, tmp_path):
    export(run_folder, tmp_path / "model", name="my-codec")
    # Frozen, it would have its weights folded.
    model = APCodec.from_hparams(
        tmp_path / "model", run_opts=CPU, freeze_params=False
    )
    assert model.model_id == "my-codec"
    ours = model.mods["codec"].state_dict()
    expected = marked(states["codec"], 12.0)
    assert all(torch.equal(ours[key], expected[key]) for key in expected)
    decoded, _ = model(torch.zeros(1, 1000))
    assert decoded.shape == (1, 1000)


def validated_as(run_folder, *values):
    """Write other results into the checkpoints of a run."""
    for number, value in enumerate(values, start=1):
        meta = run_folder / "save" / f"CKPT+{number}" / "CKPT.yaml"
        text = meta.read_text()
        meta.write_text(re.sub("mel_mae: .*", f"mel_mae: {value}", text))


def test_nan_is_the_worst_of_values(run_folder, tmp_path):
    validated_as(run_folder, ".nan", "0.9", ".inf")
    assert find_checkpoint(run_folder).name == "CKPT+2"
    validated_as(run_folder, ".nan", ".inf", ".nan")
    with pytest.raises(CheckpointError, match="never finite"):
        export(run_folder, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    named = run_folder / "save" / "CKPT+3"
    assert bias_of(export(named, tmp_path / "model")) == 13.0


def test_given_checkpoint(run_folder, tmp_path):
    out = export(run_folder / "save" / "CKPT+3", tmp_path / "model")
    assert bias_of(out) == 13.0
    export(run_folder / "save", tmp_path / "model", force=True)
    assert bias_of(out) == 12.0


def test_newest_if_none_was_validated(run_folder, tmp_path):
    for number in (1, 2, 3):
        path = run_folder / "save" / f"CKPT+{number}" / "CKPT.yaml"
        text = path.read_text()
        path.write_text(text.replace("mel_mae", "other"))
    assert bias_of(export(run_folder, tmp_path / "model")) == 14.0


def test_without_average(run_folder, tmp_path):
    (run_folder / "save" / "CKPT+2" / "ema.ckpt").unlink()
    out = export(run_folder, tmp_path / "model")
    assert bias_of(out) == 2.0
    assert "last values" in (out / "README.md").read_text()


def test_discriminators(run_folder, states, tmp_path):
    out = export(run_folder, tmp_path / "model", discriminators=True)
    more = {"losses.yaml", "discriminators.safetensors"}
    assert {file.name for file in out.iterdir()} == FILES | more
    stored = load_file(out / "discriminators.safetensors")
    assert set(stored) == set(states["discriminators"])
    # Encoding does not load them.
    model = APCodec.from_hparams(out, run_opts=CPU)
    assert list(model.mods) == ["codec"]


def test_half_precision(run_folder, tmp_path):
    whole = export(run_folder, tmp_path / "whole")
    half = export(run_folder, tmp_path / "half", half=True)
    sizes = [
        (folder / "codec.safetensors").stat().st_size
        for folder in (whole, half)
    ]
    assert sizes[1] < 0.6 * sizes[0]
    assert "float16" in (half / "README.md").read_text()


def test_too_large_for_half_precision(run_folder, states, tmp_path):
    path = run_folder / "save" / "CKPT+2" / "ema.ckpt"
    torch.save(marked(states["codec"], 1e6), path)
    with pytest.raises(CheckpointError, match="too large for float16"):
        export(run_folder, tmp_path / "model", half=True)
    assert not (tmp_path / "model").exists()


def test_config_and_card(run_folder, tmp_path):
    out = export(run_folder, tmp_path / "my codec")
    config = json.loads((out / "config.json").read_text())
    assert config["model_id"] == "my-codec"
    assert config["format_version"] == 2
    card = (out / "README.md").read_text()
    front = card.split("---")[1]
    assert "library_name: speechbrain" in front
    assert "6 kbps (4)" in card


def test_files_are_readable_for_everybody_who_may_read(run_folder, tmp_path):
    out = export(run_folder, tmp_path / "model")
    modes = {file.name: file.stat().st_mode for file in out.iterdir()}
    assert len(set(modes.values())) == 1


def test_earlier_export_is_replaced_as_a_whole(run_folder, tmp_path):
    out = write_tiny_model(tmp_path / "model")
    assert (out / "losses.yaml").exists()
    with pytest.raises(CheckpointError, match="--force"):
        export(run_folder, out)
    assert (out / "losses.yaml").exists()
    export(run_folder, out, force=True)
    assert {file.name for file in out.iterdir()} == FILES
    assert bias_of(out) == 12.0
    (tmp_path / "empty").mkdir()
    assert bias_of(export(run_folder, tmp_path / "empty")) == 12.0


def test_folders_of_others_are_left_alone(run_folder, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    ours = write_tiny_model(tmp_path / "ours")
    (ours / "notes.txt").write_text("mine")
    readme_only = tmp_path / "readme"
    readme_only.mkdir()
    (readme_only / "README.md").write_text("mine")
    for folder, message in (
        (thesis, "holds chapter1.tex"),
        (ours, "holds notes.txt"),
        (readme_only, "holds README.md"),
        (tmp_path / "file", "is no folder"),
        (run_folder, "which no export wrote"),
    ):
        with pytest.raises(CheckpointError, match=message):
            export(run_folder, folder, force=True)
    assert (thesis / "chapter1.tex").read_text() == "years of work"
    assert (ours / "notes.txt").exists()
    assert (run_folder / "hyperparams.yaml").exists()


def test_failure_leaves_the_earlier_export(run_folder, states, tmp_path):
    out = export(run_folder, tmp_path / "model")
    path = run_folder / "save" / "CKPT+2" / "ema.ckpt"
    state = marked(states["codec"], 0.0)
    del state[BIAS]
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=f"missing \\({BIAS}\\)"):
        export(run_folder, out, force=True)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        export(run_folder, out, force=True)
    assert bias_of(out) == 12.0
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "model",
        "results",
    ]


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "x" * 65, "é"])
def test_names_that_cannot_serve(run_folder, tmp_path, name):
    with pytest.raises(CheckpointError, match="cannot name a model"):
        export(run_folder, tmp_path / "model", name=name)


def test_nothing_to_export(run_folder, tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        export(tmp_path / "nowhere", tmp_path / "model")
    (run_folder / "hyperparams.yaml").unlink()
    with pytest.raises(CheckpointError, match=r"no hyperparams\.yaml lies"):
        export(run_folder, tmp_path / "model")


def test_checkpoint_without_discriminators(run_folder, tmp_path):
    (run_folder / "save" / "CKPT+2" / "discriminators.ckpt").unlink()
    with pytest.raises(CheckpointError, match="no file .*discriminators"):
        export(run_folder, tmp_path / "model", discriminators=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_model_is_never_its_own_output(tmp_path, force):
    model = write_tiny_model(tmp_path / "model")
    before = (model / "codec.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="the model itself"):
        export(model, model, half=True, force=force)
    assert (model / "codec.safetensors").read_bytes() == before
