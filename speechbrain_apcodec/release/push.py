"""From a model's folder to a hub.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    get_token,
)
from huggingface_hub.errors import HfHubHTTPError

from speechbrain_apcodec.models.config import CONFIG_FILE, read_config
from speechbrain_apcodec.models.names import HUB_ID
from speechbrain_apcodec.release.card import publishable_card
from speechbrain_apcodec.release.checks import check_release
from speechbrain_apcodec.release.folder import CARD_FILE, OWN_FILES
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

# Status codes of a hub that have one likely reason.
_REASONS = {
    401: "it does not know your token: run `hf auth login`",
    403: "your token may not write there: make one with the role 'write'",
    409: "there is one already: choose another name",
}


@contextmanager
def prepared(
    folder: AnyPath, repo_id: str, licence: str | None = None
) -> Iterator[Path]:
    """Yield a folder with exactly what a hub is to get, all of it checked.

    Arguments
    ---------
    folder : path
        Folder of an exported model. It is not changed.
    repo_id : str
        ORGANISATION/NAME, which the model card will name.
    licence : str, optional
        Of the weights; needed where the model card has none.

    Raises
    ------
    CheckpointError
        If the folder is no whole and sound model, or tells private things.
    """
    if not HUB_ID.fullmatch(repo_id):
        raise CheckpointError(
            f"{repo_id} is no hub id: it has the form ORGANISATION/NAME"
        )
    check_release(folder)
    with tempfile.TemporaryDirectory() as temporary:
        staging = Path(temporary)
        for file in sorted(OWN_FILES):
            if (Path(folder) / file).is_file():
                shutil.copyfile(Path(folder) / file, staging / file)
        card = staging / CARD_FILE
        text = publishable_card(
            card.read_text(encoding="utf-8"),
            read_config(staging / CONFIG_FILE),
            repo_id,
            licence,
        )
        card.write_text(text, encoding="utf-8")
        yield staging


def push(
    staging: Path, repo_id: str, tag: str | None = None, private: bool = False
) -> str:
    """Send a prepared folder to a hub, in one commit.

    Files of an earlier version that this one does not have are removed.

    Arguments
    ---------
    staging : pathlib.Path
        From `prepared`.
    repo_id : str
        ORGANISATION/NAME; made if there is none.
    tag : str, optional
        Name for this version, by which it can be loaded for ever.
    private : bool
        Whether a repository that is made is visible to its owner alone;
        else as its owner's settings say.

    Returns
    -------
    str
        Address of the commit.
    """
    if get_token() is None:
        raise CheckpointError(
            "no token of the hub was found: run `hf auth login`, or set the "
            "environment variable HF_TOKEN"
        )
    api = HfApi()
    with _hub_errors(f"{repo_id} could not be written"):
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        files = {path.name: path for path in sorted(staging.iterdir())}
        old = set(api.list_repo_files(repo_id))
        # Not upload_folder: some versions of it make several commits, in
        # between which config.json and the weights would not fit.
        commit = api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(*file) for file in files.items()),
                *map(
                    CommitOperationDelete,
                    sorted((old & OWN_FILES) - files.keys()),
                ),
            ],
            commit_message="Upload an APCodec model",
        )
    if tag:
        with _hub_errors(f"{repo_id} was written, but not the tag {tag}"):
            api.create_tag(repo_id, tag=tag, revision=commit.oid)
    return commit.commit_url


@contextmanager
def _hub_errors(what: str) -> Iterator[None]:
    """Say in one line why the hub did not do what it was asked for."""
    try:
        yield
    except HfHubHTTPError as error:
        status: Any = getattr(error.response, "status_code", None)
        said = error.server_message or " ".join(str(error).split())
        raise CheckpointError(
            f"{what}: the hub answers {status}, {_REASONS.get(status, said)}"
        ) from error
    # The HTTP libraries below the hub's client differ between its versions,
    # and so do their errors.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{what}: {reason}; check the network") from error
