"""Publish a model's folder on a hub.

Checks that the folder is complete and sound (checksums, model card, loading
with and without the YAML, coding a second), that its texts tell no paths,
tokens or addresses, and completes the card's front matter; then sends all of
it in one commit. The folder itself is not changed.

For example:
  apcodec push my_model my-organisation/my-codec --dry-run

Authors
 * speechbrain_apcodec contributors, 2026
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "folder", metavar="FOLDER", help="folder of an exported model"
    )
    parser.add_argument(
        "repo_id", metavar="REPO_ID", help="ORGANISATION/NAME on the hub"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check and show what would be sent, and send nothing",
    )
    parser.add_argument(
        "--license",
        metavar="ID",
        help="licence of the weights, such as apache-2.0, where the model "
        "card has none",
    )
    parser.add_argument(
        "--tag",
        "--revision",
        metavar="NAME",
        help="name for this version, such as v1.0, to load it by",
    )
    parser.add_argument(
        "--private",
        action="store_true",
        help="make a repository that only its owner sees",
    )


def run(arguments: Namespace) -> None:
    """Check, show and send."""
    from speechbrain_apcodec.release.push import prepared, push

    with prepared(
        arguments.folder, arguments.repo_id, arguments.license
    ) as staging:
        sent = sorted(staging.iterdir())
        for path in sent:
            print(f"{path.stat().st_size:12,} bytes  {path.name}")
        names = {path.name for path in sent}
        for path in sorted(Path(arguments.folder).iterdir()):
            if path.name not in names:
                print(f"{'not sent':>18}  {path.name}")
        if arguments.dry_run:
            print(f"nothing was sent to {arguments.repo_id}: a dry run")
            return
        address = push(
            staging, arguments.repo_id, arguments.tag, arguments.private
        )
    print(f"{address}: use it with --model {arguments.repo_id}")
