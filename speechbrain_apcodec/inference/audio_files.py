"""Audio files in and out.

These functions are methods of ``APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.audio_writing import check_audio_destination
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import AnyPath, Tokens, Wav

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec

#: A URL, or a file of a hub's repository.
_REMOTE = re.compile(r"https?:|[A-Za-z0-9][\w.-]*/[\w.-]+/.")


def load_audio(
    codec: APCodec, path: AnyPath, savedir: AnyPath | None = None
) -> Wav:
    """Read an audio file as `encode` takes it: mono, at its rate.

    Arguments
    ---------
    codec : APCodec
        The codec.
    path : str or pathlib.Path
        A file of any rate and number of channels that soundfile reads,
        a pipe, ``-`` for standard input, a URL, or
        ``ORGANISATION/NAME/FILE`` of the hub.
    savedir : str or pathlib.Path, optional
        Where a file of the network is put; default: the hub's cache.

    Returns
    -------
    torch.Tensor
        float [samples].

    Raises
    ------
    APCodecError
        If the file is missing, empty, not whole or holds NaN.
    """
    if not Path(path).exists() and _REMOTE.match(str(path)):
        source, _, name = str(path).rpartition("/")
        path = fetch_file(name, source, savedir)
    wav, sample_rate = read_audio(path)
    return codec.audio_normalizer(wav.T, sample_rate).to(codec.device)


def encode_file(
    codec: APCodec, path: AnyPath, num_codebooks: int | None = None
) -> Tokens:
    """Encode an audio file, as `load_audio` reads it.

    Arguments
    ---------
    codec : APCodec
        The codec.
    path : str or pathlib.Path
        As for `load_audio`.
    num_codebooks : int, optional
        Number of codebooks to use; default: all.

    Returns
    -------
    torch.Tensor
        int64 [1, frames, codebooks].
    """
    wav = codec.load_audio(path)
    tokens, _ = codec.encode(wav[None], num_codebooks=num_codebooks)
    return tokens


def decode_file(
    codec: APCodec,
    tokens: Tokens,
    path: AnyPath,
    num_samples: int | None = None,
    force: bool = False,
) -> None:
    """Decode the tokens of one waveform into an audio file.

    Arguments
    ---------
    codec : APCodec
        The codec.
    tokens : torch.Tensor
        Integers [1, frames, codebooks] or [frames, codebooks].
    path : str or pathlib.Path
        The file to write at ``sample_rate``, 16 bits; its suffix names
        the container, such as ``.wav``.
    num_samples : int, optional
        Length of the file; default: frames * hop_length.
    force : bool
        Whether a file at ``path`` may be replaced.

    Raises
    ------
    APCodecError
        If the tokens are not those of one waveform, or the file cannot be
        written or exists.
    """
    check_audio_destination(path, force=force)
    if isinstance(tokens, torch.Tensor) and tokens.dim() == 2:
        tokens = tokens[None]
    wavs, _ = codec.decode(tokens, num_samples=num_samples)
    if len(wavs) != 1:
        raise APCodecError(
            f"decode_file takes the tokens of one waveform, not of "
            f"{len(wavs)}: call it for each"
        )
    write_audio(path, wavs.cpu(), codec.sample_rate)
