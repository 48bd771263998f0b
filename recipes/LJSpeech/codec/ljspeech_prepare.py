"""List the files of LJSpeech 1.1 (https://keithito.com/LJ-Speech-Dataset).

For `apcodec tokens`, it writes a manifest::

    python ljspeech_prepare.py /path/to/LJSpeech-1.1 ljspeech.json

The splits follow the rule of SpeechBrain's own LJSpeech recipes, so that the
codec and a model trained by one of those share their test sentences.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import csv
import itertools
import random
import sys
from pathlib import Path

from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    require_folder,
)


def split_ljspeech(rows, split_ratio, split_seed):
    """Split the corpus as SpeechBrain's recipes do.

    The 50 recording sessions (LJ001 to LJ050) are shuffled each for itself,
    in order, by one seeded generator. Each gives the first part to training,
    the second to validation, both rounded down, and the rest to the test.

    Arguments
    ---------
    rows : list
        The corpus's rows in the order of `metadata.csv`; the first field of
        a row is its name, such as `LJ001-0001`.
    split_ratio : list of int
        Train, validation and test in parts, such as 90, 5, 5.
    split_seed : int
        Seed of the shuffle.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of rows.

    Example
    -------
    >>> rows = [[f"LJ001-{number:04}"] for number in range(1, 41)]
    >>> splits = split_ljspeech(rows, [90, 5, 5], 1234)
    >>> [len(splits[name]) for name in ("train", "valid", "test")]
    [36, 2, 2]
    """
    generator = random.Random(split_seed)
    splits = {"train": [], "valid": [], "test": []}
    for _, session in itertools.groupby(
        rows, key=lambda row: row[0].split("-")[0]
    ):
        session = list(session)
        size = len(session)
        generator.shuffle(session)
        train = int(size * split_ratio[0] / sum(split_ratio))
        valid = int(size * split_ratio[1] / sum(split_ratio))
        splits["train"].extend(session[:train])
        splits["valid"].extend(session[train : train + valid])
        splits["test"].extend(session[train + valid :])
    return splits


def list_ljspeech(data_folder, split_ratio=(90, 5, 5), split_seed=1234):
    """List the recordings, split by split.

    Arguments
    ---------
    data_folder : str
        The folder `LJSpeech-1.1`, which holds `wavs` and `metadata.csv`.
    split_ratio : list of int
        Train, validation and test in parts.
    split_seed : int
        Seed of the split.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of utterances with ``id``,
        ``source``, ``speaker`` and ``text``.

    Raises
    ------
    ConfigurationError
        If the folder does not hold LJSpeech.
    """
    what = "LJSpeech 1.1 (metadata.csv and wavs/LJ001-0001.wav)"
    folder = require_folder(data_folder, what, "metadata.csv", "wavs")
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE))
    if not rows or any(len(row) < 2 for row in rows):
        raise ConfigurationError(
            f"{folder / 'metadata.csv'} does not look like that of {what}: "
            "each line must be a name, a text and a normalised text, "
            "separated by |"
        )
    return {
        split: [
            {
                "id": row[0],
                "source": str(folder / "wavs" / f"{row[0]}.wav"),
                "speaker": "LJ",
                "text": row[-1],
            }
            for row in rows_of_split
        ]
        for split, rows_of_split in split_ljspeech(
            rows, split_ratio, split_seed
        ).items()
    }


def write_manifest(data_folder, path):
    """Write a manifest for `apcodec tokens`, with splits and text.

    Arguments
    ---------
    data_folder : str
        The folder `LJSpeech-1.1`.
    path : str
        The JSON file to write.
    """
    manifest = {}
    for split, utterances in list_ljspeech(data_folder).items():
        for item in utterances:
            wav = str(Path(item["source"]).resolve())
            manifest[item["id"]] = {
                "wav": wav,
                "split": split,
                "speaker": item["speaker"],
                "text": item["text"],
            }
    write_json(path, manifest)


if __name__ == "__main__":
    write_manifest(*sys.argv[1:])
