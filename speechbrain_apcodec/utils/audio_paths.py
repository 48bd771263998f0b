"""Which paths are recordings, and may be read or written.

All of it is known before a file is opened, and without PyTorch: a wrong path is
answered at once.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.utils.atomic import check_destination, is_temporary
from speechbrain_apcodec.utils.errors import AudioFileError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

#: Suffixes by which recordings are found in a folder. soundfile knows the
#: file by its content.
# fmt: off
AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif",
    ".aifc", ".caf", ".w64", ".rf64", ".au", ".snd", ".sph",
)
# fmt: on


def check_source(path: AnyPath) -> None:
    """Refuse a path at which no recording can be; ``-`` is standard input.

    Example
    -------
    >>> check_source("no-such-file.wav")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.AudioFileError: no-such-file.wav does \
not exist: check the path
    """
    if str(path) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise AudioFileError(
                "standard input is no pipe and no file: name a recording, or "
                "put a program that writes one before this command"
            )
        return
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise AudioFileError(
            f"{path} does not exist: check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioFileError(f"{path} is a folder: give an audio file")
    if is_pipe(path):
        return
    if not stat.S_ISREG(status.st_mode):
        raise AudioFileError(f"{path} is a device: give an audio file")
    if status.st_size == 0:
        raise AudioFileError(f"{path} is an empty file: replace it")


def is_pipe(path: AnyPath) -> bool:
    """Tell whether a path is read once, until somebody closes it."""
    return Path(path).is_fifo() or Path(path).is_socket()


def check_apc_destination(
    path: AnyPath, inputs: Sequence[AnyPath] = (), force: bool = False
) -> None:
    """Call ``check_destination``; tokens are not named like a recording."""
    if Path(path).suffix.lower() in AUDIO_SUFFIXES:
        raise AudioFileError(
            f"{path} is the name of a recording: tokens go into a file "
            "named .apc"
        )
    check_destination(path, inputs, force)


def files_below(
    folder: Path,
    left_out: Set[Path] = frozenset(),
    above: frozenset[Path] = frozenset(),
) -> Iterator[Path]:
    """Yield every file; links are followed, but never in a circle."""
    resolved = folder.resolve()
    if resolved in left_out or resolved in above:
        return
    for path in folder.iterdir():
        if is_temporary(path):  # half a recording may look like a whole one
            continue
        if path.is_dir():
            yield from files_below(path, left_out, above | {resolved})
        elif path.resolve() not in left_out:
            yield path
