"""A damaged file of a model is one line, whatever the damage."""

import shutil

import pytest

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.errors import APCodecError

CONTENTS = [b"", b"words\n", b"[1, 2]\n", b"a: {b: [1\n", b"{}", b"\xc5\x80"]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    "name", ["hyperparams.yaml", "config.json", "codec.safetensors"]
)
def test_damage_is_one_line(tiny_model_folder, tmp_path, name, content):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (folder / name).write_bytes(content)
    with pytest.raises(APCodecError) as raised:
        APCodec.from_hparams(folder, run_opts={"device": "cpu"})
    assert "\n" not in str(raised.value)
