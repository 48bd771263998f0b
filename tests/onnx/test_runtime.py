"""Graphs are run by NumPy and ONNX Runtime alone."""

import subprocess
import sys

import numpy
import pytest
import torch

from speechbrain_apcodec.onnx.codec import ONNXCodec
from tests.installed import ROOT

SCRIPT = """
import sys
import numpy
from speechbrain_apcodec.onnx.runtime import Graphs

graphs = Graphs(sys.argv[1], num_threads=1)
wavs = numpy.load(sys.argv[2])
tokens = graphs.encode(wavs, [len(wavs[0]), 700])
decoded = graphs.decode(tokens[..., :3], [len(tokens[0]), 3])
numpy.savez(sys.argv[3], tokens=tokens, decoded=decoded)
heavy = {"torch", "torchaudio", "speechbrain", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.xdist_group("onnx tiny")
def test_neither_torch_nor_speechbrain_is_needed(tiny_graphs, tmp_path):
    wavs = numpy.random.default_rng(0).normal(0, 0.1, (2, 2000))
    numpy.save(tmp_path / "wavs.npy", wavs.astype(numpy.float32))
    paths = [tiny_graphs, tmp_path / "wavs.npy", tmp_path / "out.npz"]
    subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)], check=True, cwd=ROOT
    )
    found = numpy.load(tmp_path / "out.npz")
    codec = ONNXCodec.from_folder(tiny_graphs)
    wavs = torch.from_numpy(wavs).float()
    tokens, lens = codec.encode(wavs, torch.tensor([1.0, 700 / 2000]))
    assert torch.equal(torch.from_numpy(found["tokens"]), tokens)
    decoded, _ = codec.decode(tokens[..., :3], lens)
    assert torch.equal(torch.from_numpy(found["decoded"]), decoded)
