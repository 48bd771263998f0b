"""Prepare any folder of audio, or any list of audio files, for the codec.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from speechbrain_apcodec.training.manifests import prepare_manifests
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    read_utterances,
    split_by_column,
    split_by_seed,
)


def prepare_audio_folder(
    data_folder,
    save_folder,
    cache_folder,
    sample_rate,
    valid_share=0.05,
    test_share=0.05,
    split_unit="speaker",
    split_seed=1234,
    skip_bad_files=False,
    num_jobs=4,
):
    """Write train.json, valid.json and test.json.

    Arguments
    ---------
    data_folder : str
        A folder (searched with its subfolders; a file's folder is taken as
        its speaker), or a CSV or JSON manifest with a column `path` or `wav`
        and optional columns `id`, `split`, `speaker` and `text`. A `split`
        column decides the split.
    save_folder : str
        Where the manifests are written, in the run's own folder.
    cache_folder : str
        Where the resampled audio is kept.
    sample_rate : int
        The codec's rate in Hz.
    valid_share : float
        Share of the files to validate on, if there is no `split` column.
    test_share : float
        Share of the files to test on, if there is no `split` column.
    split_unit : str
        `speaker` keeps each speaker in one split, `file` does not.
    split_seed : int
        Seed of the split.
    skip_bad_files : bool
        Leave damaged files out instead of stopping.
    num_jobs : int
        Files converted at the same time.
    """
    if Path(data_folder).is_file():
        utterances = read_utterances(data_folder)
    else:
        # The run's own folder has WAVs too, and the cache nothing else. The
        # data may lie in either.
        run = Path(save_folder).parent
        if Path(cache_folder).resolve() == Path(data_folder).resolve():
            raise ConfigurationError(
                f"cache_folder {cache_folder} is the data folder itself: "
                "name another one"
            )
        own = [cache_folder, run, run / "original.wav", run / "decoded.wav"]
        utterances = find_utterances(data_folder, without=own)
    if any("split" in utterance for utterance in utterances):
        splits = split_by_column(utterances)
    else:
        splits = split_by_seed(
            utterances, split_seed, valid_share, test_share, split_unit
        )
    prepare_manifests(
        splits,
        save_folder,
        cache_folder,
        sample_rate,
        skip_bad_files,
        num_jobs,
    )
