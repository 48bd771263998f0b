"""Describe an .apc or .aps file, or a model.

A file is checked on the way: a damaged one is an error.

For example:
  apcodec info speech.apc
  apcodec info                    the model inside the package
  apcodec info path/to/model

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.cli.model import (
    add_model_arguments,
    load_model,
    print_facts,
)

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "subject",
        nargs="?",
        metavar="FILE_OR_MODEL",
        help=".apc or .aps file, model folder or hub id "
        "(default: that of --model)",
    )
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Print one fact a line."""
    subject = arguments.subject or arguments.model
    if Path(subject).is_file() or Path(subject).suffix in (".apc", ".aps"):
        print_facts(_describe_tokens(subject))
    else:
        arguments.model = subject
        print_facts(_describe_model(load_model(arguments)))


def _describe_tokens(path: str) -> dict[str, str]:
    """Return the facts of a file of tokens."""
    from speechbrain_apcodec.files.apc_header import measured_kbps
    from speechbrain_apcodec.files.stored import is_stream, read_stored

    header, _ = read_stored(path)
    num_bytes = Path(path).stat().st_size
    return {
        "format": "packet stream" if is_stream(path) else "recording",
        "model": header.model_id,
        "length": f"{header.seconds:.3f} s ({header.num_samples} samples)",
        "sample rate": f"{header.sample_rate} Hz",
        "channels": str(header.channels),
        "sample format": header.subtype,
        "codec rate": f"{header.codec_rate} Hz",
        "frames": f"{header.num_frames} a channel, "
        f"{header.frame_rate:g} per second",
        "codebooks": f"{header.num_codebooks} of {header.codebook_size} "
        f"codewords ({header.bits_per_token} bits)",
        "bitrate": f"{header.bitrate / 1000:g} kbps "
        f"({measured_kbps(num_bytes, header):.2f} kbps with the header)",
        "size": f"{num_bytes} bytes",
    }


def _describe_model(model: APCodec) -> dict[str, str]:
    """Return the facts of a model."""
    latency = "the whole recording: cannot be streamed"
    if model.streamable:
        milliseconds = 1000 * model.latency_samples / model.sample_rate
        latency = f"{model.latency_samples} samples, {milliseconds:.1f} ms"
    return {
        "model": model.model_id,
        "weights": f"SHA-256 {model.weights_sha256}",
        "parameters": f"{model.num_parameters:,}",
        "sample rate": f"{model.sample_rate} Hz",
        "frames": f"{model.frame_rate:g} per second "
        f"({model.hop_length} samples each)",
        "codebooks": f"{model.num_codebooks} of {model.codebook_size} "
        "codewords",
        "bitrate": f"{model.bitrate() / 1000:g} kbps",
        "latency": latency,
    }
