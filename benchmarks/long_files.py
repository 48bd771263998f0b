"""Encode and decode an hour of stereo, and watch the memory.

Compares what ``apcodec encode`` and ``apcodec decode`` take for a long and a
short recording, and what comes of them with what is promised::

    python benchmarks/long_files.py MODEL long_files.json --minutes 60

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy
import soundfile

from speechbrain_apcodec.files.apc_header import measured_kbps
from speechbrain_apcodec.files.bitstream import read_apc
from speechbrain_apcodec.utils.atomic import write_json

RATE = 48000
CHANNELS = 2


def write_recording(path, minutes):
    """Write stereo: harmonics of gliding pitches, and noise.

    Arguments
    ---------
    path : pathlib.Path
        The file.
    minutes : float
        Its length.
    """
    rng = numpy.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, "PCM_16") as file:
        missing = round(60 * minutes * RATE)
        while missing:
            number = min(missing, 10 * RATE)
            seconds = numpy.arange(number) / RATE
            pitch = 120 + 40 * numpy.sin(seconds)
            phase = 2 * numpy.pi * numpy.cumsum(pitch) / RATE
            left = sum(numpy.sin(k * phase) / k for k in range(1, 20))
            wav = 0.1 * numpy.stack([left, left[::-1]], axis=1)
            file.write(wav + 0.01 * rng.standard_normal(wav.shape))
            missing -= number


def run(*arguments):
    """Run ``apcodec``.

    Arguments
    ---------
    *arguments : str
        Of its command line.

    Returns
    -------
    dict
        Most resident megabytes, and seconds.
    """
    start = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "speechbrain_apcodec",
        *map(str, arguments),
    ]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise RuntimeError(f"{command} ended with {status}")
    return {
        "resident_megabytes": round(usage.ru_maxrss / 1024),
        "seconds": round(time.monotonic() - start, 1),
    }


def measure(model, minutes):
    """Encode and decode one recording.

    Arguments
    ---------
    model : str
        Folder of a model.
    minutes : float
        Length of the recording.

    Returns
    -------
    dict
        What it took, and what came of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        wav, apc, out = (
            Path(folder) / name for name in ("in.wav", "in.apc", "out.wav")
        )
        write_recording(wav, minutes)
        encode = run("encode", wav, apc, "--model", model)
        decode = run("decode", apc, out, "--model", model)
        header, _ = read_apc(apc)
        samples = [soundfile.info(path).frames for path in (wav, out)]
        return {
            "minutes": minutes,
            "encode": encode,
            "decode": decode,
            "samples_are_exact": samples[0] == samples[1],
            "kbps": round(measured_kbps(apc.stat().st_size, header), 4),
            "nominal_kbps": header.bitrate / 1000,
        }


def main():
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    rows = [measure(arguments.model, m) for m in (1.0, arguments.minutes)]
    added = {
        command: rows[1][command]["resident_megabytes"]
        - rows[0][command]["resident_megabytes"]
        for command in ("encode", "decode")
    }
    figures = {"added_megabytes": added, "recordings": rows}
    write_json(arguments.output, figures)
    print(arguments.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
