"""Train a model that speaks in the tokens of APCodec.

Run it in this folder::

    apcodec tokens recordings.csv tokens --model my_codec
    python train.py hparams/tts_mini.yaml --tokens=tokens \
        --codec_model=my_codec

The same command resumes an interrupted run.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

from speechbrain_apcodec.training.recipe import run_recipe
from speechbrain_apcodec.tts.sentences import split_sentences

DATASET = Path(__file__).parent / "hparams" / "dataset.yaml"

if __name__ == "__main__":
    run_recipe(split_sentences, DATASET)
