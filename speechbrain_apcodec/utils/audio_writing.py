"""Write audio files of any rate, width and channel count.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import soundfile
import torch

from speechbrain_apcodec.utils.atomic import atomic_path, check_destination
from speechbrain_apcodec.utils.errors import AudioFileError

#: Samples per channel that are written in one go, to bound the memory.
BLOCK_SAMPLES = 1 << 20

#: Bits of the integer encodings. libsndfile takes the most significant bits
#: of an int32, so one rule serves them all.
INTEGER_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
}

#: Encodings that keep any number of samples. Block codecs such as IMA ADPCM
#: round the length up, so a file coded by one is restored as 16-bit.
EXACT_SUBTYPES = {*INTEGER_BITS, "FLOAT", "DOUBLE", "ULAW", "ALAW"}

#: What stands in for an encoding that a container does not offer, best first.
SUBSTITUTES = {
    "PCM_S8": ("PCM_U8", "PCM_16"),
    "PCM_U8": ("PCM_S8", "PCM_16"),
    "PCM_24": ("PCM_32", "PCM_16"),
    "PCM_32": ("PCM_24", "PCM_16"),
    "FLOAT": ("PCM_24", "PCM_16"),
    "DOUBLE": ("FLOAT", "PCM_24", "PCM_16"),
    "ALAC_20": ("PCM_24", "PCM_16"),
    "ALAC_24": ("PCM_24", "PCM_16"),
    "ALAC_32": ("PCM_32", "PCM_24", "PCM_16"),
}


def storable_subtype(path, subtype):
    """Name the encoding that a file will get.

    It is ``subtype`` where the container of ``path`` offers it and keeps the
    number of samples, else the nearest one that the container offers.

    Arguments
    ---------
    path : str or pathlib.Path
        The file to be written; its suffix names the container.
    subtype : str
        The encoding wished for, in soundfile's names.

    Returns
    -------
    str
        An encoding of that container.

    Raises
    ------
    AudioFileError
        If the suffix belongs to no container that soundfile writes.

    Example
    -------
    >>> storable_subtype("a.wav", "PCM_24")
    'PCM_24'
    >>> storable_subtype("a.flac", "FLOAT")
    'PCM_24'
    >>> storable_subtype("a.wav", "VORBIS")
    'PCM_16'
    """
    container = _container(path)
    offered = soundfile.available_subtypes(container)
    exact = [name for name in offered if name in EXACT_SUBTYPES]
    if Path(path).suffix.lower() == ".opus":
        return "OPUS"
    if not exact:  # a lossy container, such as ogg, has its own encoding
        if subtype in offered:
            return subtype
        return soundfile.default_subtype(container)
    for name in (subtype, *SUBSTITUTES.get(subtype, ("PCM_16",))):
        if name in exact:
            return name
    return soundfile.default_subtype(container)


def write_audio(path, wav, sample_rate, subtype="PCM_16"):
    """Write an audio file, whole or not at all.

    Integer encodings are rounded to the nearest step and clipped at full
    scale: a sample that is too loud never wraps around.

    Arguments
    ---------
    path : str or pathlib.Path
        The file to write; its suffix names the container.
    wav : torch.Tensor
        float ``[channels, samples]`` or ``[samples]``.
    sample_rate : int
        Samples per second.
    subtype : str
        The encoding wished for; ``storable_subtype`` tells which one the
        container allows.

    Raises
    ------
    AudioFileError
        If ``wav`` is not finite, the folder is missing, the suffix names no
        container, or the container cannot hold this rate or number of
        channels.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "loud.wav"
    >>> write_audio(path, torch.tensor([2.0, -2.0]), 8000, "PCM_16")
    >>> soundfile.read(path, dtype="int16")[0]
    array([ 32767, -32768], dtype=int16)
    """
    wav = torch.atleast_2d(wav)
    with open_audio(path, wav.shape[0], sample_rate, subtype) as write:
        write(wav)


@contextmanager
def open_audio(
    path: str | Path, channels: int, sample_rate: int, subtype: str
) -> Iterator[Callable[[torch.Tensor], None]]:
    """Write an audio file block by block, whole or not at all.

    Arguments
    ---------
    path : str or pathlib.Path
        See `write_audio`.
    channels : int
        Number of channels.
    sample_rate : int
        Samples per second.
    subtype : str
        See `write_audio`.

    Yields
    ------
    callable
        Writes float ``[channels, samples]``.

    Raises
    ------
    AudioFileError
        As `write_audio`.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "blocks.wav"
    >>> with open_audio(path, 1, 8000, "PCM_16") as write:
    ...     write(torch.zeros(1, 3))
    ...     write(torch.full((1, 2), 0.5))
    >>> soundfile.read(path, dtype="int16")[0]
    array([    0,     0,     0, 16384, 16384], dtype=int16)
    """
    path = Path(path)
    subtype = storable_subtype(path, subtype)
    container = _container(path)
    check_destination(path, force=True)

    def write(wav):
        samples = wav.detach().cpu().float()
        if not samples.isfinite().all():
            raise AudioFileError(
                f"the samples for {path} hold NaN or infinite values: "
                "nothing was written, check the model that made them"
            )
        for start in range(0, samples.shape[1], BLOCK_SAMPLES):
            block = samples[:, start : start + BLOCK_SAMPLES].T.numpy()
            file.write(_encode_block(block, subtype))
            sink.raise_error()

    with atomic_path(path) as temporary, _Sink(temporary) as sink:
        try:
            with soundfile.SoundFile(
                sink,
                mode="w",
                samplerate=sample_rate,
                channels=channels,
                subtype=subtype,
                format=container,
            ) as file:
                yield write
        except soundfile.SoundFileError as error:
            sink.raise_error()
            raise AudioFileError(
                f"cannot write {path} as {container} {subtype} with "
                f"{channels} channels at {sample_rate} Hz "
                f"({' '.join(error.error_string.split()).rstrip('.:')}): "
                "choose the suffix .wav"
            ) from error
        sink.raise_error()


class _Sink:
    """A file for libsndfile, which forgets why it could not be written."""

    def __init__(self, path):
        self._file = path.open("w+b", buffering=0)
        self._error = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = self._error or error
        return len(data)

    def raise_error(self):
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error


def _container(path):
    """Name the container (in soundfile's words) that a suffix stands for."""
    suffix = Path(path).suffix.lstrip(".").upper()
    suffix = {"OPUS": "OGG", "AIF": "AIFF", "AIFC": "AIFF"}.get(suffix, suffix)
    if suffix == "RAW" or suffix not in soundfile.available_formats():
        raise AudioFileError(
            f"{path} has no suffix that names an audio format: "
            "use .wav, .flac or .ogg"
        )
    return suffix


def _encode_block(block, subtype):
    """Round and clip ``[samples, channels]`` for integer encodings."""
    bits = INTEGER_BITS.get(subtype)
    if bits is None:
        # The other integer-based encodings are clipped by soundfile itself.
        return block
    full_scale = 2.0 ** (bits - 1)
    steps = numpy.rint(block.astype(numpy.float64) * full_scale)
    steps = numpy.clip(steps, -full_scale, full_scale - 1)
    return steps.astype(numpy.int32) << (32 - bits)
