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
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
import torch

# Who handles files handles rates: callers find all in one place.
from speechbrain_apcodec.utils.audio_writing import (  # noqa: F401
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
    mix_to_mono,  # noqa: F401
    notice_once,
    peak_level,
)
from speechbrain_apcodec.utils.resampling import resample  # noqa: F401

#: Values that are read in one go. Blocks bound the memory, and a header that
#: promises too much cannot ask for gigabytes.
BLOCK_SAMPLES = 1 << 20

#: Suffixes by which recordings are found in a folder. soundfile knows the
#: file by its content.
AUDIO_SUFFIXES = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aiff",
    ".aif",
    ".aifc",
    ".caf",
    ".w64",
    ".rf64",
    ".au",
    ".snd",
    ".sph",
)

#: What libsndfile says of a length that no header tells.
UNKNOWN = 2**63 - 1


@dataclass(frozen=True)
class AudioFormat:
    """What an audio file's header says.

    Arguments
    ---------
    sample_rate : int
        Samples per second.
    channels : int
        Number of channels.
    num_samples : int
        Samples per channel. Of MP3, and of a FLAC that came through a pipe,
        ``read_audio_info`` knows an estimate; ``read_recording`` counts them.
    container : str
        soundfile's name of the container, such as ``"WAV"``.
    subtype : str
        soundfile's name of the sample encoding, such as ``"PCM_16"``.

    Example
    -------
    >>> AudioFormat(48000, 1, 24000, "WAV", "PCM_16").seconds
    0.5
    """

    sample_rate: int
    channels: int
    num_samples: int
    container: str
    subtype: str

    @property
    def seconds(self):
        """Length of the file in seconds."""
        return self.num_samples / self.sample_rate


def read_audio_info(path):
    """Read an audio file's header.

    Arguments
    ---------
    path : str or pathlib.Path
        An audio file.

    Returns
    -------
    AudioFormat
        Rate, channels, length and encoding.

    Raises
    ------
    AudioFileError
        If the file is missing, a folder, empty or not audio.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "silence.flac"
    >>> write_audio(path, torch.zeros(2, 100), 44100, "PCM_24")
    >>> read_audio_info(path)  # doctest: +NORMALIZE_WHITESPACE
    AudioFormat(sample_rate=44100, channels=2, num_samples=100,
                container='FLAC', subtype='PCM_24')
    """
    with _open(path) as file:
        return _format_of(file)


def read_recording(path):
    """Read a whole audio file, and what its header says.

    Arguments
    ---------
    path : str or pathlib.Path
        An audio file, a pipe such as ``/dev/stdin``, or ``-`` for standard
        input.

    Returns
    -------
    wav : torch.Tensor
        float32 ``[channels, samples]``; integer encodings lie in [-1, 1),
        float encodings are passed as they are.
    audio_format : AudioFormat
        With the number of samples that were read.

    Raises
    ------
    AudioFileError
        If the file is missing, a folder, empty, not audio, truncated, more
        than one recording, without a single sample, or holds NaN, infinite
        samples or such as are no audio in the range -1 to 1.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "half.wav"
    >>> write_audio(path, torch.full((1, 4), 0.5), 16000, "PCM_16")
    >>> wav, audio_format = read_recording(path)
    >>> wav, audio_format.subtype
    (tensor([[0.5000, 0.5000, 0.5000, 0.5000]]), 'PCM_16')
    """
    with open_recording(path) as recording:
        wav = torch.cat(list(recording), dim=1)
    return wav, recording.audio_format


def read_audio(path):
    """Read a whole audio file.

    Arguments
    ---------
    path : str or pathlib.Path
        See `read_recording`, which also returns what the header says.

    Returns
    -------
    wav : torch.Tensor
        float32 ``[channels, samples]``.
    sample_rate : int
        Samples per second.

    Raises
    ------
    AudioFileError
        As `read_recording`.

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

    Iterating gives float32 ``[channels, samples]``, and raises an
    ``AudioFileError`` as `read_recording` does, at the latest behind the
    last block: what is made of the blocks is good once that has come.

    Arguments
    ---------
    file : soundfile.SoundFile
        Open, at its beginning.
    name : str
        What errors call it.

    Attributes
    ----------
    audio_format : AudioFormat
        What the header says; behind the last block, with the number of
        samples that were read.
    """

    def __init__(self, file: soundfile.SoundFile, name: str):
        self._file = file
        self._name = name
        self.audio_format = _format_of(file)

    def __iter__(self) -> Iterator[torch.Tensor]:
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

    def _read(self):
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
def open_recording(path: str | Path) -> Iterator[Recording]:
    """Open an audio file that is read block by block.

    Arguments
    ---------
    path : str or pathlib.Path
        See `read_recording`.

    Yields
    ------
    Recording
        Its blocks, in limited memory.

    Raises
    ------
    AudioFileError
        As `read_recording`.

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

    Where a header does not say the length, libsndfile fails at the seek by
    which soundfile follows each read.
    """

    def seekable(self):
        return False


@contextmanager
def _open(path, whole=False):
    """Open an audio file or say what is wrong with it.

    Arguments
    ---------
    path : str or pathlib.Path
        The file.
    whole : bool
        Whether to look into it for what its header promises.
    """
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


def _source(path, whole):
    """Return what soundfile shall open, after a look at all of it."""
    data = _piped(path)
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


def _piped(path):
    """Return the bytes of a pipe; None if there is a file to be read.

    A pipe ends when it is closed and is read once, so that it is kept.
    """
    if str(path) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise AudioFileError(
                "standard input is no pipe and no file: name a recording, or "
                "put a program that writes one before this command"
            )
        return _not_empty(sys.stdin.buffer.read(), path)
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise AudioFileError(
            f"{path} does not exist: check the path"
        ) from error
    if stat.S_ISDIR(mode):
        raise AudioFileError(f"{path} is a folder: give an audio file")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return _not_empty(path.read_bytes(), path)
    if not stat.S_ISREG(mode):
        raise AudioFileError(f"{path} is a device: give an audio file")
    if path.stat().st_size == 0:
        raise AudioFileError(f"{path} is an empty file: replace it")
    return None


def _not_empty(data, path):
    if not data:
        raise AudioFileError(
            f"{shown(path)} ended before its first byte: see what writes it"
        )
    return data


def _format_of(file):
    return AudioFormat(
        sample_rate=file.samplerate,
        channels=file.channels,
        num_samples=file.frames,
        container=file.format,
        subtype=file.subtype,
    )


def _reason(error):
    """Give libsndfile's own words, without path and line breaks."""
    words = getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).rstrip(".:")
