"""Tokens from a file of either format, ``.apc`` or ``.aps``.

Which it is, is told by its first bytes. Reading needs numpy only.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import read_apc
from speechbrain_apcodec.files.packets import MAGIC, PacketReader
from speechbrain_apcodec.utils.audio_paths import is_pipe
from speechbrain_apcodec.utils.errors import BitstreamError, shown

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath


def read_stored(path: AnyPath) -> tuple[ApcHeader, NDArray[numpy.int64]]:
    """Read and check a file of tokens, a pipe, or standard input (``-``).

    Arguments
    ---------
    path : str or pathlib.Path
        An ``.apc`` file or a packet stream that was kept, ``.aps``.

    Returns
    -------
    header : ApcHeader
        What the tokens stand for. A packet stream is a recording of one
        channel, at the codec's rate and in 16 bits.
    tokens : numpy.ndarray
        int64 ``[channels, num_frames, num_codebooks]``.

    Raises
    ------
    BitstreamError
        If it is neither, truncated or damaged.
    """
    if str(path) == "-" or is_pipe(path):
        piped = str(path) == "-"
        data = sys.stdin.buffer.read() if piped else Path(path).read_bytes()
        return _read_aps(data, path) if _is_aps(data) else read_apc(data)
    if is_stream(path):
        return _read_aps(Path(path).read_bytes(), path)
    return read_apc(path)


def is_stream(path: AnyPath) -> bool:
    """Tell whether a file is a packet stream."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return _is_aps(file.read(len(MAGIC)))


def _is_aps(data: bytes) -> bool:
    return data.startswith(MAGIC)


def _read_aps(
    data: bytes, path: AnyPath
) -> tuple[ApcHeader, NDArray[numpy.int64]]:
    try:
        reader = PacketReader(io.BytesIO(data))
        arrived = list(reader)
    except BitstreamError as error:
        raise BitstreamError(
            f"{shown(path)}: {error}; `apcodec stream decode` plays what is "
            "whole of it"
        ) from error
    if not arrived:
        raise BitstreamError(
            f"{shown(path)} is a stream of no samples: see what recorded it"
        )
    assert reader.num_samples is not None, "the stream has ended"
    stream = reader.header
    header = ApcHeader(
        model_id=stream.model_id,
        codec_rate=stream.codec_rate,
        sample_rate=stream.codec_rate,
        num_samples=reader.num_samples,
        hop_length=stream.hop_length,
        num_codebooks=stream.num_codebooks,
        codebook_size=stream.codebook_size,
        channels=1,
        subtype="PCM_16",
    )
    return header, numpy.concatenate(arrived)[None]
