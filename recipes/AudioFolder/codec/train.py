"""Train APCodec (https://arxiv.org/abs/2402.10533) on your own audio.

Run it in this folder::

    python train.py hparams/mini.yaml --data_folder=/path/to/audio

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from audio_folder_prepare import prepare_audio_folder

from speechbrain_apcodec.training.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(prepare_audio_folder)
