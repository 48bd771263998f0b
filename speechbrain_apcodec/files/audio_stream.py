"""Audio through a pipe: WAV of unknown length, or samples alone.

Programs that record into a pipe cannot go back to write the length of their
WAV: they write 0, the largest number (ffmpeg) or one near 2 GiB (arecord,
sox). Audio then goes on until the pipe is closed.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import IO, Any, TypeAlias

import numpy
from numpy.typing import NDArray

from speechbrain_apcodec.files.arrivals import Arrivals, Readable
from speechbrain_apcodec.utils.containers import is_guess
from speechbrain_apcodec.utils.errors import AudioFileError
from speechbrain_apcodec.utils.levels import cancel_out

Samples: TypeAlias = NDArray[numpy.float32]

#: Formats of samples without a header, by the names that ffmpeg uses.
RAW_FORMATS = {"s16le": "<i2", "f32le": "<f4"}

# (format tag, bits) of WAV samples, and how they are read; 24 bits have no
# type of their own.
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WAV_FORMATS = {
    (_INTEGER, 16): "<i2",
    (_INTEGER, 24): "int24",
    (_INTEGER, 32): "<i4",
    (_FLOAT, 32): "<f4",
}

# A chunk before the audio that claims more than this is damaged.
_MAX_CHUNK_BYTES = 1 << 20

# What a header says of a length that it does not know, and its own length.
_UNKNOWN = 0xFFFFFFFF
_HEADER_BYTES = 44

# Bytes of one read: all that a pipe of Linux holds.
_READ_BYTES = 1 << 16


class AudioInput:
    """Read samples as they arrive.

    Iterating gives float32 [samples], the mean of all channels, however few
    are here; a stream that ends within a sample ends before it.

    Arguments
    ---------
    file : binary stream with ``read1``
        The header of a WAV is read now.
    sample_rate : int
        The rate needed, Hz. There is no resampling on the way.
    raw : str, optional
        One of ``RAW_FORMATS``: samples of one channel at that rate, without
        a header. Default: a WAV of 16, 24 or 32-bit integers or floats.

    Attributes
    ----------
    channels : int
        Number of channels.
    missing : int or None
        Samples that the header announces and that did not come yet, None if
        it announces none.

    Raises
    ------
    AudioFileError
        If the input is no such WAV, has another rate, or holds NaN.

    Example
    -------
    >>> import io
    >>> file = io.BytesIO(bytes.fromhex("0000 0040 00c0"))
    >>> [samples.tolist() for samples in AudioInput(file, 48000, "s16le")]
    [[0.0, 0.5, -0.5]]
    """

    def __init__(
        self, file: Readable, sample_rate: int, raw: str | None = None
    ) -> None:
        self._arrivals = Arrivals(file, _READ_BYTES)
        self._sample_rate = sample_rate
        self.channels = 1
        self.missing: int | None = None
        self._mean_power = 0.0
        self._powers: NDArray[numpy.float32] | float = 0.0
        if raw is None:
            self._read_header()
        else:
            self._format = RAW_FORMATS[raw]
            self._width = numpy.dtype(self._format).itemsize

    def __iter__(self) -> Iterator[Samples]:
        partial = b""
        # What came behind the header waits already.
        while self.missing != 0 and (self._arrivals or self._arrivals.wait()):
            data = partial + self._arrivals.take()
            number = len(data) // self._width
            if self.missing is not None:
                number = min(number, self.missing)
                self.missing -= number
            partial = data[number * self._width :]
            if number:
                yield self._samples(data[: number * self._width])

    @property
    def cancels_out(self) -> bool:
        """Whether the channels so far have left little of each other."""
        return self.channels > 1 and cancel_out(
            self._mean_power, numpy.atleast_1d(self._powers)
        )

    def _samples(self, data: bytes) -> Samples:
        """Turn whole samples into float32 [samples]."""
        if self._format == "int24":
            # As the upper bytes of 32 bits.
            padded = numpy.zeros((len(data) // 3, 4), numpy.uint8)
            padded[:, 1:] = numpy.frombuffer(data, numpy.uint8).reshape(-1, 3)
            steps = padded.reshape(-1).view("<i4")
        else:
            steps = numpy.frombuffer(data, self._format)
        scale = 1.0
        if steps.dtype.kind == "i":
            scale = 2.0 ** (1 - 8 * steps.dtype.itemsize)
        samples = steps.astype(numpy.float32) * numpy.float32(scale)
        channels = samples.reshape(-1, self.channels)
        samples = channels.mean(axis=1)
        self._powers = self._powers + numpy.square(channels).sum(axis=0)
        self._mean_power += numpy.square(samples).sum()
        if not numpy.isfinite(samples).all():
            raise AudioFileError(
                "the input holds NaN or infinite samples: see what records it"
            )
        return samples

    def _read_header(self) -> None:
        """Read a WAV up to its samples."""
        riff, _, wave = self._unpack("<4sI4s")
        if (riff, wave) != (b"RIFF", b"WAVE"):
            raise AudioFileError(
                "the input is no WAV: name the format of samples without a "
                f"header with --raw ({', '.join(RAW_FORMATS)})"
            )
        self._format = ""
        while True:
            name, size = self._unpack("<4sI")
            if name == b"data":
                break
            if size > _MAX_CHUNK_BYTES:
                raise AudioFileError(
                    f"the WAV's chunk {name!r} has {size} bytes: the input "
                    "is damaged"
                )
            # Chunks fill an even number of bytes.
            chunk = self._take(size + size % 2)
            if name == b"fmt " and size >= 16:
                self._read_format(chunk)
        if not self._format:
            raise AudioFileError(
                "the WAV does not say its format before its samples: the "
                "input is damaged"
            )
        if not is_guess(size):
            self.missing = size // self._width

    def _read_format(self, chunk: bytes) -> None:
        tag, self.channels, rate, _, _, bits = struct.unpack_from(
            "<HHIIHH", chunk
        )
        if tag == _EXTENSIBLE and len(chunk) >= 26:
            (tag,) = struct.unpack_from("<H", chunk, 24)
        if (tag, bits) not in _WAV_FORMATS or self.channels == 0:
            raise AudioFileError(
                f"the WAV has samples of format {tag} with {bits} bits: "
                "record with 16, 24 or 32 bits, integers or floats"
            )
        if rate != self._sample_rate:
            raise AudioFileError(
                f"the input has {rate} Hz, the model takes "
                f"{self._sample_rate}: record at that rate, or resample with "
                f"`ffmpeg -i - -ar {self._sample_rate} -f wav - |` or "
                f"`sox -t wav - -t wav -r {self._sample_rate} - |` before this "
                "command"
            )
        self._format = _WAV_FORMATS[tag, bits]
        self._width = self.channels * bits // 8

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _take(self, size: int) -> bytes:
        data = self._arrivals.take(size)
        if len(data) < size:
            raise AudioFileError(
                "the input ended before its first sample: see what records it"
            )
        return data


class AudioOutput:
    """Write samples as they are made.

    Arguments
    ---------
    file : binary stream
        It gets the samples at once.
    sample_rate : int
        Rate in Hz.
    raw : str, optional
        One of ``RAW_FORMATS``; default: a 16-bit WAV, whose header the first
        ``write`` writes, be it of no samples. Its length is unknown until
        ``end``, and for good in a pipe.

    Example
    -------
    >>> import io
    >>> file = io.BytesIO()
    >>> output = AudioOutput(file, 48000)
    >>> output.write(numpy.array([0.0, 0.5, 2.0], numpy.float32))
    >>> file.seek(0)
    0
    >>> [samples.tolist() for samples in AudioInput(file, 48000)]
    [[0.0, 0.5, 0.999969482421875]]
    """

    def __init__(
        self, file: IO[bytes], sample_rate: int, raw: str | None = None
    ) -> None:
        self._file = file
        self._format = RAW_FORMATS[raw or "s16le"]
        self._sample_rate = sample_rate
        self._num_bytes = 0
        self._header = b"" if raw else self._wav_header(_UNKNOWN)
        self._begin: int | None = None
        if not raw and _can_be_rewritten(file):
            self._begin = file.tell()

    def write(self, samples: Samples) -> None:
        """Write float32 [samples]; integers are rounded, and clipped at 1."""
        if self._format == "<i2":
            samples = numpy.rint(samples * 32768.0).clip(-32768, 32767)
        data = samples.astype(self._format).tobytes()
        self._file.write(self._header + data)
        self._file.flush()
        self._header = b""
        self._num_bytes += len(data)

    def end(self) -> None:
        """Write the true length, where a file and not a pipe was written.

        A WAV of more than 4 GiB keeps its unknown length.
        """
        fits = self._num_bytes + _HEADER_BYTES < _UNKNOWN
        if self._begin is None or self._header or not fits:
            return
        self._file.seek(self._begin)
        self._file.write(self._wav_header(self._num_bytes))
        self._file.seek(self._begin + _HEADER_BYTES + self._num_bytes)
        self._file.flush()

    def _wav_header(self, num_bytes: int) -> bytes:
        """Make the header of so many bytes of samples."""
        size = min(num_bytes + _HEADER_BYTES - 8, _UNKNOWN)
        rate = self._sample_rate
        return b"".join(
            [
                struct.pack("<4sI4s", b"RIFF", size, b"WAVE"),
                struct.pack("<4sIHH", b"fmt ", 16, _INTEGER, 1),
                struct.pack("<IIHH", rate, 2 * rate, 2, 16),
                struct.pack("<4sI", b"data", num_bytes),
            ]
        )


def _can_be_rewritten(file: IO[bytes]) -> bool:
    """Tell a file from a pipe, and from one to whose end all is appended."""
    if not file.seekable():
        return False
    try:
        import fcntl

        flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
    except (ImportError, io.UnsupportedOperation):  # Windows, or in memory
        return True
    return not flags & os.O_APPEND
