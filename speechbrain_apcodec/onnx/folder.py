"""The folder of a model as ONNX graphs: what is in it.

=========================  ==================================================
``encoder.onnx``           waveforms to tokens
``decoder.onnx``           tokens to waveforms
``encoder_stream.onnx``    the next samples of streams and their past to
                           tokens and their new past
``decoder_stream.onnx``    the same for decoding
``onnx.json``              names and shapes of all inputs and outputs, sizes,
                           latency, SHA-256 of graphs and weights
=========================  ==================================================

The two graphs for streams are there if the model can be streamed.

**Whole recordings.** ``wavs`` is float32 [batch, samples], ``tokens`` int64
[batch, ceil(samples / hop_length), num_codebooks]; -1 stands in the codebooks
that are not to be decoded. Every item is as long as the batch.

**Streams.** One call takes any number of groups, the same for each stream of
the batch; a group is ``hop_length`` samples or one frame of tokens.
``position`` counts the groups of a stream that went in before, ``total`` its
STFT frames (encoder: 1 + samples // stft_hop_length; decoder: tokens *
ratio), or 2^62 as long as its end is not known. Each ``next.*`` is the
``past.*`` of the next call; at the beginning they are zero.

The encoder's ``wavs`` are the groups and the window_length - stft_hop_length
samples behind them, which come again in the next call. Samples 1 to
window_length / 2 stand before the first one in reverse order, and in the same
way at the end; what the last group lacks is filled with zeros. Frame i of the
output is frame ``position`` + i - ``delay`` of the stream.

Sample i of the decoder's output is sample (``position`` * ratio - ``delay``)
* stft_hop_length - window_length / 2 + 1 + i of the stream. At the end,
groups of any tokens push out what is still inside.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from speechbrain_apcodec.utils.errors import CheckpointError, MissingExtraError

#: Facts about the graphs, beside them.
ONNX_CONFIG_FILE = "onnx.json"

#: Version of the folder's layout that this code writes and reads.
ONNX_FORMAT_VERSION = 1

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
STREAM_ENCODER, STREAM_DECODER = "encoder_stream.onnx", "decoder_stream.onnx"

ONNX_FILES = {
    ENCODER,
    DECODER,
    STREAM_ENCODER,
    STREAM_DECODER,
    ONNX_CONFIG_FILE,
}


def read_onnx_config(path: str | Path) -> dict[str, Any]:
    """Read the ``onnx.json`` of a folder.

    Raises
    ------
    CheckpointError
        If the file is not ours, or a newer version wrote it.
    """
    path = Path(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version = config["onnx_format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not the {ONNX_CONFIG_FILE} of exported graphs: run "
            "`apcodec export --onnx` on a model's folder"
        ) from error
    if version != ONNX_FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, but this "
            f"speechbrain_apcodec reads version {ONNX_FORMAT_VERSION}: export "
            "the graphs again"
        )
    return config


def import_onnx_package(name: str) -> ModuleType:
    """Import a package of the extra ``onnx``, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX needs the Python package {name} ({error}): pip install "
            "'speechbrain_apcodec[onnx]'"
        ) from error
