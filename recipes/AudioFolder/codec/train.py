"""Train APCodec (https://arxiv.org/abs/2402.10533) on your own audio.

Run it in this folder::

    python train.py hparams/mini.yaml --data_folder=/path/to/audio

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from audio_folder_prepare import list_audio_folder

from speechbrain_apcodec.training.recipe import run_recipe

DATASET = Path(__file__).parent / "hparams" / "dataset.yaml"

if __name__ == "__main__":
    run_recipe(list_audio_folder, DATASET)
