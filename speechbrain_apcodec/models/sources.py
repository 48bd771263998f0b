"""Where models come from: a folder, a hub or a URL.

SpeechBrain takes every name that is no folder for a hub id, and returns what
lies in ``savedir`` whatever the source. Here a mistyped folder is called
that, and a ``savedir`` belongs to one source and revision.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
from contextlib import contextmanager
from pathlib import Path

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

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import CheckpointError

#: Says in a ``savedir`` where the files in it come from.
ORIGIN_FILE = "origin.json"

#: What a hub calls a model.
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def find_source(source):
    """Tell a folder, a URL and a hub id apart.

    Arguments
    ---------
    source : str or pathlib.Path or FetchSource
        What the user gave.

    Returns
    -------
    FetchSource
        The kind of source and its place.

    Raises
    ------
    CheckpointError
        If it is none of the three, such as a mistyped folder.

    Example
    -------
    >>> find_source("some-organisation/some-codec").FetchFrom.name
    'HUGGING_FACE'
    >>> find_source("results/codec/export")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.CheckpointError: there is no folder \
results/codec/export: check the path (a hub id has the form ORGANISATION/NAME)
    """
    if isinstance(source, FetchSource):
        return source
    path = Path(source).expanduser()
    if path.is_dir():
        return FetchSource(FetchFrom.LOCAL, str(path))
    if path.exists():
        raise CheckpointError(
            f"{source} is a file: give the folder of an exported model"
        )
    if isinstance(source, str):
        if source.startswith(("http:", "https:")):
            return FetchSource(FetchFrom.URI, source.rstrip("/"))
        if HUB_ID.fullmatch(source):
            return FetchSource(FetchFrom.HUGGING_FACE, source)
    raise CheckpointError(
        f"there is no folder {source}: check the path (a hub id has the form "
        "ORGANISATION/NAME)"
    )


def claim_savedir(savedir, source, fetch_config=FetchConfig()):  # noqa: B008
    """Make sure that a folder holds the files of one model only.

    Arguments
    ---------
    savedir : str or pathlib.Path or None
        Where the files of the model are to be put, or None to read them
        where they lie.
    source : FetchSource
        Where they come from.
    fetch_config : FetchConfig
        Its revision is part of the claim. If it allows to overwrite or
        update files, the folder may change its owner.

    Returns
    -------
    pathlib.Path or None
        The folder; None if it is the source itself.

    Raises
    ------
    CheckpointError
        If the folder holds the files of another source or revision.

    Example
    -------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = (Path(folder) / "config.json").write_text("{}")
    >>> source = FetchSource(FetchFrom.HUGGING_FACE, "organisation/codec")
    >>> claim_savedir(folder, source)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.CheckpointError: savedir ... holds files \
of unknown origin: name an empty folder
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
    filename,
    source,
    savedir=None,
    save_filename=None,
    local_strategy=LocalStrategy.SYMLINK,
    fetch_config=FetchConfig(),  # noqa: B008 (frozen)
):
    """Fetch one file of a model as SpeechBrain does, with clear errors.

    Arguments
    ---------
    filename : str
        Name of the file in the source.
    source : str or pathlib.Path or FetchSource
        Folder, URL or hub id.
    savedir : str or pathlib.Path, optional
        Where to put the file, or a link to it.
    save_filename : str, optional
        Its name there.
    local_strategy : LocalStrategy
        Link or copy.
    fetch_config : FetchConfig
        Revision, network and so on.

    Returns
    -------
    pathlib.Path
        The local file.

    Raises
    ------
    CheckpointError
        If the file cannot be had.

    Example
    -------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> (Path(folder) / "config.json").write_text("{}")
    2
    >>> fetch_file("config.json", folder).name
    'config.json'
    """
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
def _fetch_errors(filename, place, revision):
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


def _holds_model(folder):
    """Tell whether a folder holds files that ``fetch`` would return."""
    return folder.is_dir() and any(
        file.is_file()
        for pattern in ("*.yaml", "*.safetensors", "config.json")
        for file in folder.glob(pattern)
    )


def _read_origin(path):
    """Return the owner of a folder; None if nobody signed."""
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(origin, dict) and {"source", "revision"} <= set(origin)
    return origin if is_ours else None
