"""What is not fit for others is not sent; nothing here needs a hub."""

import json
import shutil

import pytest
import yaml

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.release.card import (
    card_checksums,
    publishable_card,
    with_checksum,
)
from speechbrain_apcodec.release.checks import (
    check_release,
    find_private,
)
from speechbrain_apcodec.release.export import export
from speechbrain_apcodec.utils.errors import CheckpointError
from tests.tiny_model import write_tiny_model

WEIGHTS = "codec.safetensors"
CONFIG = {"sha256": {WEIGHTS: "0a" * 32}}


@pytest.fixture
def folder(tiny_model_folder, tmp_path):
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def dry_run(folder, *arguments, repo_id="here/codec"):
    return main(["push", str(folder), repo_id, "--dry-run", *arguments])


def test_a_dry_run_shows_what_would_be_sent(folder, capsys):
    (folder / "notes.txt").write_text("mine")
    assert dry_run(folder, "--license=mit") == 0
    shown = capsys.readouterr().out
    size = (folder / WEIGHTS).stat().st_size
    assert f"{size:,} bytes  {WEIGHTS}" in shown
    assert "not sent  notes.txt" in shown
    assert "nothing was sent to here/codec" in shown


@pytest.mark.parametrize("model", [DEFAULT_MODEL, STREAMING_MODEL])
def test_the_embedded_models_are_fit(model, capsys):
    assert dry_run(model) == 0
    assert f"bytes  {WEIGHTS}" in capsys.readouterr().out


def change_weights(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-3] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def change_card(folder):
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8")
    digest = card_checksums(text)[WEIGHTS]
    card.write_text(text.replace(digest, "0a" * 32), encoding="utf-8")


def change_yaml(folder):
    path = folder / "hyperparams.yaml"
    text = path.read_text(encoding="utf-8")
    # The same tensors, but another window of the STFT.
    path.write_text(text.replace("window_length: 320", "window_length: 240"))


def drop_network(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["network"]
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (shutil.rmtree, "there is no folder"),
        (lambda f: (f / WEIGHTS).unlink(), f"holds no {WEIGHTS}"),
        (lambda f: (f / "README.md").unlink(), "holds no README.md"),
        (lambda f: (f / "config.json").unlink(), "holds no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "is not the config"),
        (change_weights, "was changed or damaged"),
        (change_card, "README.md states another SHA-256"),
        (change_yaml, "is two models"),
        (drop_network, "export it anew"),
        (
            lambda f: shutil.copy(f / WEIGHTS, f / "more.safetensors"),
            "or is foreign",
        ),
        (
            lambda f: append(f / "hyperparams.yaml", "data: /home/anna/x\n"),
            "hyperparams.yaml tells a path of a machine, /home/anna",
        ),
        (
            lambda f: append(f / "README.md", "Write to anna@example.org.\n"),
            "README.md tells an e-mail address",
        ),
    ],
)
def test_faults_are_one_line_and_exit_code_2(folder, capsys, fault, message):
    fault(folder)
    assert dry_run(folder, "--license=mit") == 2
    shown, errors = capsys.readouterr()
    assert shown == "" and errors.count("\n") == 1
    assert message in errors


@pytest.mark.parametrize("name", ["codec", "a/b/c", "../x", "a b/c"])
def test_names_that_no_hub_has(folder, capsys, name):
    assert dry_run(folder, "--license=mit", repo_id=name) == 2
    assert "is no hub id" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "data: /home/anna/VCTK",
        "path=/data/x",
        "(see /mnt/disk)",
        "~/models",
        r"C:\Users",
        "Bearer hf_abcdefghijklmnopqrstuvwx",
        "anna.b@uni-x.example",
    ],
)
def test_private_things_are_found(text):
    assert find_private(f"words {text} and more")
    assert "ijklmnopqrst" not in find_private(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://arxiv.org/abs/2402.10533",
        "a/b/c and ../d/e and ./f/g",
        "kbit/s, 1/2, and/or",
        "| / | </td></tr>",
        "recipes/**/x/y.yaml",
        "`hf_token` of huggingface",
    ],
)
def test_what_is_not_private_is_let_through(text):
    assert find_private(text) == ""


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_a_card_without_front_matter_gets_all_of_it():
    card = publishable_card("# Mine\n\nText.\n", CONFIG, "a/b", "mit")
    front = front_matter(card)
    assert front["license"] == "mit"
    assert front["library_name"] == "speechbrain"
    assert front["pipeline_tag"] == "audio-to-audio"
    assert "apcodec" in front["tags"]
    assert "# Mine\n\nText.\n" in card
    assert card_checksums(card) == CONFIG["sha256"]
    assert publishable_card(card, CONFIG, "a/b") == card


def test_what_a_card_states_stays():
    text = "---\nlicense: mit\ntags: [mine]  # few\nlanguage: eo\n---\n# Mine\n"
    card = publishable_card(text, CONFIG, "a/b")
    assert "tags: [mine]  # few\n" in card
    front = front_matter(card)
    assert (front["tags"], front["language"]) == (["mine"], "eo")
    assert front["library_name"] == "speechbrain"


@pytest.mark.parametrize(
    ("text", "licence", "message"),
    [
        ("# Mine", None, "does not say under which licence"),
        ("---\nlicense: mit\n---\n", "apache-2.0", "says license mit, not"),
        ("---\na: [\n---\n", "mit", "no YAML mapping"),
        ("---\njust words\n---\n", "mit", "no YAML mapping"),
    ],
)
def test_cards_that_cannot_be_published(text, licence, message):
    with pytest.raises(CheckpointError, match=message):
        publishable_card(text, CONFIG, "a/b", licence)


def test_a_checksum_is_stated_once():
    card = with_checksum("| weights | float32 |\n\nText", CONFIG)
    assert card.splitlines()[1].startswith(f"| SHA-256 of {WEIGHTS} |")
    assert with_checksum(card, CONFIG) == card
    other = {"sha256": {WEIGHTS: "0b" * 32}}
    assert with_checksum(card, other) == card.replace("0a", "0b")


def test_an_older_folder_is_exported_anew(folder, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    drop_network(folder)
    append(folder / "README.md", "My own words.\n")
    new = tmp_path / "new" / folder.name
    new.parent.mkdir()
    assert main(["export", str(folder), str(new)]) == 0
    after = {path.name: path.read_bytes() for path in new.iterdir()}
    assert after.pop("README.md") == (
        before.pop("README.md") + b"My own words.\n"
    )
    assert after == before
    check_release(new)


def test_an_export_of_an_export_keeps_precision_unless_told(tmp_path):
    half = write_tiny_model(tmp_path / "half", half=True)
    whole = write_tiny_model(tmp_path / "whole")
    again = export(half, tmp_path / "again")
    assert (again / WEIGHTS).read_bytes() == (half / WEIGHTS).read_bytes()
    halved = export(whole, tmp_path / "halved", half=True, name="small")
    assert (halved / WEIGHTS).read_bytes() == (half / WEIGHTS).read_bytes()
    config = json.loads((halved / "config.json").read_text())
    assert config["model_id"] == "small"
    card = (halved / "README.md").read_text(encoding="utf-8")
    assert card_checksums(card)[WEIGHTS] == config["sha256"][WEIGHTS]


def test_discriminators_cannot_be_made_up(folder, tmp_path):
    (folder / "losses.yaml").unlink()
    with pytest.raises(CheckpointError, match="holds no discriminators"):
        export(folder, tmp_path / "out", discriminators=True)
    out = export(folder, tmp_path / "out")
    assert not (out / "discriminators.safetensors").exists()
