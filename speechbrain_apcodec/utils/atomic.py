"""Files that appear whole or not at all.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import uuid
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path):
    """Yield a temporary path that becomes ``path`` if nothing goes wrong.

    The temporary file lies in the same folder (a rename across file systems
    is a copy, and a copy can be interrupted) and keeps the suffix, by which
    audio and picture writers choose their format.

    Arguments
    ---------
    path : str or pathlib.Path
        Where the finished file shall stand.

    Yields
    ------
    pathlib.Path
        Where to write it.

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
    temporary = path.with_name(
        f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}"
    )
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
        )
