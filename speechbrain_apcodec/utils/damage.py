"""One line for whatever a damaged or foreign file makes a parser raise.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from ruamel.yaml.error import YAMLError

from speechbrain_apcodec.utils.errors import APCodecError

_ERRORS = (
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    OSError,
    pickle.UnpicklingError,
    yaml.YAMLError,
    YAMLError,
)

_MOST_LETTERS = 160


@contextmanager
def damage_named(
    error_class: type[APCodecError], what: str, fix: str
) -> Iterator[None]:
    """Turn an error of a parser, or of its result, into one line.

    It reads ``what (reason): fix``. The original error is its cause, which a
    traceback in Python shows.

    Example
    -------
    >>> with damage_named(APCodecError, "a.yaml is damaged", "write it anew"):
    ...     yaml.safe_load("a: [")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.APCodecError: a.yaml is damaged (while \
parsing...): write it anew
    """
    try:
        yield
    except APCodecError:
        raise
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if len(reason) > _MOST_LETTERS:
            reason = f"{reason[:_MOST_LETTERS]}..."
        raise error_class(f"{what} ({reason}): {fix}") from error
