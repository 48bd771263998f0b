"""Errors that a user can cause and mend.

Every message is one line that names the cause and the fix. The command line
prints it and exits with code 2; Python callers can catch the base class.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

#: Level of notices to users: above the warnings to developers, which the
#: command line switches off.
NOTICE = logging.WARNING + 1
logging.addLevelName(NOTICE, "NOTICE")


class APCodecError(ValueError):
    """Base class of every error whose cause is the input, not the code."""


class AudioFileError(APCodecError):
    """An audio file is missing, empty, damaged or holds NaN."""


class BitstreamError(APCodecError):
    """A coded file is not ours, damaged, or made by another model."""


class CheckpointError(APCodecError):
    """Weights are missing, misshapen or do not belong to the model."""


class ConfigurationError(APCodecError):
    """Hyper-parameters contradict each other."""


class MissingExtraError(APCodecError):
    """An optional package is needed that is not installed."""


def shown(path: AnyPath) -> str:
    r"""Write a path in letters that every terminal and log takes.

    Names from old archives may be no UTF-8; ``-`` is standard input.

    Example
    -------
    >>> shown("-"), shown(os.fsdecode(b"caf\xe9.wav"))
    ('standard input', 'caf\\xe9.wav')
    """
    if str(path) == "-":
        return "standard input"
    return os.fsencode(path).decode(errors="backslashreplace")
