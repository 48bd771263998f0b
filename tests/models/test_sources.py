"""Where a model comes from: what the user meant, and no other model."""

import json
import shutil

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from speechbrain.utils.fetching import FetchConfig, LocalStrategy

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.models import sources
from speechbrain_apcodec.utils.errors import CheckpointError
from tests.tiny_model import write_tiny_model

CPU = {"device": "cpu"}


def load(source, **kwargs):
    return APCodec.from_hparams(source, run_opts=CPU, **kwargs)


def tokens_of(model):
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    return model.encode(wavs)[0]


@pytest.fixture(scope="module")
def other_folder(tmp_path_factory):
    """A model with other tokens than the tiny one."""
    return write_tiny_model(
        tmp_path_factory.mktemp("other") / "other", num_blocks=2
    )


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    def refuse(*args, **kwargs):
        raise LocalEntryNotFoundError("no hub in this test")

    monkeypatch.setattr(sources, "fetch", _without_hub(sources.fetch, refuse))


def _without_hub(fetch, refuse):
    def fetch_elsewhere(filename, source, **kwargs):
        hub = source.FetchFrom.name == "HUGGING_FACE"
        return (refuse if hub else fetch)(filename, source, **kwargs)

    return fetch_elsewhere


@pytest.mark.parametrize(
    "source",
    ["reslts/model", "mini", "./mini", "a/b/c", "../x", "/no/such", "x/"],
)
def test_mistyped_folder(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no folder") as error:
        load(source)
    assert source.rstrip("/") in str(error.value)
    assert "\n" not in str(error.value)


def test_mistyped_path_object_is_never_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="there is no folder a/b"):
        load(sources.Path("a/b"))


def test_file_instead_of_folder(tiny_model_folder):
    with pytest.raises(CheckpointError, match="is a file"):
        load(tiny_model_folder / "hyperparams.yaml")


def test_folder_of_something_else(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load(tmp_path)


def test_path_with_tilde(tiny_model_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_model_folder.parent))
    assert load(f"~/{tiny_model_folder.name}").model_id == "tiny"


@pytest.mark.parametrize("strategy", LocalStrategy)
def test_savedir_of_a_folder(tiny_model_folder, tmp_path, strategy):
    savedir = tmp_path / "collected" / "here"
    expected = tokens_of(load(tiny_model_folder))
    for _ in range(2):
        model = load(
            tiny_model_folder, savedir=savedir, local_strategy=strategy
        )
        assert torch.equal(tokens_of(model), expected)
    origin = json.loads((savedir / "origin.json").read_text())
    assert origin["source"] == str(tiny_model_folder)


def test_savedir_of_another_model(tiny_model_folder, other_folder, tmp_path):
    load(tiny_model_folder, savedir=tmp_path)
    with pytest.raises(CheckpointError, match="holds the files of"):
        load(other_folder, savedir=tmp_path)
    # Refusing has not changed what is there.
    assert load(tiny_model_folder, savedir=tmp_path).model_id == "tiny"


def test_savedir_of_another_revision(tiny_model_folder, tmp_path):
    load(tiny_model_folder, savedir=tmp_path)
    with pytest.raises(CheckpointError, match="revision v2"):
        load(
            tiny_model_folder,
            savedir=tmp_path,
            fetch_config=FetchConfig(revision="v2"),
        )


def test_savedir_with_files_of_unknown_origin(
    tiny_model_folder, other_folder, tmp_path
):
    savedir = shutil.copytree(other_folder, tmp_path / "copy")
    with pytest.raises(CheckpointError, match="unknown origin"):
        load(tiny_model_folder, savedir=savedir)


def test_savedir_may_be_overwritten_on_request(
    tiny_model_folder, other_folder, tmp_path
):
    load(other_folder, savedir=tmp_path)
    model = load(
        tiny_model_folder,
        savedir=tmp_path,
        fetch_config=FetchConfig(overwrite=True),
    )
    assert torch.equal(tokens_of(model), tokens_of(load(tiny_model_folder)))


def test_folder_that_was_exported_anew(
    tiny_model_folder, other_folder, tmp_path
):
    """A copy in savedir must not outlive what it is a copy of."""
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    kwargs = {
        "savedir": tmp_path / "collected",
        "local_strategy": LocalStrategy.COPY,
    }
    load(folder, **kwargs)
    shutil.rmtree(folder)
    shutil.copytree(other_folder, folder)
    ours = tokens_of(load(folder, **kwargs))
    assert torch.equal(ours, tokens_of(load(other_folder)))


def test_savedir_is_the_source(tiny_model_folder, tmp_path, monkeypatch):
    """Linking a file to itself would delete the model."""
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for savedir in ("model", "link", folder, "model/../model"):
        load("model", savedir=savedir)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_failed_fetch_does_not_claim_the_savedir(tiny_model_folder, tmp_path):
    with pytest.raises(CheckpointError, match="neither|no folder"):
        load("some-organisation/some-codec", savedir=tmp_path)
    assert load(tiny_model_folder, savedir=tmp_path).model_id == "tiny"


def test_url_without_savedir():
    with pytest.raises(CheckpointError, match="savedir"):
        load("https://localhost/model")
