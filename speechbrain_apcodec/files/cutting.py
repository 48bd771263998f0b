"""``.apc`` files cut and joined at the borders of their blocks.

No token changes. A cut reads the blocks that it keeps, wherever they lie.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.files.apc_header import ApcHeader, damaged
from speechbrain_apcodec.files.bitstream import (
    OpenedApc,
    block_bytes,
    opened,
    read_apc,
    unpack_block,
    write_apc,
)
from speechbrain_apcodec.utils.atomic import check_destination
from speechbrain_apcodec.utils.errors import BitstreamError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath


def cut_apc(
    source: AnyPath,
    out_path: AnyPath,
    start: int,
    stop: int,
    force: bool = False,
) -> ApcHeader:
    """Write some blocks of an ``.apc`` file, of a second each, as another.

    Arguments
    ---------
    source : str or pathlib.Path
        The file, of any version.
    out_path : str or pathlib.Path
        The file to write.
    start : int
        The first block, counted from 0.
    stop : int
        The block behind the last one.
    force : bool
        Whether a file at ``out_path`` may be replaced.

    Returns
    -------
    ApcHeader
        What the new file says.

    Raises
    ------
    BitstreamError
        If the file has no such blocks, or one of them is damaged.

    Example
    -------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> header = ApcHeader("mini@00", 48000, 16000, 40000, 320, 4, 1024, 1,
    ...                    "PCM_16")
    >>> tokens = numpy.zeros((1, 375, 4), dtype=int)
    >>> _ = write_apc(folder / "a.apc", header, tokens)
    >>> cut_apc(folder / "a.apc", folder / "b.apc", 1, 3).seconds
    1.5
    >>> cut_apc(folder / "a.apc", folder / "c.apc", 0, 1).seconds
    1.0
    >>> parts = [folder / "c.apc", folder / "b.apc"]
    >>> join_apc(parts, folder / "d.apc") == header
    True
    """
    check_destination(out_path, [source], force)
    with opened(source) as apc:
        header = apc.header
        if not 0 <= start < stop <= header.num_blocks:
            raise BitstreamError(
                f"{source} has the blocks 0 to {header.num_blocks - 1}, not "
                f"{start} to {stop - 1}: name some of those"
            )
        begin, end = start * header.block_frames, stop * header.block_frames
        if apc.version == 1:
            tokens = read_apc(source)[1][:, begin:end]
        else:
            tokens = _read_blocks(apc, range(start, stop))
    num_samples = _samples_before(header, end) - _samples_before(header, begin)
    header = dataclasses.replace(header, num_samples=num_samples)
    write_apc(out_path, header, tokens)
    return header


def join_apc(
    sources: Sequence[AnyPath], out_path: AnyPath, force: bool = False
) -> ApcHeader:
    """Write the recordings of several ``.apc`` files as one; see ``cut_apc``.

    Arguments
    ---------
    sources : list of str or pathlib.Path
        Files of one model, rate, sample format and number of channels and
        codebooks. All but the last end at the border of a block.
    out_path : str or pathlib.Path
        The file to write.
    force : bool
        Whether a file at ``out_path`` may be replaced.

    Returns
    -------
    ApcHeader
        What the new file says.

    Raises
    ------
    BitstreamError
        If the files do not fit together, or one is damaged.
    """
    check_destination(out_path, sources, force)
    headers, tokens = zip(*map(read_apc, sources), strict=True)
    total = sum(header.num_samples for header in headers)
    joined = dataclasses.replace(headers[0], num_samples=total)
    for source, header in zip(sources, headers, strict=True):
        if dataclasses.replace(header, num_samples=total) != joined:
            raise BitstreamError(
                f"{source} differs from {sources[0]} in model, rate, channels "
                "or sample format: join recordings of one kind"
            )
    for source, header in zip(sources[:-1], headers[:-1], strict=True):
        frames = header.num_blocks * header.block_frames
        if header.num_samples != _all_samples(header, frames):
            raise BitstreamError(
                f"{source} does not end at the border of a block: cut it "
                "there, or join it as the last"
            )
    write_apc(out_path, joined, numpy.concatenate(tokens, axis=1))
    return joined


def _read_blocks(apc: OpenedApc, indices: range) -> NDArray[numpy.int64]:
    """Unpack some blocks of a file, whatever the others hold."""
    header, blocks = apc.header, []
    first = indices.start * block_bytes(header, 0)
    apc.file.seek(apc.header_size + first)
    try:
        for index in indices:
            block = apc.file.read(block_bytes(header, index))
            blocks.append(unpack_block(block, index, header))
    except BitstreamError as error:
        raise damaged(apc.name, error) from error
    return numpy.concatenate(blocks, axis=1)


def _all_samples(header: ApcHeader, frames: int) -> int:
    """Count the original's samples in so many frames."""
    samples = frames * header.hop_length
    return samples * header.sample_rate // header.codec_rate


def _samples_before(header: ApcHeader, frames: int) -> int:
    """Count the samples before a frame, no more than there are."""
    return min(header.num_samples, _all_samples(header, frames))
