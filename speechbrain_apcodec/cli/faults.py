"""Faults in one line each, which names the cause and the fix.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import errno
import sys

#: The fix for each error of the operating system.
FIXES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "write to a file system for larger files",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "write to another file system",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EEXIST: "name another place",
    errno.ENOTDIR: "name another place",
    errno.EISDIR: "name another place",
    errno.EBADF: "open it for reading or writing",
}


def fail(fault: object) -> int:
    """Print a fault on one line, and return the exit code for it."""
    message = _describe(fault) if isinstance(fault, OSError) else str(fault)
    print("apcodec: error:", " ".join(message.split()), file=sys.stderr)
    return 2


def _describe(error: OSError) -> str:
    """Name the file, what happened to it, and the fix."""
    fix, name = FIXES.get(error.errno or 0), error.filename
    if fix and not name:  # an error of a file names it
        name = "standard output"
    parts = name, error.strerror or error, fix
    return ": ".join(str(part) for part in parts if part)
