"""Other people's programs, called so that their failures are understood.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import shutil
import subprocess
from pathlib import Path

from speechbrain_apcodec.utils.errors import APCodecError, MissingExtraError


def require_programs(*programs: str, package: str) -> None:
    """Make sure that programs of a Debian package are installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise MissingExtraError(
                f"the program {program} is not installed: "
                f"install {package} (apt-get install {package})"
            )


def call_program(*command: str | Path) -> None:
    """Run a program; raise ``APCodecError`` with its message if it fails."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        reason = " ".join(result.stderr.split()) or "no message"
        raise APCodecError(f"{command[0]} failed: {reason}")
