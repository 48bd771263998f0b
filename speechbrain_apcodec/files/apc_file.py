"""Recordings as small objects: compress, save, decompress.

``ApcFile`` is in memory what an ``.apc`` file is on disk: tokens, and what is
needed to restore the recording. These functions are methods of ``APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import write_apc
from speechbrain_apcodec.files.coding import (
    decode_recording,
    encode_recording,
    encode_source,
)
from speechbrain_apcodec.files.stored import read_stored
from speechbrain_apcodec.utils.audio_paths import check_apc_destination
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


@dataclass(frozen=True, eq=False)
class ApcFile:
    """A compressed recording.

    Arguments
    ---------
    header : ApcHeader
        Length, rate and channels of the recording, the model that coded it.
    tokens : torch.Tensor
        int64 [channels, frames, codebooks].

    Example
    -------
    >>> import tempfile
    >>> from speechbrain_apcodec import APCodec
    >>> codec = APCodec.from_hparams()
    >>> compressed = codec.compress(torch.zeros(1, 4800))
    >>> path = tempfile.mkdtemp() + "/silence.apc"
    >>> compressed.save(path)
    >>> torch.equal(ApcFile.load(path).tokens, compressed.tokens)
    True
    >>> codec.decompress(path).shape
    torch.Size([1, 4800])
    """

    header: ApcHeader
    tokens: Tensor

    def save(self, path: AnyPath, force: bool = False) -> None:
        """Write an ``.apc`` file; one that exists is replaced by force alone.

        Arguments
        ---------
        path : str or pathlib.Path
            The file to write.
        force : bool
            Whether a file at ``path`` may be replaced.

        Raises
        ------
        APCodecError
            If the path is that of a recording, or exists.
        """
        check_apc_destination(path, force=force)
        write_apc(path, self.header, self.tokens.numpy())

    @classmethod
    def load(cls, path: AnyPath) -> ApcFile:
        """Read an ``.apc`` file, or a packet stream that was kept.

        Arguments
        ---------
        path : str or pathlib.Path
            What ``save`` or ``apcodec encode`` wrote.

        Returns
        -------
        ApcFile
            What it holds.

        Raises
        ------
        BitstreamError
            If the file is missing, of another kind, or damaged.
        """
        header, tokens = read_stored(path)
        return cls(header, torch.from_numpy(tokens))


def compress(
    codec: APCodec,
    recording: AnyPath | Tensor,
    sample_rate: int | None = None,
    num_codebooks: int | None = None,
) -> ApcFile:
    """Compress a recording, each channel by itself.

    Arguments
    ---------
    codec : APCodec
        The codec.
    recording : str or pathlib.Path or torch.Tensor
        An audio file, ``-`` for standard input, or a waveform: float
        [channels, samples] or [samples].
    sample_rate : int, optional
        Rate of a waveform; default: that of the codec.
    num_codebooks : int, optional
        Number of codebooks to use; default: all.

    Returns
    -------
    ApcFile
        To be saved, or decompressed.

    Raises
    ------
    APCodecError
        If the recording cannot be read or coded.
    """
    if not isinstance(recording, Tensor):
        if sample_rate is not None:
            raise APCodecError(
                f"{recording} has a rate of its own: give sample_rate with a "
                "waveform only"
            )
        header, tokens = encode_source(codec, recording, num_codebooks)
        return ApcFile(header, tokens.long())
    wav = torch.atleast_2d(recording.detach().cpu())
    if wav.dim() != 2 or not wav.is_floating_point():
        raise APCodecError(
            f"the waveform is {wav.dtype} {list(wav.shape)}: give floats "
            "[channels, samples]"
        )
    rate = sample_rate or codec.sample_rate
    return ApcFile(*encode_recording(codec, wav, rate, "FLOAT", num_codebooks))


def decompress(codec: APCodec, compressed: ApcFile | AnyPath) -> Tensor:
    """Undo ``compress``.

    Arguments
    ---------
    codec : APCodec
        The codec that compressed.
    compressed : ApcFile or str or pathlib.Path
        The object, or an ``.apc`` file.

    Returns
    -------
    torch.Tensor
        float32 [channels, samples], at the rate of the recording, which is
        ``ApcFile.header.sample_rate``.

    Raises
    ------
    BitstreamError
        If the file is damaged, or another model compressed.
    """
    if not isinstance(compressed, ApcFile):
        compressed = ApcFile.load(compressed)
    return decode_recording(codec, compressed.header, compressed.tokens)
