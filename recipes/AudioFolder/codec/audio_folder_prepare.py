"""List any folder of audio, or any list of audio files, by split.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    find_utterances,
    read_utterances,
    split_by_column,
    split_by_seed,
)


def list_audio_folder(
    data_folder,
    cache_folder,
    output_folder,
    valid_share,
    test_share,
    split_unit,
    split_seed,
):
    """List the files of each split.

    Arguments
    ---------
    data_folder : str
        A folder (searched with its subfolders; a file's folder is taken as
        its speaker), or a CSV or JSON manifest with a column `path` or `wav`
        and optional columns `id`, `split`, `speaker` and `text`. A `split`
        column decides the split.
    cache_folder : str
        Where the resampled audio is kept.
    output_folder : str
        The run's own folder.
    valid_share : float
        Share of the files to validate on, if there is no `split` column.
    test_share : float
        Share of the files to test on, if there is no `split` column.
    split_unit : str
        `speaker` keeps each speaker in one split, `file` does not.
    split_seed : int
        Seed of the split.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of utterances.
    """
    if Path(data_folder).is_file():
        utterances = read_utterances(data_folder)
    else:
        # The run's own folder has WAVs too, and the cache nothing else. The
        # data may lie in either.
        run = Path(output_folder)
        if Path(cache_folder).resolve() == Path(data_folder).resolve():
            raise ConfigurationError(
                f"cache_folder {cache_folder} is the data folder itself: "
                "name another one"
            )
        own = [cache_folder, run, run / "original.wav", run / "decoded.wav"]
        utterances = find_utterances(data_folder, without=own)
    if any("split" in utterance for utterance in utterances):
        return split_by_column(utterances)
    return split_by_seed(
        utterances, split_seed, valid_share, test_share, split_unit
    )
