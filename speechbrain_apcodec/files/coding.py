"""Whole recordings through the codec: file to ``.apc`` and back.

A recording may have any rate, any number of channels and any length from one
sample. Each channel is resampled to the codec's rate and coded by itself, from
file to file block by block (``files/blocks.py``). What comes back has the
original's length, rate, channels and sample format.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor
from tqdm import tqdm

from speechbrain_apcodec.files.apc_header import ApcHeader
from speechbrain_apcodec.files.bitstream import write_apc
from speechbrain_apcodec.files.blocks import decode_blocks, encode_blocks
from speechbrain_apcodec.files.salvage import Salvage, salvage_apc
from speechbrain_apcodec.files.stored import read_stored
from speechbrain_apcodec.utils.audio import (
    UNKNOWN,
    AudioFormat,
    open_recording,
)
from speechbrain_apcodec.utils.audio_paths import check_apc_destination
from speechbrain_apcodec.utils.audio_writing import (
    check_audio_destination,
    open_audio,
)
from speechbrain_apcodec.utils.errors import NOTICE, BitstreamError
from speechbrain_apcodec.utils.resampling import resample_in_blocks
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.files.packets import StreamHeader
    from speechbrain_apcodec.inference.apcodec import APCodec

logger = logging.getLogger(__name__)


def bitstream_model_id(model: APCodec) -> str:
    """Name a model and its weights as an ``.apc`` file does.

    It is ``NAME@`` and the first 16 hex digits of the weights' SHA-256.
    """
    return f"{model.model_id}@{model.weights_sha256[:16]}"


def checked_codebooks(model: APCodec, num_codebooks: int | None) -> int:
    """Return the number of codebooks to use, by default all."""
    if num_codebooks is None:
        return model.num_codebooks
    model.bitrate(num_codebooks)  # raises if the model lacks them
    return num_codebooks


def check_model(model: APCodec, header: ApcHeader | StreamHeader) -> None:
    """Refuse tokens that another model made."""
    model_id = bitstream_model_id(model)
    made_by = (
        header.model_id,
        header.codec_rate,
        header.hop_length,
        header.codebook_size,
    )
    codec = model_id, model.sample_rate, model.hop_length, model.codebook_size
    if made_by != codec or header.num_codebooks > model.num_codebooks:
        raise BitstreamError(
            f"the tokens were made by model {header.model_id}, this is "
            f"{model_id}: decode with the model that encoded"
        )


def encode_recording(
    model: APCodec,
    wav: Tensor,
    sample_rate: int,
    subtype: str,
    num_codebooks: int | None = None,
) -> tuple[ApcHeader, Tensor]:
    """Turn a recording into tokens, one channel after the other.

    Arguments
    ---------
    model : APCodec
        The codec.
    wav : torch.Tensor
        float ``[channels, samples]``.
    sample_rate : int
        Its rate in Hz.
    subtype : str
        Its sample format, in soundfile's names.
    num_codebooks : int, optional
        Codebooks to use; default: all.

    Returns
    -------
    header : ApcHeader
        What the tokens stand for.
    tokens : torch.Tensor
        int64 ``[channels, frames, num_codebooks]``.
    """
    num_codebooks = checked_codebooks(model, num_codebooks)
    channels, num_samples = wav.shape
    audio_format = AudioFormat(sample_rate, channels, num_samples, "", subtype)
    header = _header(model, audio_format, num_codebooks)
    tokens = torch.empty(header.tokens_shape, dtype=torch.int64)
    for index, channel in enumerate(_progress(wav, "encode")):
        channel = resample_in_blocks(channel, sample_rate, model.sample_rate)
        coded, _ = model.encode(
            channel[None].to(model.device), num_codebooks=num_codebooks
        )
        tokens[index] = coded[0]
    return header, tokens


def decode_recording(
    model: APCodec, header: ApcHeader, tokens: Tensor
) -> Tensor:
    """Undo ``encode_recording``: float32 ``[channels, samples]``, as it was."""
    check_model(model, header)
    wav = torch.empty(header.channels, header.num_samples)
    for index, channel in enumerate(_progress(tokens, "decode")):
        decoded, _ = model.decode(
            channel[None].to(model.device), num_samples=header.codec_samples
        )
        wav[index] = resample_in_blocks(
            decoded[0].float().cpu(),
            header.codec_rate,
            header.sample_rate,
            num_samples=header.num_samples,
        )
    return wav


def encode_file(
    model: APCodec,
    in_path: AnyPath,
    apc_path: AnyPath,
    num_codebooks: int | None = None,
    force: bool = False,
    quiet: bool = False,
) -> ApcHeader:
    """Encode an audio file into an ``.apc`` file.

    Arguments
    ---------
    model : APCodec
        The codec.
    in_path : str or pathlib.Path
        An audio file or a pipe; ``-`` is standard input.
    apc_path : str or pathlib.Path
        The ``.apc`` file to write.
    num_codebooks : int, optional
        Codebooks to use; default: all.
    force : bool
        Whether a file at ``apc_path`` may be replaced.
    quiet : bool
        Whether to do without a bar on terminals.

    Returns
    -------
    ApcHeader
        What the file says about the recording.

    Raises
    ------
    APCodecError
        If the recording cannot be read or coded, or the output is there
        already or the input itself; nothing is written then.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams()  # doctest: +SKIP
    >>> encode_file(model, "in.wav", "tokens.apc").bitrate  # doctest: +SKIP
    6000.0
    >>> decode_file(model, "tokens.apc", "out.wav").subtype  # doctest: +SKIP
    'PCM_16'
    """
    check_apc_destination(apc_path, [in_path], force)
    header, tokens = encode_source(model, in_path, num_codebooks, quiet)
    write_apc(apc_path, header, tokens.numpy())
    return header


def decode_file(
    model: APCodec,
    apc_path: AnyPath,
    out_path: AnyPath,
    force: bool = False,
    salvage: bool = False,
) -> ApcHeader:
    """Decode a file of tokens into an audio file.

    Arguments
    ---------
    model : APCodec
        The codec that made the ``.apc`` file.
    apc_path : str or pathlib.Path
        The ``.apc`` file, or a packet stream that was kept.
    out_path : str or pathlib.Path
        The audio file to write. Its suffix names the container; it gets the
        original's sample format where the container offers it.
    force : bool
        Whether a file at ``out_path`` may be replaced.
    salvage : bool
        Whether to decode a damaged file too. The log tells which seconds are
        concealed.

    Returns
    -------
    ApcHeader
        What the ``.apc`` file says about the recording.

    Raises
    ------
    APCodecError
        If the ``.apc`` file is damaged or of another model, or the output
        is there already; nothing is written then.
    """
    check_audio_destination(out_path, [apc_path], force)
    if salvage:
        salvaged = salvage_apc(apc_path)
    else:
        salvaged = Salvage(*read_stored(apc_path), gaps=[])
    write_decoded(model, salvaged, out_path)
    return salvaged.header


def roundtrip_file(
    model: APCodec,
    in_path: AnyPath,
    out_path: AnyPath,
    num_codebooks: int | None = None,
    force: bool = False,
) -> ApcHeader:
    """Encode and decode an audio file without keeping the tokens.

    The arguments are those of ``encode_file`` and ``decode_file``. The header
    is what an ``.apc`` file would say about the recording.
    """
    check_audio_destination(out_path, [in_path], force)
    header, tokens = encode_source(model, in_path, num_codebooks)
    write_decoded(model, Salvage(header, tokens.numpy(), gaps=[]), out_path)
    return header


def encode_source(
    model: APCodec,
    in_path: AnyPath,
    num_codebooks: int | None,
    quiet: bool = False,
) -> tuple[ApcHeader, Tensor]:
    """Encode a file block by block, tokens as int32."""
    with open_recording(in_path) as recording:
        audio_format = recording.audio_format
        num_codebooks = checked_codebooks(model, num_codebooks)
        known = audio_format.num_samples < UNKNOWN
        seconds = audio_format.seconds if known else None
        with _seconds(seconds, "encode", quiet) as bar:

            def blocks() -> Iterator[Tensor]:
                for block in recording:
                    yield block
                    bar.update(block.shape[1] / audio_format.sample_rate)

            tokens = encode_blocks(
                model, blocks(), audio_format.sample_rate, num_codebooks
            )
    # Only now the number of samples is certain.
    return _header(model, recording.audio_format, num_codebooks), tokens


def write_decoded(
    model: APCodec, salvaged: Salvage, out_path: AnyPath, quiet: bool = False
) -> None:
    """Decode into a file block by block; say what had to be concealed."""
    header, tokens = salvaged.header, torch.from_numpy(salvaged.tokens)
    check_model(model, header)
    with (
        _seconds(header.seconds, "decode", quiet) as bar,
        open_audio(
            out_path, header.channels, header.sample_rate, header.subtype
        ) as write,
    ):

        def done(num_frames: int) -> None:
            bar.update(num_frames / model.frame_rate)

        for block in salvaged.fade(decode_blocks(model, header, tokens, done)):
            write(block)
    if salvaged.gaps:
        named = ", ".join(f"{a:.2f} to {b:.2f} s" for a, b in salvaged.seconds)
        logger.log(NOTICE, f"{out_path}: concealed {named}")


def _header(
    model: APCodec, audio_format: AudioFormat, num_codebooks: int
) -> ApcHeader:
    return ApcHeader(
        model_id=bitstream_model_id(model),
        codec_rate=model.sample_rate,
        sample_rate=audio_format.sample_rate,
        num_samples=audio_format.num_samples,
        hop_length=model.hop_length,
        num_codebooks=num_codebooks,
        codebook_size=model.codebook_size,
        channels=audio_format.channels,
        subtype=audio_format.subtype,
    )


def _seconds(total: float | None, task: str, quiet: bool) -> tqdm[NoReturn]:
    """Show a bar of the seconds of audio done, on terminals only."""
    bar = "{desc}: {n:.0f} s of audio [{elapsed}]"
    if total:
        bar = "{l_bar}{bar}| {n:.0f}/{total:.0f} s of audio "
        bar += "[{elapsed}<{remaining}]"
    return tqdm(
        total=total,
        desc=task,
        bar_format=bar,
        leave=False,
        disable=quiet or None,
    )


def _progress(channels: Tensor, task: str) -> Iterable[Tensor]:
    """Show a bar of the channels done, on terminals only."""
    return tqdm(channels, task, unit="channel", leave=False, disable=None)
