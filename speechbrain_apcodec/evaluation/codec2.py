"""Codec2, the classical vocoder of very low bitrates, by its own programs.

``c2enc`` and ``c2dec`` (Debian's package codec2) code speech at 8 kHz: what
they return is empty above 4 kHz.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import tempfile
from pathlib import Path

import numpy
import torch

from speechbrain_apcodec.evaluation.programs import call_program
from speechbrain_apcodec.utils.audio import resample

RATE = 8000
FRAME = 160  # samples; the decoder's output is late by as much
#: Bit/s of the modes whose packets hold whole frames of 20 or 40 ms.
MODES = (3200, 2400, 1600)


def codec2_roundtrip(wav, sample_rate, mode):
    """Code a waveform with Codec2 and decode it again.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform ``[T]``, at least one sample, in the range -1 to 1.
    sample_rate : int
        In Hz.
    mode : int
        Bit/s, one of ``MODES``.

    Returns
    -------
    decoded : torch.Tensor
        Waveform ``[T]`` at ``sample_rate``, its delay removed.
    measured_kbps : float
        Bits of the packets over the time that they last.

    Raises
    ------
    APCodecError
        If a program fails.

    Example
    -------
    >>> time = torch.arange(48000) / 48000
    >>> wav = 0.5 * torch.sin(2 * torch.pi * 440 * time)
    >>> decoded, kbps = codec2_roundtrip(wav, 48000, 2400)  # doctest: +SKIP
    >>> len(decoded), kbps  # doctest: +SKIP
    (48000, 2.4)
    """
    narrow = resample(wav.detach().cpu(), sample_rate, RATE)
    # The delay, and the rest of the last packet, which would not be coded.
    padding = FRAME + -(len(narrow) + FRAME) % (2 * FRAME)
    padded = torch.nn.functional.pad(narrow, (0, padding))
    with tempfile.TemporaryDirectory(prefix="codec2_") as folder:
        original, coded, decoded = (
            Path(folder, name)
            for name in ("original.raw", "coded.bin", "decoded.raw")
        )
        steps = (padded.clamp(-1, 1) * 32767).round().numpy()
        original.write_bytes(steps.astype("<i2").tobytes())
        call_program("c2enc", str(mode), original, coded)
        call_program("c2dec", str(mode), coded, decoded)
        num_bits = 8 * coded.stat().st_size
        steps = numpy.frombuffer(decoded.read_bytes(), "<i2")
    result = torch.from_numpy(steps / numpy.float32(32768))[FRAME:]
    kbps = num_bits / (len(padded) / RATE) / 1000
    return resample(result, RATE, sample_rate, len(wav)), kbps
