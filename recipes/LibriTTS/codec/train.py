"""Train APCodec (https://arxiv.org/abs/2402.10533) on LibriTTS.

Run it in this folder::

    python train.py hparams/24khz_3kbps.yaml --data_folder=/path/to/LibriTTS

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from libritts_prepare import prepare_libritts

from speechbrain_apcodec.training.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(prepare_libritts)
