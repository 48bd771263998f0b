"""What the name of a model is: a folder, a URL or the id of a hub.

Nothing is loaded or asked for, so that a mistyped folder is refused at once.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import re
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.utils.errors import CheckpointError

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

#: What a hub calls a model.
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Kind(Enum):
    """Where a model is."""

    FOLDER = auto()
    URL = auto()
    HUB = auto()


def kind_of(source: AnyPath) -> Kind:
    """Tell a folder, a URL and a hub id apart; CheckpointError if it is none.

    Example
    -------
    >>> kind_of("some-organisation/some-codec").name
    'HUB'
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return Kind.FOLDER
    if path.exists():
        raise CheckpointError(
            f"{source} is a file: give the folder of an exported model"
        )
    if isinstance(source, str):
        if source.startswith(("http:", "https:")):
            return Kind.URL
        if HUB_ID.fullmatch(source):
            return Kind.HUB
    raise CheckpointError(
        f"there is no folder {source}: check the path (a hub id has the form "
        "ORGANISATION/NAME)"
    )
