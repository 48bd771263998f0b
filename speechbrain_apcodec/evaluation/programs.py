"""Other people's programs, called so that their failures are understood.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import shutil
import subprocess

from speechbrain_apcodec.utils.errors import APCodecError, MissingExtraError


def require_programs(*programs, package):
    """Make sure that programs are installed.

    Arguments
    ---------
    *programs : str
        Their names.
    package : str
        The Debian package that has them.

    Raises
    ------
    MissingExtraError
        If one is missing.

    Example
    -------
    >>> require_programs("no-such-program", package="nothing")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.MissingExtraError: the program \
no-such-program is not installed: install nothing (apt-get install nothing)
    """
    for program in programs:
        if shutil.which(program) is None:
            raise MissingExtraError(
                f"the program {program} is not installed: "
                f"install {package} (apt-get install {package})"
            )


def call_program(*command):
    """Run a program and wait for it.

    Arguments
    ---------
    *command : str or pathlib.Path
        The program and its arguments.

    Raises
    ------
    APCodecError
        If it fails, with what it says.

    Example
    -------
    >>> call_program("ls", "/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.APCodecError: ls failed: ...
    """
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        reason = " ".join(result.stderr.split()) or "no message"
        raise APCodecError(f"{command[0]} failed: {reason}")
