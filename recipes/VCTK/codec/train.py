"""Train APCodec (https://arxiv.org/abs/2402.10533) on VCTK 0.92.

Run it in this folder::

    python train.py hparams/48khz_6kbps.yaml --data_folder=/path/to/VCTK

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from vctk_prepare import list_vctk

from speechbrain_apcodec.training.recipe import run_recipe

DATASET = Path(__file__).parent / "hparams" / "dataset.yaml"

if __name__ == "__main__":
    run_recipe(list_vctk, DATASET)
