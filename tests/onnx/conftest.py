"""Graphs that several tests share."""

import pytest

from speechbrain_apcodec.onnx.export import export_onnx


@pytest.fixture(scope="session")
def tiny_graphs(tiny_model_folder, tmp_path_factory):
    """The tiny model as graphs."""
    return export_onnx(
        tiny_model_folder, tmp_path_factory.mktemp("onnx") / "tiny"
    )
