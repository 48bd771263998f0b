"""Read and write audio files of any rate, width and channel count.

Files are read and written by soundfile (wav, flac, ogg, opus, mp3, aiff...),
tensors are float32 ``[channels, samples]`` in the range -1 to 1. Every fault
of a file is an :class:`AudioFileError` whose one line names the file, the
cause and the fix.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass
from pathlib import Path

import numpy
import soundfile
import torch

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import AudioFileError

# Who handles files handles rates: callers find both in one place.
from speechbrain_apcodec.utils.resampling import resample  # noqa: F401

#: Samples per channel that are read or written in one go. Blocks bound the
#: memory, and a header that promises too much cannot ask for gigabytes.
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
        Samples per channel. For MP3 this is an estimate; the tensor that
        ``read_audio`` returns is exact.
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
        return AudioFormat(
            sample_rate=file.samplerate,
            channels=file.channels,
            num_samples=file.frames,
            container=file.format,
            subtype=file.subtype,
        )


def all_finite(values):
    """Tell whether there is neither NaN nor infinity, without a copy.

    Arguments
    ---------
    values : torch.Tensor
        float, any shape; an hour of audio may be in it.

    Returns
    -------
    bool

    Example
    -------
    >>> all_finite(torch.ones(2)), all_finite(torch.tensor([0.0, torch.nan]))
    (True, False)
    """
    if values.numel() == 0:
        return True
    return all(bool(extreme.isfinite()) for extreme in values.aminmax())


def read_audio(path):
    """Read a whole audio file.

    Arguments
    ---------
    path : str or pathlib.Path
        An audio file.

    Returns
    -------
    wav : torch.Tensor
        float32 ``[channels, samples]``; integer encodings lie in [-1, 1),
        float encodings are passed as they are.
    sample_rate : int
        Samples per second.

    Raises
    ------
    AudioFileError
        If the file is missing, a folder, empty, not audio, truncated,
        without a single sample, or holds NaN or infinite samples.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "half.wav"
    >>> write_audio(path, torch.full((1, 4), 0.5), 16000, "PCM_16")
    >>> read_audio(path)
    (tensor([[0.5000, 0.5000, 0.5000, 0.5000]]), 16000)
    """
    blocks = []
    with _open(path) as file:
        sample_rate = file.samplerate
        # Only MP3 headers estimate the length; elsewhere fewer samples than
        # promised mean that the end of the file is lost.
        promised = 1 if file.format == "MP3" else file.frames
        try:
            while True:
                block = file.read(
                    BLOCK_SAMPLES, dtype="float32", always_2d=True
                )
                if len(block) == 0:
                    break
                blocks.append(torch.from_numpy(block).T)
        except soundfile.SoundFileError as error:
            raise AudioFileError(
                f"{path} is damaged ({_reason(error)}): replace the file"
            ) from error
    num_samples = sum(block.shape[1] for block in blocks)
    if num_samples == 0:
        raise AudioFileError(
            f"{path} holds no samples: give a file of at least one sample"
        )
    if num_samples < promised:
        raise AudioFileError(
            f"{path} is truncated ({num_samples} of {promised} samples): "
            "replace the file"
        )
    wav = torch.cat(blocks, dim=1)
    if not all_finite(wav):
        raise AudioFileError(
            f"{path} holds NaN or infinite samples: "
            "repair it or export it again from its source"
        )
    return wav, sample_rate


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


def check_destination(path):
    """Refuse a place where no file can be written, before the long work.

    Arguments
    ---------
    path : str or pathlib.Path
        The file to be written.

    Raises
    ------
    AudioFileError
        If ``path`` is a folder or its parent is none.

    Example
    -------
    >>> check_destination("no-such-folder/out.wav")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.AudioFileError: no-such-folder is not a \
folder: create it before writing no-such-folder/out.wav
    """
    path = Path(path)
    if path.is_dir():
        raise AudioFileError(f"{path} is a folder: name a file inside it")
    if not path.parent.is_dir():
        raise AudioFileError(
            f"{path.parent} is not a folder: create it before writing {path}"
        )


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
    >>> read_audio(path)[0]
    tensor([[ 1.0000, -1.0000]])
    """
    path = Path(path)
    samples = torch.atleast_2d(wav.detach().cpu().float())
    if not all_finite(samples):
        raise AudioFileError(
            f"the samples for {path} hold NaN or infinite values: "
            "nothing was written, check the model that made them"
        )
    subtype = storable_subtype(path, subtype)
    container = _container(path)
    check_destination(path)
    with atomic_path(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary,
                mode="w",
                samplerate=sample_rate,
                channels=samples.shape[0],
                subtype=subtype,
                format=container,
            ) as file:
                for start in range(0, samples.shape[1], BLOCK_SAMPLES):
                    block = samples[:, start : start + BLOCK_SAMPLES].T.numpy()
                    file.write(_encode_block(block, subtype))
        except soundfile.SoundFileError as error:
            raise AudioFileError(
                f"cannot write {path} as {container} {subtype} with "
                f"{samples.shape[0]} channels at {sample_rate} Hz "
                f"({_reason(error)}): choose the suffix .wav"
            ) from error


def _open(path):
    """Open an audio file for reading or say what is wrong with it."""
    path = Path(path)
    if path.is_dir():
        raise AudioFileError(f"{path} is a folder: give an audio file")
    if not path.exists():
        raise AudioFileError(f"{path} does not exist: check the path")
    try:
        size = path.stat().st_size
        if size == 0:
            raise AudioFileError(f"{path} is an empty file: replace it")
        with path.open("rb"):  # libsndfile calls this only "System error"
            pass
        return soundfile.SoundFile(path)
    except OSError as error:
        raise AudioFileError(
            f"{path} cannot be read ({error.strerror}): "
            "check the file's permissions"
        ) from error
    # A headerless .raw file has no rate, which soundfile calls a TypeError.
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioFileError(
            f"{path} is not an audio file that can be read "
            f"({_reason(error)}): give wav, flac, ogg, opus, mp3 or aiff"
        ) from error


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


def _reason(error):
    """Give libsndfile's own words, without path and line breaks."""
    words = getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).rstrip(".:")
