"""Deterministic weights and signals of the golden values.

``tests/golden/README.md`` states the rules; this file carries them out, and
writes the checkpoints as the published implementation stores them.
"""

import json
import zlib
from pathlib import Path

import numpy
import torch

GOLDEN = Path(__file__).parent / "golden"
SAMPLE_RATE = 48000


def golden_arrays():
    """Return what the published network made of the golden waveform."""
    with numpy.load(GOLDEN / "codec.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def golden_losses():
    """Return the published implementation's losses."""
    return json.loads((GOLDEN / "losses.json").read_text())


def golden_signal(num_samples, seed):
    """Return one of the two waveforms, float32 [samples]."""
    rng = numpy.random.default_rng(seed)
    t = numpy.arange(num_samples) / SAMPLE_RATE
    signal = (
        0.3 * numpy.sin(2 * numpy.pi * (110 * t + 900 * t**2))
        + 0.15 * numpy.sin(2 * numpy.pi * (3000 * t - 1500 * t**2))
        + 0.05 * rng.standard_normal(num_samples)
    ) * numpy.hanning(num_samples)
    return torch.from_numpy(signal.astype(numpy.float32))


def loss_segment():
    """Return the segment of ``losses.json``, float32 [7960]."""
    return golden_signal(7960, seed=11)


def published_value(part, key, shape):
    """Draw one tensor by the rules of the published checkpoints."""
    rng = numpy.random.default_rng(zlib.crc32(f"public:{part}.{key}".encode()))
    n = rng.standard_normal(shape, dtype=numpy.float32)
    if key.endswith(("weight_g", "original0")):
        n = 0.5 + 0.5 * numpy.abs(n)
    elif "codebook" in key:
        pass
    elif key.endswith("gamma"):
        n = 0.3 * n
    elif key.endswith(("beta", "bias")):
        n = 0.1 * n
    elif len(shape) == 1:
        n = 1 + 0.1 * n
    else:
        n = n / numpy.sqrt(numpy.prod(shape[1:]))
    return torch.from_numpy(n.astype(numpy.float32))


def published_state(part):
    """Draw a whole part: encoder, decoder, mpd or mrd."""
    shapes = json.loads((GOLDEN / "state_dict_shapes.json").read_text())[part]
    return {
        key: published_value(part, key, tuple(shape))
        for key, shape in shapes.items()
    }


def write_published_checkpoints(folder):
    """Write the three files of the published implementation.

    Arguments
    ---------
    folder : pathlib.Path
        Where to write them.

    Returns
    -------
    dict
        The paths, as the arguments of ``convert`` are called.
    """
    checkpoints = {
        "encoder": {"encoder": published_state("encoder")},
        "decoder": {"decoder": published_state("decoder")},
        "discriminators": {
            "mpd": published_state("mpd"),
            "mrd": published_state("mrd"),
        },
    }
    paths = {}
    for name, checkpoint in checkpoints.items():
        paths[name] = folder / f"published_{name}.pt"
        torch.save(checkpoint, paths[name])
    return paths
