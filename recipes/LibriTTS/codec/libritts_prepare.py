"""Prepare LibriTTS (https://www.openslr.org/60) for the codec.

The splits are the corpus's own subsets.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain_apcodec.training.manifests import prepare_manifests
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    read_text,
    require_folder,
)


def prepare_libritts(
    data_folder,
    save_folder,
    cache_folder,
    sample_rate,
    train_subsets=("train-clean-100", "train-clean-360"),
    valid_subsets=("dev-clean",),
    test_subsets=("test-clean",),
    skip_bad_files=False,
    num_jobs=4,
):
    """Write train.json, valid.json and test.json.

    Arguments
    ---------
    data_folder : str
        The folder `LibriTTS`, which holds the subsets' folders.
    save_folder : str
        Where the manifests are written.
    cache_folder : str
        Where the resampled audio is kept.
    sample_rate : int
        The codec's rate in Hz.
    train_subsets : list of str
        Subsets to train on.
    valid_subsets : list of str
        Subsets to validate on.
    test_subsets : list of str
        Subsets to test on.
    skip_bad_files : bool
        Leave damaged files out instead of stopping.
    num_jobs : int
        Files converted at the same time.

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
    prepare_manifests(
        splits,
        save_folder,
        cache_folder,
        sample_rate,
        skip_bad_files,
        num_jobs,
    )
