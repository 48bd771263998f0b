"""Codec2, the classical vocoder for very low bitrates, by its own programs.

``c2enc`` and ``c2dec`` (Debian's package codec2) code speech at 8 kHz: their
output is empty above 4 kHz.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import tempfile
from pathlib import Path

import numpy
import torch

from speechbrain_apcodec.evaluation.programs import call_program
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wav

_RATE = 8000
_FRAME = 160  # samples, and the delay of the decoder
#: Bit/s of the modes whose packets hold whole frames of 20 or 40 ms.
MODES = (3200, 2400, 1600)


def codec2_roundtrip(
    wav: Wav, sample_rate: int, mode: int
) -> tuple[Wav, float]:
    """Code a waveform with Codec2, in one of ``MODES``, and decode it again.

    Returns the decoded waveform, as long as the first one and without the
    delay, and the kbps of the packets.
    """
    narrow = resample(wav.detach().cpu(), sample_rate, _RATE)
    # For the delay, and to fill the last packet: half a one is not coded.
    padding = _FRAME + -(len(narrow) + _FRAME) % (2 * _FRAME)
    padded = torch.nn.functional.pad(narrow, (0, padding))
    with tempfile.TemporaryDirectory(prefix="codec2_") as folder:
        original, coded, decoded = (
            Path(folder, name)
            for name in ("original.raw", "coded.bin", "decoded.raw")
        )
        integers = (padded.clamp(-1, 1) * 32767).round().numpy()
        original.write_bytes(integers.astype("<i2").tobytes())
        call_program("c2enc", str(mode), original, coded)
        call_program("c2dec", str(mode), coded, decoded)
        num_bits = 8 * coded.stat().st_size
        integers = numpy.frombuffer(decoded.read_bytes(), "<i2")
    result = torch.from_numpy(integers / numpy.float32(32768))[_FRAME:]
    kbps = num_bits / (len(padded) / _RATE) / 1000
    return resample(result, _RATE, sample_rate, len(wav)), kbps
