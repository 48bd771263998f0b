"""Where models come from: a folder, a hub or a URL.

SpeechBrain takes every name that is no folder for a hub id, and returns what
lies in ``savedir`` whatever the source. Here a mistyped folder is called
that, and a ``savedir`` belongs to one source and revision.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from speechbrain.utils.fetching import (
    FetchConfig,
    FetchFrom,
    FetchSource,
    LocalStrategy,
    fetch,
)

from speechbrain_apcodec.models.names import Kind, kind_of
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

#: Says in a ``savedir`` where the files in it come from.
ORIGIN_FILE = "origin.json"


def find_source(source: AnyPath | FetchSource) -> FetchSource:
    """Tell a folder, a URL and a hub id apart; CheckpointError if it is none.

    Example
    -------
    >>> find_source("some-organisation/some-codec").FetchFrom.name
    'HUGGING_FACE'
    """
    if isinstance(source, FetchSource):
        return source
    kind = kind_of(source)
    if kind == Kind.FOLDER:
        return FetchSource(FetchFrom.LOCAL, str(Path(source).expanduser()))
    if kind == Kind.URL:
        return FetchSource(FetchFrom.URI, str(source).rstrip("/"))
    return FetchSource(FetchFrom.HUGGING_FACE, str(source))


def claim_savedir(
    savedir: AnyPath | None,
    source: FetchSource,
    fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
) -> Path | None:
    """Make sure that a folder holds the files of one model only.

    Its owner is a source and a revision. If the ``fetch_config`` allows to
    overwrite or update files, it may change. None is returned if the files
    are to be read where they lie.

    Raises
    ------
    CheckpointError
        If the folder holds the files of another source or revision.
    """
    if savedir is None:
        return None
    savedir = Path(savedir)
    kind, place = source
    if kind == FetchFrom.LOCAL:
        place = str(Path(place).resolve())
        # Linking a file to itself would delete it.
        if savedir.resolve() == Path(place):
            return None
    origin = {"source": place, "revision": fetch_config.revision}
    may_change = fetch_config.overwrite or fetch_config.allow_updates
    if not may_change and _holds_model(savedir):
        owner = _read_origin(savedir / ORIGIN_FILE)
        if owner is None:
            raise CheckpointError(
                f"savedir {savedir} holds files of unknown origin: name an "
                "empty folder"
            )
        if owner != origin:
            raise CheckpointError(
                f"savedir {savedir} holds the files of {owner['source']} "
                f"(revision {owner['revision']}): name another folder for "
                f"{place} (revision {fetch_config.revision})"
            )
    try:
        savedir.mkdir(parents=True, exist_ok=True)
        with atomic_path(savedir / ORIGIN_FILE) as temporary:
            temporary.write_text(json.dumps(origin) + "\n", encoding="utf-8")
    except OSError as error:
        raise CheckpointError(
            f"savedir {savedir} cannot be written ({error.strerror}): name "
            "another folder"
        ) from error
    return savedir


def fetch_file(
    filename: str,
    source: AnyPath | FetchSource,
    savedir: AnyPath | None = None,
    save_filename: str | None = None,
    local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
    fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
) -> Path:
    """Fetch one file of a model as SpeechBrain does, with clear errors."""
    kind, place = find_source(source)
    if kind == FetchFrom.LOCAL and not (Path(place) / filename).is_file():
        raise CheckpointError(
            f"{place} holds no {filename}: give the folder of an exported "
            "model (`apcodec export` makes one)"
        )
    with _fetch_errors(filename, place, fetch_config.revision):
        return fetch(
            filename=filename,
            source=FetchSource(kind, place),
            savedir=savedir,
            save_filename=save_filename,
            local_strategy=local_strategy,
            fetch_config=fetch_config,
        )


@contextmanager
def _fetch_errors(
    filename: str, place: str, revision: str | None
) -> Iterator[None]:
    """Say in one line why a file could not be fetched."""
    try:
        yield
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise CheckpointError(
            f"there is neither a folder nor a hub model {place} (or you may "
            "not read it): check the name"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            f"the hub model {place} has no revision {revision}"
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise CheckpointError(
            f"{place} is no folder, and {filename} of a hub model of that "
            "name is not in the cache and could not be downloaded: check the "
            "name and the network"
        ) from error
    except EntryNotFoundError as error:
        raise CheckpointError(
            f"the hub model {place} holds no {filename}: it is no exported "
            "APCodec model"
        ) from error
    # The HTTP libraries below the hub's client differ between its versions;
    # their errors and SpeechBrain's own share these bases.
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{filename} could not be fetched from {place}: {reason}"
        ) from error


def _holds_model(folder: Path) -> bool:
    """Tell whether a folder holds files that ``fetch`` would return."""
    return folder.is_dir() and any(
        file.is_file()
        for pattern in ("*.yaml", "*.safetensors", "config.json")
        for file in folder.glob(pattern)
    )


def _read_origin(path: Path) -> dict[str, Any] | None:
    """Return the owner of a folder; None if nobody signed."""
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(origin, dict) and {"source", "revision"} <= set(origin)
    return origin if is_ours else None
