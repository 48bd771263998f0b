"""Files that appear whole or not at all, and in nobody else's place.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
import uuid
from contextlib import contextmanager
from pathlib import Path

from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError


@contextmanager
def atomic_path(path):
    """Yield a temporary path that becomes ``path`` if nothing goes wrong.

    The temporary file lies in the same folder (a rename across file systems
    is a copy, and a copy can be interrupted) and keeps the suffix, by which
    audio and picture writers choose their format. A link is written through:
    the file that it leads to is the one that changes.

    Arguments
    ---------
    path : str or pathlib.Path
        Where the finished file shall stand.

    Yields
    ------
    pathlib.Path
        Where to write it.

    Raises
    ------
    OSError
        If it cannot be written, in the name of ``path``.

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


def temporary_beside(path):
    """Name a hidden file or folder beside a path.

    Arguments
    ---------
    path : pathlib.Path
        Its name may take all 255 bytes that file systems allow.

    Returns
    -------
    pathlib.Path
        With the same suffix.

    Example
    -------
    >>> temporary_beside(Path("recordings/a.wav")).suffix
    '.wav'
    """
    return path.with_name(f".{uuid.uuid4().hex}{path.suffix[:16]}")


def is_temporary(path: Path) -> bool:
    """Tell whether a kill left a file or folder, which then is unfinished.

    Arguments
    ---------
    path : pathlib.Path
        Anything in a folder.

    Returns
    -------
    bool

    Example
    -------
    >>> is_temporary(temporary_beside(Path("a.wav"))), is_temporary(
    ...     Path(".a.wav")
    ... )
    (True, False)
    """
    return re.fullmatch(r"\.[0-9a-f]{32}(\..*)?", path.name) is not None


def check_destination(path, inputs=(), force=False):
    """Refuse a place where no file should be written, before the long work.

    Arguments
    ---------
    path : str or pathlib.Path
        The file to be written.
    inputs : list of str or pathlib.Path
        Files that it is made from. None of them is ever replaced.
    force : bool
        Whether any other file may be replaced.

    Raises
    ------
    AudioFileError
        If ``path`` is one of ``inputs``, or there already, or a folder, or
        its parent is none.

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


def write_json(path, content):
    """Write a JSON file; its folder is made if there is none.

    Arguments
    ---------
    path : str or pathlib.Path
        The file.
    content : dict
        What to write.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lists" / "train.json"
    >>> write_json(path, {"p225_001": {"speaker": "p225"}})
    >>> json.loads(path.read_text())
    {'p225_001': {'speaker': 'p225'}}
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
            # A path that is no UTF-8 is escaped, as JSON itself would do.
            errors="backslashreplace",
        )


def read_json(path):
    """Read a JSON file of one object, such as ``write_json`` writes.

    Arguments
    ---------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    dict

    Raises
    ------
    ConfigurationError
        If it is missing or damaged.

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
