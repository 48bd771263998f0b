"""List the files of VCTK 0.92 (https://doi.org/10.7488/ds/2645) by split.

The eight test speakers are those of APCodec (https://arxiv.org/abs/2402.10533).

Authors
 * speechbrain_apcodec contributors, 2026
"""

import random

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import (
    read_text,
    require_folder,
)

TEST_SPEAKERS = ("p360", "p361", "p362", "p363", "p364", "p374", "p376", "s5")


def list_vctk(data_folder, microphone, valid_share, split_seed):
    """List the files of each split.

    Arguments
    ---------
    data_folder : str
        The folder that holds `wav48_silence_trimmed` and `txt`.
    microphone : str
        `mic1` or `mic2`. Speakers p280 and p315 have no mic2: with it, 108
        speakers remain, of which 100 are for training, as in the paper.
    valid_share : float
        Share of the training speakers' sentences kept for validation.
    split_seed : int
        Seed of that choice. It is not the run's seed: every run validates on
        the same sentences.

    Returns
    -------
    dict
        ``train``, ``valid`` and ``test`` -> list of utterances.

    Raises
    ------
    ConfigurationError
        If the folder does not hold VCTK 0.92.
    """
    what = "VCTK 0.92 (wav48_silence_trimmed/p225/p225_001_mic1.flac)"
    folder = require_folder(data_folder, what, "wav48_silence_trimmed")
    if microphone not in ("mic1", "mic2"):
        raise ConfigurationError(
            f"microphone is {microphone!r}: it must be `mic1` or `mic2`"
        )
    ending = f"_{microphone}.flac"
    train, test = [], []
    audio_folder = folder / "wav48_silence_trimmed"
    for path in sorted(audio_folder.glob(f"*/*{ending}")):
        speaker = path.parent.name
        name = path.name.removesuffix(ending)
        utterance = {
            "id": name,
            "source": str(path),
            "speaker": speaker,
            "text": read_text(folder / "txt" / speaker / f"{name}.txt"),
        }
        (test if speaker in TEST_SPEAKERS else train).append(utterance)
    if not train or not test:
        raise ConfigurationError(
            f"data_folder {folder} does not look like {what}: "
            f"{len(train)} {microphone} files of training speakers and "
            f"{len(test)} of the test speakers {', '.join(TEST_SPEAKERS)}"
        )

    random.Random(split_seed).shuffle(train)
    count = max(1, round(valid_share * len(train)))
    return {"train": train[count:], "valid": train[:count], "test": test}
