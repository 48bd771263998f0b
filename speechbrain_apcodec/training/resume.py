"""What a run is: whose its folder is, and what it may be resumed with.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from speechbrain.utils.logger import get_logger

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import NOTICE, ConfigurationError
from speechbrain_apcodec.utils.hparams import (
    find_changes,
    keys_behind,
    parse,
)
from speechbrain_apcodec.utils.network import with_network

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

#: Of these keys, and of all that they refer to, a checkpoint depends. What
#: else is in a YAML holds from the next step on.
_FIXED = (
    "modules",
    "pattern",
    "train_tokenizer",
    "codebook_health",
    "make_distillation",
    "ema_decay",
)


def open_run(output_folder, hparams):
    """Make a run's folder, or go on in it, and note what is trained.

    Arguments
    ---------
    output_folder : str or pathlib.Path
        The folder of the run.
    hparams : str
        Merged HyperPyYAML text, which is written into the folder.

    Raises
    ------
    ConfigurationError
        If somebody else has files there, or the checkpoints in it were
        trained with other settings that cannot change on the way; nothing is
        written then.
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
    # Complete and not resolved: later commands read from it how the model
    # was built, and plain HyperPyYAML loads it.
    with atomic_path(noted) as temporary:
        temporary.write_text(hparams, encoding="utf-8")


def _check_changes(folder, former, hparams):
    """Refuse changes that a checkpoint does not bear; tell of the others."""
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
