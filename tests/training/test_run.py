"""What a run's folder is, how a run is resumed, and how it is ended."""

import os
import re
import signal
from pathlib import Path

import pytest

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.models.network import describe_network
from speechbrain_apcodec.training.recipe import run_recipe
from speechbrain_apcodec.training.resume import open_run
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.former_names import FORMER, with_former_names
from tests.tiny_model import HPARAMS
from tests.training.tiny_brain import fit, make_brain, make_items
from tests.training.tiny_run import DATASET, RECIPE, arguments

RUN = """\
epochs: 2
rate: 0.1
width: 8
size: !ref <width> * 2
ema_decay: 0.0
loss_weights:
    mel: 45.0
checkpointer: !new:some.Checkpointer
net: !new:some.Net
    size: !ref <size>
modules:
    net: !ref <net>
"""


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run that has been trained."""
    folder = tmp_path / "run"
    open_run(folder, RUN)
    (folder / "save" / "CKPT+1").mkdir(parents=True)
    return folder


def noted(folder):
    return (folder / "hyperparams.yaml").read_text()


def test_a_run_notes_what_is_trained_and_goes_on(run_folder, caplog):
    assert noted(run_folder) == RUN
    open_run(run_folder, RUN.replace("width: 8", "width: 8  # units"))
    assert caplog.text == ""


def test_a_run_of_an_earlier_version_goes_on(run_folder, caplog):
    present = RUN.replace("some.Net", min(FORMER.values()))
    open_run(run_folder.parent / "other", present)
    (run_folder / "hyperparams.yaml").write_text(with_former_names(present))
    open_run(run_folder, present)
    assert caplog.text == ""
    assert noted(run_folder) == present


def test_a_run_from_before_the_network_was_one_mapping_goes_on(
    tmp_path, caplog
):
    """Its YAML lists the parts of the codec."""
    former = Path(DEFAULT_MODEL, "hyperparams.yaml").read_text()
    network = describe_network(former)
    present, other = (
        merge_hparams(HPARAMS / "base.yaml", {**network, "num_blocks": blocks})
        for blocks in (network["num_blocks"], 5)
    )
    checkpointer = re.search(r"\ncheckpointer:.*(\n .*)+\n", present)[0]
    (tmp_path / "hyperparams.yaml").write_text(former + checkpointer)
    (tmp_path / "save" / "CKPT+1").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"num_blocks: 4 -> 5\)"):
        open_run(tmp_path, other)
    open_run(tmp_path, present)
    open_run(tmp_path, present)
    assert caplog.text == ""
    assert noted(tmp_path) == present


def test_what_may_change_is_said_and_noted(run_folder, caplog):
    changed = RUN.replace("0.1", "1e-3").replace("45.0", "40.0")
    open_run(run_folder, changed)
    assert "rate: 0.1 -> 0.001, loss_weights.mel: 45.0 -> 40.0" in caplog.text
    assert noted(run_folder) == changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width: 8", "width: 9"),
        ("<width> * 2", "<width> * 3"),
        ("some.Net", "other.Net"),
        ("ema_decay: 0.0", "ema_decay: 0.9"),
    ],
)
def test_what_the_checkpoints_depend_on_may_not(run_folder, old, new):
    with pytest.raises(ConfigurationError, match="name another output_folder"):
        open_run(run_folder, RUN.replace(old, new))
    assert noted(run_folder) == RUN


def test_a_run_without_a_checkpoint_may_change(run_folder):
    (run_folder / "save" / "CKPT+1").rmdir()
    open_run(run_folder, RUN.replace("width: 8", "width: 9"))


def test_keys_of_another_version_are_no_change(run_folder, caplog):
    open_run(run_folder, RUN.replace("    size:", "    new: 1\n    size:"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "name", ["hyperparams.yaml", "original.wav", "save", "log.txt"]
)
def test_folders_of_others_are_left_alone(tmp_path, name):
    (tmp_path / name).write_text("years: of work")
    with pytest.raises(ConfigurationError, match=f"{name} is there already"):
        open_run(tmp_path, RUN)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"number_of_epochs": "abc"}, "number_of_epochs is 'abc'"),
        ({"number_of_epochs": -1}, "number_of_epochs is -1"),
        ({"num_workers": 1.5}, "num_workers is 1.5"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
    ],
)
def test_numbers_that_cannot_be_leave_nothing(tmp_path, override, words):
    run_arguments = arguments(tmp_path / "m.csv", tmp_path / "run", **override)
    with pytest.raises(ConfigurationError, match=words):
        run_recipe(None, DATASET, run_arguments)
    assert not list(tmp_path.iterdir())


FORMER_PATH = str(DATASET.with_name("mini.yaml"))


@pytest.mark.parametrize(
    "given", ["mini", "mini.yaml", "hparams/mini.yaml", FORMER_PATH]
)
def test_a_configuration_is_found_by_its_name(given, monkeypatch):
    monkeypatch.chdir(RECIPE)
    needs = f"^{HPARAMS / 'mini.yaml'}: 'data_folder' is a !PLACEHOLDER"
    with pytest.raises(ConfigurationError, match=needs):
        run_recipe(None, DATASET, [given])


@pytest.mark.parametrize("given", ["maxi", "elsewhere/mini.yaml"])
def test_another_configuration_is_refused(given, monkeypatch):
    monkeypatch.chdir(RECIPE)
    with pytest.raises(ConfigurationError, match=f"no .* {given}:.* mini,"):
        run_recipe(None, DATASET, [given])


def test_a_device_that_is_not_there_leaves_nothing(tmp_path):
    run_arguments = arguments(tmp_path / "m.csv", tmp_path / "run")
    with pytest.raises(ConfigurationError, match="no device 'cuda:99'"):
        run_recipe(None, DATASET, [*run_arguments, "--device=cuda:99"])
    assert not list(tmp_path.iterdir())


def test_ctrl_c_saves_and_the_run_goes_on(tmp_path, caplog):
    brain = make_brain(tmp_path)
    fit_batch = brain.fit_batch

    def interrupted(batch):
        if brain.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return fit_batch(batch)

    brain.fit_batch = interrupted
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(brain, make_items(6), valid=False)
    assert signal.getsignal(signal.SIGINT) is before
    assert "Saving after this step" in caplog.text
    resumed = make_brain(tmp_path)
    resumed.on_fit_start()
    assert resumed.optimizer_step == brain.optimizer_step == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_run_that_never_validated_finitely_is_an_error(tmp_path, value):
    brain = make_brain(tmp_path)
    brain.check_best()  # nothing was validated
    brain.checkpointer.save_checkpoint(meta={brain.BEST_TERM: value})
    with pytest.raises(APCodecError, match="never finite"):
        brain.check_best()
    brain.checkpointer.save_checkpoint(meta={brain.BEST_TERM: 1.0})
    brain.check_best()
