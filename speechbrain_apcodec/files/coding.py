"""Whole recordings through the codec: file to ``.apc`` and back.

A recording may have any rate, any number of channels and any length from one
sample. Each channel is resampled to the codec's rate and coded by itself, from
file to file block by block (``files/blocks.py``). What comes back has the
original's length, rate, channels and sample format.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

import torch
from tqdm import tqdm

from speechbrain_apcodec.files.bitstream import ApcHeader, read_apc, write_apc
from speechbrain_apcodec.files.blocks import decode_blocks, encode_blocks
from speechbrain_apcodec.utils.atomic import check_destination
from speechbrain_apcodec.utils.audio import (
    AUDIO_SUFFIXES,
    UNKNOWN,
    open_recording,
    storable_subtype,
)
from speechbrain_apcodec.utils.audio_writing import open_audio
from speechbrain_apcodec.utils.errors import AudioFileError, BitstreamError
from speechbrain_apcodec.utils.resampling import resample_in_blocks


def bitstream_model_id(model):
    """Name a model and its weights as an ``.apc`` file does.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec.

    Returns
    -------
    str
        ``NAME@`` and the first 16 hex digits of the weights' SHA-256.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> bitstream_model_id(
    ...     SimpleNamespace(model_id="mini", weights_sha256="0123456789abcdef")
    ... )
    'mini@0123456789abcdef'
    """
    return f"{model.model_id}@{model.weights_sha256[:16]}"


def check_model(model, header):
    """Refuse tokens that another model made.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec.
    header : ApcHeader or StreamHeader
        What the tokens stand for.

    Raises
    ------
    BitstreamError
        If they are not this model's.
    """
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


def encode_recording(model, wav, sample_rate, subtype, num_codebooks=None):
    """Turn a recording into tokens, one channel after the other.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec.
    wav : torch.Tensor
        float ``[channels, samples]``.
    sample_rate : int
        Its rate in Hz.
    subtype : str
        Its sample format, in soundfile's names.
    num_codebooks : int or None
        Codebooks to use; all of them by default.

    Returns
    -------
    header : ApcHeader
        What the tokens stand for.
    tokens : torch.Tensor
        int64 ``[channels, frames, num_codebooks]``.

    Raises
    ------
    APCodecError
        If the codec has no such number of codebooks, or no ``.apc`` file can
        describe the recording.
    """
    if num_codebooks is None:
        num_codebooks = model.num_codebooks
    channels, num_samples = wav.shape
    header = _header(
        model, sample_rate, num_samples, num_codebooks, channels, subtype
    )
    tokens = torch.empty(header.tokens_shape, dtype=torch.int64)
    for index, channel in enumerate(_progress(wav, "encode")):
        channel = resample_in_blocks(channel, sample_rate, model.sample_rate)
        coded, _ = model.encode(
            channel[None].to(model.device), num_codebooks=num_codebooks
        )
        tokens[index] = coded[0]
    return header, tokens


def decode_recording(model, header, tokens):
    """Turn tokens back into a recording, one channel after the other.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec that made the tokens.
    header : ApcHeader
        What the tokens stand for.
    tokens : torch.Tensor
        int64 ``[channels, frames, num_codebooks]``.

    Returns
    -------
    torch.Tensor
        float32 ``[channels, samples]`` at the original's rate and length.

    Raises
    ------
    BitstreamError
        If another model made the tokens.
    """
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


def encode_file(model, in_path, apc_path, num_codebooks=None, force=False):
    """Encode an audio file into an ``.apc`` file.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec.
    in_path : str or pathlib.Path
        An audio file or a pipe; ``-`` is standard input.
    apc_path : str or pathlib.Path
        The ``.apc`` file to write.
    num_codebooks : int or None
        Codebooks to use; all of them by default.
    force : bool
        Whether a file at ``apc_path`` may be replaced.

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
    >>> from speechbrain_apcodec import DEFAULT_MODEL
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams(DEFAULT_MODEL)  # doctest: +SKIP
    >>> encode_file(model, "in.wav", "tokens.apc").bitrate  # doctest: +SKIP
    6000.0
    """
    if Path(apc_path).suffix.lower() in AUDIO_SUFFIXES:
        raise AudioFileError(
            f"{apc_path} is the name of a recording: tokens go into a file "
            "named .apc"
        )
    check_destination(apc_path, [in_path], force)
    header, tokens = _encode(model, in_path, num_codebooks)
    write_apc(apc_path, header, tokens.numpy())
    return header


def decode_file(model, apc_path, out_path, force=False):
    """Decode an ``.apc`` file into an audio file.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec that made the ``.apc`` file.
    apc_path : str or pathlib.Path
        The ``.apc`` file.
    out_path : str or pathlib.Path
        The audio file to write. Its suffix names the container; it gets the
        original's sample format where the container offers it.
    force : bool
        Whether a file at ``out_path`` may be replaced.

    Returns
    -------
    ApcHeader
        What the ``.apc`` file says about the recording.

    Raises
    ------
    APCodecError
        If the ``.apc`` file is damaged or of another model, or the output
        is there already; nothing is written then.

    Example
    -------
    >>> from speechbrain_apcodec import DEFAULT_MODEL
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams(DEFAULT_MODEL)  # doctest: +SKIP
    >>> decode_file(model, "tokens.apc", "out.wav").subtype  # doctest: +SKIP
    'PCM_16'
    """
    check_destination(out_path, [apc_path], force)
    header, tokens = read_apc(apc_path)
    storable_subtype(out_path, header.subtype)
    _decode(model, header, torch.from_numpy(tokens), out_path)
    return header


def roundtrip_file(model, in_path, out_path, num_codebooks=None, force=False):
    """Encode and decode an audio file without keeping the tokens.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        The codec.
    in_path : str or pathlib.Path
        An audio file or a pipe; ``-`` is standard input.
    out_path : str or pathlib.Path
        The audio file to write, with the length, rate, channels and sample
        format of the input.
    num_codebooks : int or None
        Codebooks to use; all of them by default.
    force : bool
        Whether a file at ``out_path`` may be replaced.

    Returns
    -------
    ApcHeader
        What an ``.apc`` file would say about the recording.

    Raises
    ------
    APCodecError
        If the recording cannot be read or coded, or the output is there
        already or the input itself; nothing is written then.

    Example
    -------
    >>> from speechbrain_apcodec import DEFAULT_MODEL
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams(DEFAULT_MODEL)  # doctest: +SKIP
    >>> roundtrip_file(model, "in.wav", "out.wav").channels  # doctest: +SKIP
    1
    """
    check_destination(out_path, [in_path], force)
    header, tokens = _encode(model, in_path, num_codebooks, out_path)
    _decode(model, header, tokens, out_path)
    return header


def _encode(model, in_path, num_codebooks, out_path=None):
    """Encode a file block by block; see if ``out_path`` can be written."""
    with open_recording(in_path) as recording:
        audio_format = recording.audio_format
        if out_path is not None:
            storable_subtype(out_path, audio_format.subtype)
        if num_codebooks is None:
            num_codebooks = model.num_codebooks
        model.bitrate(num_codebooks)  # asked for the error alone
        seconds = audio_format.num_samples / audio_format.sample_rate
        if audio_format.num_samples >= UNKNOWN:
            seconds = None
        with _seconds(seconds, "encode") as bar:

            def blocks():
                for block in recording:
                    yield block
                    bar.update(block.shape[1] / audio_format.sample_rate)

            tokens, num_samples = encode_blocks(
                model, blocks(), audio_format.sample_rate, num_codebooks
            )
    header = _header(
        model,
        audio_format.sample_rate,
        num_samples,
        num_codebooks,
        audio_format.channels,
        audio_format.subtype,
    )
    return header, tokens


def _decode(model, header, tokens, out_path):
    """Decode into a file block by block."""
    check_model(model, header)
    with (
        _seconds(header.seconds, "decode") as bar,
        open_audio(
            out_path, header.channels, header.sample_rate, header.subtype
        ) as write,
    ):
        for block in decode_blocks(
            model,
            header,
            tokens,
            lambda frames: bar.update(frames / model.frame_rate),
        ):
            write(block)


def _header(model, sample_rate, num_samples, num_codebooks, channels, subtype):
    return ApcHeader(
        model_id=bitstream_model_id(model),
        codec_rate=model.sample_rate,
        sample_rate=sample_rate,
        num_samples=num_samples,
        hop_length=model.hop_length,
        num_codebooks=num_codebooks,
        codebook_size=model.codebook_size,
        channels=channels,
        subtype=subtype,
    )


def _seconds(total, task):
    """Show a bar of the seconds of audio done, on terminals only."""
    return tqdm(
        total=total,
        desc=task,
        bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s of audio "
        "[{elapsed}<{remaining}]"
        if total
        else "{desc}: {n:.0f} s of audio [{elapsed}]",
        leave=False,
        disable=None,
    )


def _progress(channels, task):
    """Show a bar of the channels done, on terminals only."""
    return tqdm(channels, task, unit="channel", leave=False, disable=None)
