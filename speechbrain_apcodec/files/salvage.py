"""Damaged ``.apc`` files: what is whole comes back, the rest is concealed.

A damaged block is filled from both sides with the frames beside it, mirrored.
Its sound fades out, and in again: a repetition is soon heard as one, while
silence is not mistaken for speech.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import (
    block_bytes,
    opened,
    read_apc,
    unpack_block,
)
from speechbrain_apcodec.utils.errors import BitstreamError

if TYPE_CHECKING:
    from torch import Tensor

    from speechbrain_apcodec.utils.types import AnyPath

#: Length of a fade. A vowel lasts about as long.
_FADE_SECONDS = 0.08

# A header may claim any length: memory is taken for no more than this
# multiple of what the file holds.
_MOST_LOST = 20


@dataclass(frozen=True)
class Salvage:
    """What was left of a file.

    Attributes
    ----------
    header : ApcHeader
        What the file says about its recording.
    tokens : numpy.ndarray
        int64 ``[channels, num_frames, num_codebooks]``, as ``read_apc``
        gives them, with neighbours in the place of damaged blocks.
    gaps : list of (int, int)
        First frame of each run of damaged blocks, and the frame behind it.
    """

    header: ApcHeader
    tokens: NDArray[numpy.int64]
    gaps: list[tuple[int, int]]

    @property
    def seconds(self) -> list[tuple[float, float]]:
        """Begin and end of each gap in seconds."""
        rate = self.header.frame_rate
        return [
            (start / rate, min(end / rate, self.header.seconds))
            for start, end in self.gaps
        ]

    def fade(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Fade decoded blocks, float [channels, samples], within the gaps."""
        import torch  # which reading does not need

        header, position = self.header, 0
        for block in blocks:
            time = torch.arange(position, position + block.shape[1])
            time = time.double() / header.sample_rate
            position += block.shape[1]
            for start, end in self.seconds:
                # How deep in the gap; beside the recording is no sound.
                depth = torch.full_like(time, math.inf)
                if start > 0:
                    depth = torch.minimum(depth, time - start)
                if end < header.seconds:
                    depth = torch.minimum(depth, end - time)
                depth = (depth / _FADE_SECONDS).clamp(0, 1)
                block = block * (0.5 + 0.5 * torch.cos(math.pi * depth)).to(
                    block
                )
            yield block


def salvage_apc(source: AnyPath | bytes) -> Salvage:
    """Read what is left of a damaged ``.apc`` file.

    A block is looked for at its place, counted from the beginning of the file
    and from its end: bytes that were lost or added cost the blocks that they
    lay in, not those behind.

    Arguments
    ---------
    source : str or pathlib.Path or bytes
        The file, or what it holds.

    Returns
    -------
    Salvage
        The tokens, and where they are concealed.

    Raises
    ------
    BitstreamError
        If the header is damaged, hardly a block is left, or the file is of
        version 1, which does not tell damaged tokens from others.

    Example
    -------
    >>> from speechbrain_apcodec.files.bitstream import pack_apc
    >>> header = ApcHeader("mini@00", 48000, 48000, 96000, 320, 4, 1024, 1,
    ...                    "PCM_16")
    >>> data = pack_apc(header, numpy.ones((1, 300, 4), dtype=int))
    >>> salvage_apc(data[:-100]).seconds
    [(1.0, 2.0)]
    """
    with opened(source) as apc:
        if apc.version == 1:
            return Salvage(*read_apc(source), gaps=[])
        if apc.size * _MOST_LOST < apc.expected:
            raise BitstreamError(
                f"{apc.name} has {apc.size} of {apc.expected} bytes, too "
                "little to salvage: copy it again from its source"
            )
        data = apc.file.read()
    header = apc.header
    shift, offset = apc.size - apc.expected, apc.header_size
    tokens = numpy.zeros(header.tokens_shape, dtype=numpy.int64)
    frames = header.block_frames
    gaps: list[tuple[int, int]] = []
    is_whole: list[bool] = []
    for index in range(header.num_blocks):
        end = offset + block_bytes(header, index)
        places = (offset, end), (offset + shift, end + shift)
        block = _found(data, places, index, header)
        if block is not None:
            tokens[:, index * frames : (index + 1) * frames] = block
        is_whole.append(block is not None)
        offset = end
    if not any(is_whole):
        raise BitstreamError(
            f"{apc.name} has no whole block left: copy it again from its source"
        )
    for whole, run in groupby(range(len(is_whole)), is_whole.__getitem__):
        indices = list(run)
        if not whole:
            end = min((indices[-1] + 1) * frames, header.num_frames)
            gaps.append((indices[0] * frames, end))
    neighbours = _neighbours(header.num_frames, gaps)
    return Salvage(header, tokens[:, neighbours], gaps)


def _found(
    data: bytes,
    places: Iterable[tuple[int, int]],
    index: int,
    header: ApcHeader,
) -> NDArray[numpy.int64] | None:
    """Return the tokens of a block at the first place that holds it."""
    for start, end in places:
        try:
            block = data[max(start, 0) : max(end, 0)]
            return unpack_block(block, index, header)
        except BitstreamError:
            continue
    return None


def _neighbours(
    num_frames: int, gaps: list[tuple[int, int]]
) -> NDArray[numpy.int64]:
    """Name, for each frame, the frame that stands in its place.

    Example
    -------
    >>> _neighbours(10, [(3, 8)]).tolist()
    [0, 1, 2, 2, 1, 9, 9, 8, 8, 9]
    """
    frames = numpy.arange(num_frames)
    ends = [0, *(end for _, end in gaps)]
    starts = [*(start for start, _ in gaps), num_frames]
    for number, (start, end) in enumerate(gaps):
        middle = (start + end) // 2
        if start == 0:
            middle = start
        elif end == num_frames:
            middle = end
        left, right = frames[start:middle], frames[middle:end]
        # The whole frames beside a gap may be few: the farthest is repeated.
        left[:] = (2 * start - 1 - left).clip(ends[number], start - 1)
        right[:] = (2 * end - 1 - right).clip(end, starts[number + 1] - 1)
    return frames
