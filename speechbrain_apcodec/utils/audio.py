"""Read audio files of any rate, width and channel count.

The one reader of the package: coding, tokens, training and evaluation all
come here. Files are decoded by soundfile (wav, flac, ogg, opus, mp3, aiff...)
and read to their end, or refused: a file that is not whole is never taken for
one that is. Tensors are float32 ``[channels, samples]`` in the range -1 to 1.
Every fault of a file is an :class:`AudioFileError` whose one line names the
file, the cause and the fix.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import io
import math
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechbrain_apcodec.utils.audio_paths import check_source, is_pipe
from speechbrain_apcodec.utils.audio_writing import (
    storable_subtype,
    write_audio,
)
from speechbrain_apcodec.utils.containers import (
    SAMPLE_RATES,
    find_fault,
    lacks_end_mark,
)
from speechbrain_apcodec.utils.errors import AudioFileError, shown
from speechbrain_apcodec.utils.levels import (
    check_level,
    mix_to_mono,
    notice_once,
    peak_level,
)
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import AnyPath

# Who handles files handles rates: callers find all in one place.
__all__ = [
    "AudioFormat",
    "Recording",
    "mix_to_mono",
    "open_recording",
    "read_audio",
    "read_audio_info",
    "read_recording",
    "resample",
    "storable_subtype",
    "write_audio",
]

#: Values that are read in one go. Blocks bound the memory, and a header that
#: promises too much cannot ask for gigabytes.
BLOCK_SAMPLES = 1 << 20

#: What libsndfile says of a length that no header tells.
UNKNOWN = 2**63 - 1


@dataclass(frozen=True)
class AudioFormat:
    """What an audio file's header says, encodings by soundfile's names.

    Of MP3, and of a FLAC that came through a pipe, ``read_audio_info`` knows an
    estimate of the samples per channel; ``read_recording`` counts them.
    """

    sample_rate: int
    channels: int
    num_samples: int
    container: str
    subtype: str

    @property
    def seconds(self) -> float:
        """Length of the file in seconds."""
        return self.num_samples / self.sample_rate


def read_audio_info(path: AnyPath) -> AudioFormat:
    """Read an audio file's header."""
    with _open(path) as file:
        return _format_of(file)


def read_recording(path: AnyPath) -> tuple[Tensor, AudioFormat]:
    """Read a whole audio file, and what its header says.

    The path may also be a pipe such as ``/dev/stdin``, or ``-`` for standard
    input. The waveform is float32 ``[channels, samples]``: integer encodings
    lie in [-1, 1), float encodings are passed as they are. An
    ``AudioFileError`` refuses a file that is not whole, that holds several
    recordings or none, or whose samples are NaN, infinite or integers.
    """
    with open_recording(path) as recording:
        wav = torch.cat(list(recording), dim=1)
    return wav, recording.audio_format


def read_audio(path: AnyPath) -> tuple[Tensor, int]:
    """Read a whole audio file, as ``read_recording``, and its rate in Hz.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "half.wav"
    >>> write_audio(path, torch.full((1, 4), 0.5), 16000, "PCM_16")
    >>> read_audio(path)
    (tensor([[0.5000, 0.5000, 0.5000, 0.5000]]), 16000)
    """
    wav, audio_format = read_recording(path)
    return wav, audio_format.sample_rate


class Recording:
    """A file that is read block by block, from its beginning to its end.

    Iterating gives float32 ``[channels, samples]``. What is made of the blocks
    is good only after the last: some faults show there. ``audio_format`` then
    holds the number of samples that were read.
    """

    def __init__(self, file: soundfile.SoundFile, name: str) -> None:
        self._file = file
        self._name = name
        self.audio_format = _format_of(file)

    def __iter__(self) -> Iterator[Tensor]:
        num_samples, peak = 0, 0.0
        while len(block := self._read()):
            wav = torch.from_numpy(block).T
            block_peak = peak_level(wav)
            if not math.isfinite(block_peak):
                raise AudioFileError(
                    f"{self._name} holds NaN or infinite samples: "
                    "repair it or export it again from its source"
                )
            num_samples += len(block)
            peak = max(peak, block_peak)
            yield wav
        promised = self.audio_format.num_samples
        if num_samples == 0:
            raise AudioFileError(
                f"{self._name} holds no samples: give a file of at least one "
                "sample"
            )
        container = self.audio_format.container
        if num_samples < promised < UNKNOWN and container != "MP3":
            raise AudioFileError(
                f"{self._name} is truncated ({num_samples} of {promised} "
                "samples): replace the file"
            )
        check_level(peak, self._name)
        self.audio_format = replace(self.audio_format, num_samples=num_samples)

    def _read(self) -> NDArray[numpy.float32]:
        block_samples = max(1, BLOCK_SAMPLES // self._file.channels)
        try:
            return self._file.read(
                block_samples, dtype="float32", always_2d=True
            )
        except soundfile.SoundFileError as error:
            raise AudioFileError(
                f"{self._name} is damaged ({_reason(error)}): replace the file"
            ) from error


@contextmanager
def open_recording(path: AnyPath) -> Iterator[Recording]:
    """Open an audio file to read it block by block, in limited memory.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "half.wav"
    >>> write_audio(path, torch.full((1, 4), 0.5), 16000, "PCM_16")
    >>> with open_recording(path) as recording:
    ...     [block.shape for block in recording]
    [torch.Size([1, 4])]
    """
    with _open(path, whole=True) as file:
        yield Recording(file, shown(path))


class _Forward(soundfile.SoundFile):
    """A file that is read from its beginning to its end.

    If a header does not say the length, libsndfile fails at the seek by which
    soundfile follows each read.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _open(path: AnyPath, whole: bool = False) -> Iterator[soundfile.SoundFile]:
    """Open an audio file; if ``whole``, look for faults in all of it first."""
    name = shown(path)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_Forward(_source(path, whole)))
        except OSError as error:
            raise AudioFileError(
                f"{name} cannot be read ({error.strerror}): "
                "check the file's permissions"
            ) from error
        # A headerless .raw file has no rate, which soundfile calls a
        # TypeError.
        except (soundfile.SoundFileError, TypeError) as error:
            raise AudioFileError(
                f"{name} is not an audio file that can be read "
                f"({_reason(error)}): give wav, flac, ogg, opus, mp3 or aiff"
            ) from error
        if not SAMPLE_RATES[0] <= file.samplerate <= SAMPLE_RATES[1]:
            raise AudioFileError(
                f"{name} has a sampling rate of {file.samplerate} Hz, not "
                f"from {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]}: replace "
                "the file, or correct its header"
            )
        yield file


def _source(path: AnyPath, whole: bool) -> bytes | io.BytesIO:
    """Return the path or bytes for soundfile; if ``whole``, check them."""
    data: bytes | mmap.mmap | None = _piped(path)
    source = os.fsencode(path) if data is None else io.BytesIO(data)
    if not whole:
        return source
    with ExitStack() as stack:
        if data is None:
            stream = stack.enter_context(Path(path).open("rb"))
            data = stack.enter_context(
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            )
        fault = find_fault(data)
        if fault is not None:
            raise AudioFileError(f"{shown(path)} {fault}")
        if lacks_end_mark(data):
            notice_once(
                f"{shown(path)} has no mark at its end, which may be missing: "
                "all that it holds is read"
            )
    return source


def _piped(path: AnyPath) -> bytes | None:
    """Return the bytes of a pipe; None if there is a file to be read.

    A pipe ends when it is closed and is read once, so that it is kept.
    """
    check_source(path)
    if str(path) == "-":
        return _not_empty(sys.stdin.buffer.read(), path)
    if is_pipe(path):
        return _not_empty(Path(path).read_bytes(), path)
    return None


def _not_empty(data: bytes, path: AnyPath) -> bytes:
    if not data:
        raise AudioFileError(
            f"{shown(path)} ended before its first byte: see what writes it"
        )
    return data


def _format_of(file: soundfile.SoundFile) -> AudioFormat:
    return AudioFormat(
        sample_rate=file.samplerate,
        channels=file.channels,
        num_samples=file.frames,
        container=file.format,
        subtype=file.subtype,
    )


def _reason(error: Exception) -> str:
    """Give libsndfile's own words, without path and line breaks."""
    words = getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).rstrip(".:")
