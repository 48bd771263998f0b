"""Files that appear whole or not at all, and replace no other by mistake.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath


@contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` if nothing goes wrong.

    The temporary file lies in the same folder (a rename across file systems
    is a copy, and a copy can be interrupted) and keeps the suffix, by which
    audio and picture writers choose their format. A link is written through:
    the file that it leads to is the one that changes. An ``OSError`` names
    ``path``.

    Example
    -------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "tokens.txt") as temporary:
    ...     _ = temporary.write_text("1 2 3")
    >>> (folder / "tokens.txt").read_text()
    '1 2 3'
    """
    path = Path(path)
    target = path.resolve() if path.is_symlink() else path
    temporary = temporary_beside(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """Name a hidden file or folder beside a path, with the same suffix."""
    return path.with_name(f".{uuid.uuid4().hex}{path.suffix[:16]}")


def is_temporary(path: Path) -> bool:
    """Tell whether a killed process left this file or folder unfinished.

    Example
    -------
    >>> is_temporary(temporary_beside(Path("a.wav")))
    True
    >>> is_temporary(Path(".a.wav"))
    False
    """
    return re.fullmatch(r"\.[0-9a-f]{32}(\..*)?", path.name) is not None


def check_destination(
    path: AnyPath, inputs: Sequence[AnyPath] = (), force: bool = False
) -> None:
    """Refuse a path where no file should be written, before the long work.

    The ``inputs`` that the file is made from are never replaced, any other
    file only with ``force``.

    Example
    -------
    >>> check_destination("no-such-folder/out.wav")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.AudioFileError: no-such-folder is not a \
folder: create it before writing no-such-folder/out.wav
    """
    path = Path(path)
    target = path.resolve() if path.is_symlink() else path
    if path.is_dir():
        raise AudioFileError(f"{path} is a folder: name a file inside it")
    if not target.parent.is_dir():
        raise AudioFileError(
            f"{target.parent} is not a folder: create it before writing {path}"
        )
    if not path.exists():
        return
    if not path.is_file():
        raise AudioFileError(
            f"{path} is a device or a pipe, not a file: name a file"
        )
    if any(Path(one).exists() and path.samefile(one) for one in inputs):
        raise AudioFileError(
            f"{path} is the input itself, which is never replaced: name "
            "another file"
        )
    if not force:
        raise AudioFileError(
            f"{path} exists: name another file, or replace it with --force "
            "(in Python: force=True)"
        )


def write_json(path: AnyPath, content: Mapping[str, Any]) -> None:
    """Write a JSON file; its folder is made if there is none."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
            # A path that is no UTF-8 is escaped, as JSON itself would do.
            errors="backslashreplace",
        )


def read_json(path: AnyPath) -> dict[str, Any]:
    """Read a JSON file of one object, such as ``write_json`` writes.

    Example
    -------
    >>> read_json("no-such-list.json")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.ConfigurationError: no-such-list.json \
cannot be read (No such file or directory): make it anew
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{path} cannot be read ({reason}): make it anew"
        ) from error
    return content
