"""List the files of LibriTTS (https://www.openslr.org/60) by split.

The splits are the corpus's own subsets.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    read_text,
    require_folder,
)


def list_libritts(data_folder, train_subsets, valid_subsets, test_subsets):
    """List the files of each split.

    Arguments
    ---------
    data_folder : str
        The folder `LibriTTS`, which holds the subsets' folders.
    train_subsets : list of str
        Subsets to train on.
    valid_subsets : list of str
        Subsets to validate on.
    test_subsets : list of str
        Subsets to test on.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of utterances.

    Raises
    ------
    ConfigurationError
        If the folder does not hold the subsets.
    """
    what = "LibriTTS (train-clean-100/103/1241/103_1241_000000_000001.wav)"
    subsets_of_split = {
        "train": train_subsets,
        "valid": valid_subsets,
        "test": test_subsets,
    }
    splits = {}
    for split, subsets in subsets_of_split.items():
        folder = require_folder(data_folder, what, *subsets)
        splits[split] = [
            {
                "id": path.stem,
                "source": str(path),
                "speaker": path.parts[-3],
                "subset": subset,
                "text": read_text(path.with_suffix(".normalized.txt")),
            }
            for subset in subsets
            for path in sorted((folder / subset).glob("*/*/*.wav"))
        ]
        if not splits[split]:
            raise ConfigurationError(
                f"data_folder {folder} does not look like {what}: no WAV "
                f"file in {', '.join(subsets)}"
            )
    return splits
