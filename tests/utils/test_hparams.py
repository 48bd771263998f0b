"""Merging of YAML files."""

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import (
    load_hparams,
    merge_hparams,
    place_overrides,
)

BASE = """\
# The base
seed: 1234
data_folder: !PLACEHOLDER  # path of the corpus
hop: 40
ratio: 8
num_codebooks: 4  # 6 kbps

# Modules
linear: !new:torch.nn.Linear
    in_features: !ref <hop> * <ratio>
    out_features: 2
    bias: False

modules:
    linear: !ref <linear>
opt_class: !name:torch.optim.SGD
    lr: 1e-4
    weight_decay: 0.00001
betas: (0.8, 0.99)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_own_keys_replace_included_ones_and_references_follow(folder):
    path = write(folder / "a.yaml", "include: [base.yaml]\nratio: 4\n")
    hparams = load_hparams(path, {"data_folder": "corpus"})
    assert hparams["linear"].in_features == 160
    assert hparams["modules"]["linear"] is hparams["linear"]
    assert hparams["opt_class"].keywords == {"lr": 1e-4, "weight_decay": 1e-5}
    assert hparams["betas"] == (0.8, 0.99)
    assert "include" not in hparams


def test_includes_are_merged_depth_first_relative_to_their_file(folder):
    write(folder / "deep" / "b.yaml", "include: [../base.yaml]\nhop: 10\n")
    write(folder / "c.yaml", "hop: 20\nratio: 3\n")
    path = write(
        folder / "top.yaml",
        "include:\n    - deep/b.yaml\n    - c.yaml\nratio: 2\n",
    )
    hparams = load_hparams(path, "data_folder: x")
    assert (hparams["hop"], hparams["ratio"]) == (20, 2)


def test_file_reached_twice_does_not_undo_what_came_between(folder):
    write(folder / "b.yaml", "include: [base.yaml]\nhop: 10\n")
    write(folder / "c.yaml", "include: [base.yaml]\nratio: 3\n")
    path = write(folder / "top.yaml", "include: [b.yaml, c.yaml]\n")
    hparams = load_hparams(path, "data_folder: x")
    assert (hparams["hop"], hparams["ratio"]) == (10, 3)


def test_a_file_above_is_merged_last_and_once(folder):
    path = write(folder / "a.yaml", "include: [base.yaml]\nhop: 1\nratio: 1\n")
    data = write(folder / "data.yaml", "ratio: 2\ndata_folder: x\n")
    hparams = load_hparams(path, above=[data])
    assert (hparams["hop"], hparams["ratio"]) == (1, 2)
    write(path, "include: [base.yaml, data.yaml]\nratio: 3\n")
    assert load_hparams(path, above=[data])["ratio"] == 3


def test_plain_mapping_updates_an_object_and_keeps_its_tag(folder):
    path = write(
        folder / "a.yaml",
        "include: [base.yaml]\n"
        "linear: {out_features: 7}\n"
        "modules:\n    activation: !new:torch.nn.ReLU\n",
    )
    hparams = load_hparams(path, "data_folder: x")
    assert hparams["linear"].weight.shape == (7, 320)
    assert set(hparams["modules"]) == {"linear", "activation"}


def test_tagged_mapping_replaces_the_whole_object(folder):
    path = write(
        folder / "a.yaml",
        "include: [base.yaml]\nlinear: !new:torch.nn.Dropout\n    p: 0.5\n",
    )
    hparams = load_hparams(path, "data_folder: x")
    assert isinstance(hparams["linear"], torch.nn.Dropout)


NETWORK = "network:\n    ratio: !ref <ratio>\n    num_blocks: 8  # many\n"


def test_a_key_of_the_network_may_stand_at_the_top(folder):
    write(folder / "deep.yaml", "include: [base.yaml]\n" + NETWORK)
    path = write(
        folder / "a.yaml",
        "include: [deep.yaml]\nratio: 4\nnum_blocks: 6  # fewer\n",
    )
    text = merge_hparams(path)
    assert "\n    num_blocks: 6  # fewer\n" in text
    network = {"ratio": 4, "num_blocks": 6}
    assert load_hparams(path, "data_folder: x")["network"] == network
    overrides = {"data_folder": "x", "num_blocks": 2}
    hparams = load_hparams(path, overrides)
    assert hparams["network"] == {**network, "num_blocks": 2}
    assert "num_blocks" not in hparams
    with pytest.raises(ConfigurationError, match="mean num_blocks"):
        merge_hparams(path, "num_block: 2")
    with pytest.raises(ConfigurationError, match="must be a number"):
        merge_hparams(path, "num_blocks: many")
    placed = place_overrides("num_blocks: 2\nnetwork: {ratio: 3}", text)
    assert placed == {"network": {"ratio": 3, "num_blocks": 2}}


def test_list_and_null_replace(tmp_path):
    write(tmp_path / "base.yaml", "a: [1, 2, 3]\nb: {c: 1}\n")
    path = write(tmp_path / "a.yaml", "include: [base.yaml]\na: [4]\nb: null\n")
    assert load_hparams(path) == {"a": [4], "b": None}


def test_keys_keep_their_first_place(folder):
    path = write(
        folder / "a.yaml", "include: [base.yaml]\nnew: 1\nhop: 3\nseed: 2\n"
    )
    keys = [
        line.split(":")[0]
        for line in merge_hparams(path).splitlines()
        if line and line[0].isalpha()
    ]
    assert keys[:3] == ["seed", "data_folder", "hop"]
    assert keys[-1] == "new"


def test_merged_text_is_plain_hyperpyyaml_and_keeps_what_is_unresolved(folder):
    path = write(folder / "a.yaml", "include: [base.yaml]\nseed: 7\n")
    text = merge_hparams(path)
    assert "!ref <hop> * <ratio>" in text
    assert "data_folder: !PLACEHOLDER" in text
    assert "# Modules" in text
    # A merged file is its own merge.
    assert merge_hparams(write(folder / "merged.yaml", text)) == text
    hparams = load_hyperpyyaml(text, {"data_folder": "x", "hop": 5})
    assert hparams["seed"] == 7
    assert hparams["linear"].in_features == 40


def test_comment_on_a_replaced_value_goes_with_it(folder):
    path = write(
        folder / "a.yaml", "include: [base.yaml]\nnum_codebooks: 8  # double\n"
    )
    text = merge_hparams(path)
    assert "num_codebooks: 8  # double\n\n# Modules\n" in text
    assert "6 kbps" not in merge_hparams(
        folder / "base.yaml", "num_codebooks: 2"
    )
    assert "6 kbps" in merge_hparams(folder / "base.yaml")


@pytest.mark.parametrize(
    "overrides",
    [
        "hop: 5\ndata_folder: x\nlinear: {out_features: 9}",
        {"hop": 5, "data_folder": "x", "linear": {"out_features": 9}},
    ],
)
def test_overrides_come_last(folder, overrides):
    path = write(folder / "a.yaml", "include: [base.yaml]\nhop: 3\n")
    hparams = load_hparams(path, overrides)
    assert hparams["linear"].weight.shape == (9, 40)
    assert hparams["data_folder"] == "x"


def test_small_number_in_a_dictionary_stays_a_number(folder):
    overrides = {"data_folder": "x", "seed": 1e-5}
    assert load_hparams(folder / "base.yaml", overrides)["seed"] == 1e-5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("include: [missing.yaml]", r"missing\.yaml \(included by .*a\.yaml\)"),
        ("include: base.yaml", "must be a list"),
        ("include: [3]", "must be a list"),
        ("include: [a.yaml]", "includes itself: a.yaml -> a.yaml"),
        ("include: [b.yaml]", "includes itself: a.yaml -> b.yaml -> a.yaml"),
        ("- 1\n- 2\n", "key: value"),
        ("seed: 1\nseed: 2\n", "line 2 is no valid YAML: found duplicate key"),
        ("seed: [1\n", "no valid YAML"),
        ("seed: !ref <nothing>", 'reference "nothing" is not valid'),
    ],
)
def test_faulty_file_is_one_clear_line(folder, text, message):
    write(folder / "b.yaml", "include: [a.yaml]\n")
    path = write(folder / "a.yaml", text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_hparams(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("num_codebook: 3", "no hyper-parameter 'num_codebook'.*num_codebooks"),
        ("include: [x.yaml]", "no hyper-parameter 'include'"),
        ("words", "the overrides must hold"),
        ({"seed": object()}, "no plain YAML value"),
        ("seed: 1", "'data_folder' is a !PLACEHOLDER.*override"),
    ],
)
def test_faulty_override_is_one_clear_line(folder, overrides, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_hparams(folder / "base.yaml", overrides)
    assert "\n" not in str(caught.value)


def test_error_of_a_constructor_is_not_disguised(tmp_path):
    path = write(tmp_path / "a.yaml", "a: !new:torch.nn.Linear\n    wrong: 1\n")
    with pytest.raises(TypeError, match="torch.nn.Linear"):
        load_hparams(path)
