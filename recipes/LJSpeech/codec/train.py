"""Train APCodec (https://arxiv.org/abs/2402.10533) on LJSpeech.

Run it in this folder::

    python train.py hparams/16khz_2kbps.yaml --data_folder=/path/to/LJSpeech-1.1

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from ljspeech_prepare import prepare_ljspeech

from speechbrain_apcodec.training.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(prepare_ljspeech)
