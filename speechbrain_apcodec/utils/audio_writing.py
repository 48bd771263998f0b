"""Write audio files of any rate, width and channel count.

PyTorch is not imported, so that a wrong name is refused at once.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import soundfile

from speechbrain_apcodec.utils.atomic import atomic_path, check_destination
from speechbrain_apcodec.utils.errors import AudioFileError

if TYPE_CHECKING:
    from torch import Tensor

    from speechbrain_apcodec.utils.types import AnyPath

#: Samples per channel that are written in one go, to bound the memory.
BLOCK_SAMPLES = 1 << 20

# Bits of the integer encodings. libsndfile takes the most significant bits
# of an int32, so one rule serves them all.
_INTEGER_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
}

# Encodings that keep any number of samples. Block codecs such as IMA ADPCM
# round the length up, so a file coded by one is restored as 16-bit.
_EXACT_SUBTYPES = {*_INTEGER_BITS, "FLOAT", "DOUBLE", "ULAW", "ALAW"}

# What replaces an encoding that a container does not offer, best first.
_SUBSTITUTES = {
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


def check_audio_destination(
    path: AnyPath, inputs: Sequence[AnyPath] = (), force: bool = False
) -> None:
    """Call ``check_destination``, and refuse a suffix of no audio format."""
    check_destination(path, inputs, force)
    _container(path)


def storable_subtype(path: AnyPath, subtype: str) -> str:
    """Name the encoding that a file will get, in soundfile's names.

    It is ``subtype`` where the container of ``path`` (by its suffix) offers it
    and keeps the number of samples, else the nearest one that it offers.
    """
    container = _container(path)
    offered = soundfile.available_subtypes(container)
    exact = [name for name in offered if name in _EXACT_SUBTYPES]
    if Path(path).suffix.lower() == ".opus":
        return "OPUS"
    if not exact:  # a lossy container, such as ogg, has its own encoding
        if subtype in offered:
            return subtype
        return soundfile.default_subtype(container)
    for name in (subtype, *_SUBSTITUTES.get(subtype, ("PCM_16",))):
        if name in exact:
            return name
    return soundfile.default_subtype(container)


def write_audio(
    path: AnyPath, wav: Tensor, sample_rate: int, subtype: str = "PCM_16"
) -> None:
    """Write float ``[channels, samples]`` or ``[samples]``, all or nothing.

    The suffix names the container, and ``storable_subtype`` the encoding.
    Integer encodings are rounded to the nearest step and clipped at full scale:
    a sample that is too loud never wraps around.

    Example
    -------
    >>> import tempfile
    >>> import torch
    >>> path = Path(tempfile.mkdtemp()) / "loud.wav"
    >>> write_audio(path, torch.tensor([2.0, -2.0]), 8000, "PCM_16")
    >>> soundfile.read(path, dtype="int16")[0]
    array([ 32767, -32768], dtype=int16)
    """
    if wav.dim() == 1:
        wav = wav[None]
    with open_audio(path, wav.shape[0], sample_rate, subtype) as write:
        write(wav)


@contextmanager
def open_audio(
    path: AnyPath, channels: int, sample_rate: int, subtype: str
) -> Iterator[Callable[[Tensor], None]]:
    """Yield a function that writes the next samples; see ``write_audio``.

    Example
    -------
    >>> import tempfile
    >>> import torch
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

    def write(wav: Tensor) -> None:
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

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = self._error or error
        return len(data)

    def raise_error(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error


def _container(path: AnyPath) -> str:
    """Name the container (in soundfile's words) that a suffix stands for."""
    suffix = Path(path).suffix.lstrip(".").upper()
    suffix = {"OPUS": "OGG", "AIF": "AIFF", "AIFC": "AIFF"}.get(suffix, suffix)
    if suffix == "RAW" or suffix not in soundfile.available_formats():
        raise AudioFileError(
            f"{path} has no suffix that names an audio format: "
            "use .wav, .flac or .ogg"
        )
    return suffix


def _encode_block(
    block: numpy.ndarray[Any, Any], subtype: str
) -> numpy.ndarray[Any, Any]:
    """Round and clip ``[samples, channels]`` for integer encodings."""
    bits = _INTEGER_BITS.get(subtype)
    if bits is None:
        # The other integer-based encodings are clipped by soundfile itself.
        return block
    full_scale = 2.0 ** (bits - 1)
    steps = numpy.rint(block.astype(numpy.float64) * full_scale)
    steps = numpy.clip(steps, -full_scale, full_scale - 1)
    return steps.astype(numpy.int32) << (32 - bits)
