"""Train APCodec (https://arxiv.org/abs/2402.10533) on LibriTTS.

Run it in this folder::

    python train.py hparams/24khz_3kbps.yaml --data_folder=/path/to/LibriTTS

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from libritts_prepare import list_libritts

from speechbrain_apcodec.training.recipe import run_recipe

DATASET = Path(__file__).parent / "hparams" / "dataset.yaml"

if __name__ == "__main__":
    run_recipe(list_libritts, DATASET)
