"""Train APCodec (https://arxiv.org/abs/2402.10533) on LJSpeech.

Run it in this folder::

    python train.py hparams/16khz_2kbps.yaml --data_folder=/path/to/LJSpeech-1.1

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from ljspeech_prepare import list_ljspeech

from speechbrain_apcodec.training.recipe import run_recipe

DATASET = Path(__file__).parent / "hparams" / "dataset.yaml"

if __name__ == "__main__":
    run_recipe(list_ljspeech, DATASET)
