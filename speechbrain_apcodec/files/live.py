"""Live speech through the codec: samples to packets and back.

Both directions read what has arrived, and write the result at once. The tokens
and the samples are those of the whole recording.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import torch

from speechbrain_apcodec.files.coding import (
    bitstream_model_id,
    check_model,
    checked_codebooks,
)
from speechbrain_apcodec.files.packets import PacketWriter, StreamHeader
from speechbrain_apcodec.utils.errors import BitstreamError

if TYPE_CHECKING:
    from speechbrain_apcodec.files.audio_stream import AudioOutput, Samples
    from speechbrain_apcodec.files.packets import PacketReader
    from speechbrain_apcodec.inference.apcodec import APCodec


@dataclass(frozen=True)
class LiveReport:
    """What a stream was, once it has ended.

    ``num_bytes`` includes header and checksums. ``slowest_step`` is the longest
    time, in seconds, from the arrival of a piece until its result was written.

    Example
    -------
    >>> LiveReport(2.0, 100, 1800, 0.01).kbps
    7.2
    """

    seconds: float
    num_packets: int
    num_bytes: int
    slowest_step: float

    @property
    def kbps(self) -> float:
        """Kilobits of the packet stream per second of audio."""
        if self.seconds == 0:
            return 0.0
        return 8 * self.num_bytes / self.seconds / 1000


def stream_header(
    model: APCodec, num_codebooks: int | None = None
) -> StreamHeader:
    """Describe a model as a packet stream does."""
    return StreamHeader(
        model_id=bitstream_model_id(model),
        codec_rate=model.sample_rate,
        hop_length=model.hop_length,
        codebook_size=model.codebook_size,
        num_codebooks=checked_codebooks(model, num_codebooks),
    )


def encode_live(
    model: APCodec,
    audio: Iterable[Samples],
    file: IO[bytes],
    num_codebooks: int | None = None,
) -> LiveReport:
    """Encode audio as it arrives.

    Arguments
    ---------
    model : APCodec
        A codec that can be streamed.
    audio : iterable of numpy.ndarray
        float32 [samples] at the codec's rate, in pieces of any length, such
        as an ``AudioInput``.
    file : binary stream
        It gets the packets.
    num_codebooks : int, optional
        Codebooks to use; default: all.

    Returns
    -------
    LiveReport
        What the stream was.

    Raises
    ------
    APCodecError
        If the model cannot be streamed or has no such number of codebooks;
        nothing has been written then. If the audio is at fault, the stream
        stays without its end.

    Example
    -------
    >>> from speechbrain_apcodec.files.audio_stream import AudioInput
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams()  # doctest: +SKIP
    >>> with open("speech.wav", "rb") as speech:  # doctest: +SKIP
    ...     with open("speech.aps", "wb") as packets:
    ...         audio = AudioInput(speech, model.sample_rate)
    ...         encode_live(model, audio, packets)
    """
    header = stream_header(model, num_codebooks)
    context = model.make_streaming_context(num_codebooks=header.num_codebooks)
    writer = PacketWriter(file, header)
    num_samples, slowest = 0, 0.0
    for samples in audio:
        begin = time.perf_counter()
        num_samples += len(samples)
        tokens = context.encode(torch.from_numpy(samples)[None])
        writer.write(tokens[0].cpu().numpy())
        slowest = max(slowest, time.perf_counter() - begin)
    tokens = context.flush_encoder()
    writer.write(tokens[0].cpu().numpy())
    writer.end(num_samples)
    return LiveReport(
        seconds=num_samples / header.codec_rate,
        num_packets=writer.num_packets,
        num_bytes=writer.num_bytes,
        slowest_step=slowest,
    )


def decode_live(
    model: APCodec,
    packets: PacketReader,
    output: AudioOutput,
    low_delay: bool = False,
) -> LiveReport:
    """Decode packets as they arrive.

    Arguments
    ---------
    model : APCodec
        The codec that encoded; it can be streamed.
    packets : PacketReader
        The packets.
    output : AudioOutput
        Gets the samples.
    low_delay : bool
        Hold no samples back that may lie behind the end of the stream: it
        may become up to a token frame longer.

    Returns
    -------
    LiveReport
        What the stream was.

    Raises
    ------
    APCodecError
        If the model cannot be streamed.
    BitstreamError
        If another model encoded; nothing has been written then. If packets
        are damaged or missing; all that came before has been written.

    Example
    -------
    >>> from speechbrain_apcodec.files.audio_stream import AudioOutput
    >>> from speechbrain_apcodec.files.packets import PacketReader
    >>> from speechbrain_apcodec.inference import APCodec
    >>> model = APCodec.from_hparams()  # doctest: +SKIP
    >>> with open("speech.aps", "rb") as file:  # doctest: +SKIP
    ...     with open("speech.wav", "wb") as wav:
    ...         output = AudioOutput(wav, model.sample_rate)
    ...         decode_live(model, PacketReader(file), output)
    """
    check_model(model, packets.header)
    context = model.make_streaming_context(low_delay=low_delay)
    num_samples, slowest = 0, 0.0
    try:
        for tokens in packets:
            begin = time.perf_counter()
            wav = context.decode(torch.from_numpy(tokens)[None])
            num_samples += wav.shape[1]
            output.write(wav[0].float().cpu().numpy())
            slowest = max(slowest, time.perf_counter() - begin)
        # With low delay, more may have been played than there was.
        assert packets.num_samples is not None, "the stream has ended"
        num_samples = max(num_samples, packets.num_samples)
        wav = context.flush_decoder(num_samples)
        output.write(wav[0].float().cpu().numpy())
    except BitstreamError:
        # What was played cannot be taken back: play the rest of it as well.
        output.write(context.flush_decoder()[0].float().cpu().numpy())
        raise
    finally:
        output.end()
    return LiveReport(
        seconds=num_samples / packets.header.codec_rate,
        num_packets=packets.num_packets,
        num_bytes=packets.num_bytes,
        slowest_step=slowest,
    )
