"""The folder of a run: who wrote it, and what it may be resumed with.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speechbrain.utils.logger import get_logger

from speechbrain_apcodec.models.network import with_network
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import NOTICE, ConfigurationError
from speechbrain_apcodec.utils.hparams import keys_behind, parse, tag_of
from speechbrain_apcodec.utils.types import AnyPath

logger = get_logger(__name__)

HPARAMS_FILE = "hyperparams.yaml"

#: What a run writes into its folder beside ``hyperparams.yaml``.
_OWN_NAMES = (
    "attention.png",
    "curves.png",
    "decoded.wav",
    "env.log",
    "history.jsonl",
    "log.txt",
    "manifests",
    "original.wav",
    "save",
    "spectrograms.png",
    "train_log.txt",
)

#: A checkpoint depends on these keys, and on all that they refer to. Other
#: keys of a YAML may change, and hold from the next step on.
_FIXED = (
    "modules",
    "pattern",
    "train_tokenizer",
    "codebook_health",
    "make_distillation",
    "ema_decay",
)


def open_run(output_folder: AnyPath, hparams: str) -> None:
    """Make a run's folder, or go on in it, and write its HyperPyYAML there.

    Refuse, before anything is written, a folder with files of others, or with
    checkpoints of other settings that cannot change on the way.
    """
    folder = Path(output_folder)
    noted = folder / HPARAMS_FILE
    former = noted.read_text(encoding="utf-8") if noted.is_file() else ""
    if "\ncheckpointer:" not in former:
        for name in (HPARAMS_FILE, *_OWN_NAMES):
            if (folder / name).exists():
                raise ConfigurationError(
                    f"{folder / name} is there already, and no run wrote it: "
                    "name another output_folder"
                )
    elif any(folder.glob("save/CKPT*")):
        _check_changes(folder, former, hparams)
    folder.mkdir(parents=True, exist_ok=True)
    # Complete and not resolved: later commands build the model from it, and
    # plain HyperPyYAML loads it.
    with atomic_path(noted) as temporary:
        temporary.write_text(hparams, encoding="utf-8")


def _check_changes(folder: Path, former: str, hparams: str) -> None:
    """Refuse changes that a checkpoint does not bear; log the others."""
    hparams = with_network(hparams)
    changes = find_changes(with_network(former), hparams)
    fixed = keys_behind(parse(hparams, "the settings"), _FIXED)
    refused = [text for key, text in changes if key in fixed]
    if refused:
        raise ConfigurationError(
            f"the run in {folder} was trained with other settings "
            f"({', '.join(refused)}): go on with those, or name another "
            "output_folder"
        )
    if changes:
        logger.log(
            NOTICE,
            "The run goes on with other settings from here: "
            + ", ".join(text for _, text in changes),
        )


def find_changes(former: str, present: str) -> list[tuple[str, str]]:
    r"""List the differences of two merged texts, each with its top key.

    Keys that only one of them has are left out: another version of this
    package has them.

    Example
    -------
    >>> find_changes("rate: 48000\nbooks: 4\n", "rate: 48000\nbooks: 8\n")
    [('books', 'books: 4 -> 8')]
    """
    texts = parse(former, "the former text"), parse(present, "the text")
    return [
        (path.split(".")[0], f"{path}: {old} -> {new}")
        for path, old, new in _differences("", *map(_plain, texts))
    ]


def _plain(node: Any) -> Any:
    """Turn what the parser made into plain values that can be compared."""
    tag = tag_of(node)
    if isinstance(node, Mapping):
        plain = {str(key): _plain(value) for key, value in node.items()}
        return {"": tag, **plain} if tag else plain
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return f"{tag} {node.value}" if tag and hasattr(node, "value") else node


def _differences(
    path: str, old: Any, new: Any
) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value wherever both have one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key in new:
                below = f"{path}.{key}".strip(".")
                yield from _differences(below, old[key], new[key])
    elif old != new:
        yield path, old, new
