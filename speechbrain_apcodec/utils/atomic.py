"""Files that appear whole or not at all.

Authors
 * speechbrain_apcodec contributors, 2026
"""

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
