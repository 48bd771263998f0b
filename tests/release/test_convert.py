"""Checkpoints of the published implementation, whole and damaged.

That a converted model gives the golden values is tested in
``tests/lobes/test_golden.py``.
"""

import json

import pytest
import torch
from safetensors.torch import load_file

from speechbrain_apcodec.release.convert import convert
from speechbrain_apcodec.utils.errors import CheckpointError
from tests.golden_weights import published_state

# Converting takes seconds: one process does it for all.
pytestmark = pytest.mark.xdist_group("golden")


@pytest.fixture(scope="module")
def encoder_state():
    return published_state("encoder")


@pytest.fixture
def convert_encoder(published_checkpoints, tmp_path):
    """Convert with another encoder checkpoint."""

    def convert_with(checkpoint):
        path = tmp_path / "encoder.pt"
        torch.save(checkpoint, path)
        return convert(
            path, published_checkpoints["decoder"], tmp_path / "model"
        )

    yield convert_with
    assert not (tmp_path / "model").exists()


def test_every_tensor_is_taken(golden_model_folder):
    """Count and sums say that nothing was left out or doubled."""
    for file, parts in (
        ("codec", ["encoder", "decoder"]),
        ("discriminators", ["mpd", "mrd"]),
    ):
        ours = load_file(golden_model_folder / f"{file}.safetensors")
        theirs = [published_state(part) for part in parts]
        assert len(ours) == sum(len(state) for state in theirs)
        ours = sorted(value.sum().item() for value in ours.values())
        theirs = sorted(
            value.sum().item() for state in theirs for value in state.values()
        )
        assert ours == theirs


def test_converted_folder(golden_model_folder, golden_model):
    config = json.loads((golden_model_folder / "config.json").read_text())
    assert config["sample_rate"] == 48000
    assert golden_model.bitrate() == 6000.0
    # The licence of foreign weights is not ours to state.
    card = (golden_model_folder / "README.md").read_text()
    assert "apache" not in card.lower()


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda state: state.pop("embed_pha.bias"),
            r"published encoder: 1 tensor is missing \(embed_pha.bias\)",
        ),
        (
            lambda state: state.update(extra=torch.zeros(1)),
            r"1 tensor is unexpected \(extra\)",
        ),
        (
            lambda state: state.update({"embed_pha.bias": torch.zeros(255)}),
            r"embed_pha.bias: \[255\] instead of \[256\]",
        ),
        (
            lambda state: state.update(
                {"quantizer.quantizers.4.codebook.weight": torch.zeros(2, 2)}
            ),
            "unexpected .*quantizers.4.codebook",
        ),
    ],
    ids=["missing", "extra", "misshapen", "another codebook"],
)
def test_misfit_is_named(convert_encoder, encoder_state, change, message):
    state = dict(encoder_state)
    change(state)
    with pytest.raises(CheckpointError, match=message):
        convert_encoder({"encoder": state})


@pytest.mark.parametrize(
    "checkpoint, message",
    [
        ({"decoder": {}}, "no tensors below 'encoder'"),
        ({"encoder": 5}, "no tensors below 'encoder'"),
        ({"encoder": {"embed_pha.bias": 5}}, "no tensors below 'encoder'"),
        ({"encoder": {}}, "213 tensors are missing"),
        (torch.zeros(3), "no named tensors"),
    ],
)
def test_other_content(convert_encoder, checkpoint, message):
    with pytest.raises(CheckpointError, match=message):
        convert_encoder(checkpoint)


def test_discriminators_of_one_kind_only(published_checkpoints, tmp_path):
    path = tmp_path / "discriminators.pt"
    torch.save({"mpd": published_state("mpd"), "steps": 1}, path)
    paths = {**published_checkpoints, "discriminators": path}
    with pytest.raises(CheckpointError, match="no tensors below 'mrd'"):
        convert(**paths, out_dir=tmp_path / "model")


def test_files_that_are_no_checkpoints(published_checkpoints, tmp_path):
    decoder = published_checkpoints["decoder"]
    path = tmp_path / "encoder.pt"
    with pytest.raises(CheckpointError, match="there is no file"):
        convert(path, decoder, tmp_path / "model")
    for content in (b"", b"text", decoder.read_bytes()[:10000]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged, or no PyT"):
            convert(path, decoder, tmp_path / "model")


class Evil:
    """A pickle that would run a program."""

    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def test_code_in_a_checkpoint_is_not_run(published_checkpoints, tmp_path):
    path = tmp_path / "encoder.pt"
    torch.save({"encoder": Evil()}, path)
    with pytest.raises(CheckpointError, match="tensors alone"):
        convert(path, published_checkpoints["decoder"], tmp_path / "model")
