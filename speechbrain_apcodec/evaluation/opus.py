"""Opus, the classical codec to beat, by its own programs.

``opusenc`` and ``opusdec`` (Debian's package opus-tools) code a waveform for
real: hard constant bitrate, tuned for speech. The decoder writes what it
gives its users, 16 bits with dither. In a metric of the whole band that is
kind to Opus: at low bitrates the dither is all there is above 8 kHz, and an
empty band would be further from the original.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import tempfile
from pathlib import Path

import soundfile
import torch

from speechbrain_apcodec.evaluation.programs import call_program
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.types import Wav


def opus_roundtrip(wav: Wav, sample_rate: int, kbps: int) -> tuple[Wav, float]:
    """Code a waveform with Opus, at 6 to 256 kbps, and decode it again.

    Returns the decoded waveform, as long as the first one and without delay,
    and the kbps of the audio packets. The pages and comments of the container
    are not counted: on a clip of a second they would outweigh the audio.
    """
    with tempfile.TemporaryDirectory(prefix="opus_") as folder:
        original, coded, decoded = (
            Path(folder, name)
            for name in ("original.wav", "coded.opus", "decoded.wav")
        )
        # 24 bits lie below all that 16-bit recordings and Opus resolve.
        soundfile.write(
            original,
            wav.detach().cpu().clamp(-1, 1).numpy(),
            sample_rate,
            subtype="PCM_24",
        )
        call_program("opusenc", "--quiet", "--bitrate", str(kbps),
                     "--hard-cbr", "--speech", original, coded)  # fmt: skip
        call_program("opusdec", "--quiet", "--rate", str(sample_rate),
                     coded, decoded)  # fmt: skip
        measured_kbps = _packet_kbps(coded.read_bytes())
        result = read_audio(decoded)[0][0]
    result = result[: len(wav)]
    padding = len(wav) - len(result)
    return torch.nn.functional.pad(result, (0, padding)), measured_kbps


def _packet_kbps(ogg: bytes) -> float:
    """Return the bitrate of the audio packets of an Ogg Opus file.

    A page is a header of 27 bytes, whose last one counts the segments, their
    lengths, and their bytes; a segment of less than 255 bytes ends a packet
    (RFC 3533). The first two packets are headers (RFC 7845). opusenc makes
    packets of 20 ms.
    """
    packets, position, unfinished = [], 0, 0
    while position < len(ogg):
        count = ogg[position + 26]
        lengths = ogg[position + 27 : position + 27 + count]
        for length in lengths:
            unfinished += length
            if length < 255:
                packets.append(unfinished)
                unfinished = 0
        position += 27 + count + sum(lengths)
    audio = packets[2:]
    return 8 * sum(audio) / (0.020 * len(audio)) / 1000
