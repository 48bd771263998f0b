"""Learn eight sentences by heart, and compare what is said, token by token.

A model that cannot do that has a fault. Nothing is left to chance here: no
dropout, nothing hidden, and the most probable token is taken::

    python overfit.py hparams/tts_mini.yaml tokens results/overfit \
        --codec_model=my_codec

What follows the folders goes to the training, which the same command resumes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import shutil
import sys
from pathlib import Path

import torch

from speechbrain_apcodec.corpus.meta import META_FILE
from speechbrain_apcodec.training.recipe import run_recipe
from speechbrain_apcodec.tts.sentences import split_sentences
from speechbrain_apcodec.utils.atomic import write_json

NUM_SENTENCES = 8
REPEATS = 20  # of each sentence in an epoch, which ends with a checkpoint
FLAGS = {
    "number_of_epochs": 40,
    "frames_per_batch": 4000,
    "num_buckets": 1,
    "learning_rate": 0.001,
    "warmup_steps": 50,
    "dropout": 0.0,
    "history_hidden_share": 0.0,
    "text_hidden_share": 0.0,
    "guidance": 1.0,
    "ema_decay": 0.9,
    "sample_every": 1000,
}


def write_sentences(tokens, folder):
    """Make a folder of tokens of the first sentences alone."""
    items = split_sentences(tokens)["train"]
    names = list(items)[:NUM_SENTENCES]
    # The validation tells nothing here: a sentence is enough.
    for split, chosen in (("train", names * REPEATS), ("valid", names[:1])):
        content = {
            f"{name}_{number // NUM_SENTENCES}": {
                **items[name],
                "split": split,
            }
            for number, name in enumerate(chosen)
        }
        write_json(folder / f"{split}.json", content)
    shutil.copy(Path(tokens) / META_FILE, folder / META_FILE)


def say(brain):
    """Say the sentences greedily; yield what was meant and what was said."""
    data = brain.hparams.make_train_data()
    model = brain.ema.module
    for item in list(data)[:NUM_SENTENCES]:
        text = item["text_ids"][None].to(brain.device)
        said = brain.hparams.generate(
            model,
            text,
            torch.tensor([text.shape[1]], device=brain.device),
            temperature=0,
        )
        yield item["id"], item["tokens"], said.tokens[0].cpu()


def main(hparams, tokens, output_folder, *options):
    """Train, and print how much is right."""
    folder = Path(output_folder) / "sentences"
    write_sentences(tokens, folder)
    given = {option.split("=")[0] for option in options}
    flags = [f"--{k}={v}" for k, v in FLAGS.items() if f"--{k}" not in given]
    brain = run_recipe(
        split_sentences,
        Path(__file__).parent / "hparams" / "dataset.yaml",
        [hparams, f"--tokens={folder}", f"--output_folder={output_folder}"]
        + [*flags, *options],
    )
    exact = {}
    for name, meant, said in say(brain):
        exact[name] = torch.equal(meant, said)
        print(f"{name}: {len(meant)} frames meant, {len(said)} said")
    result = {"steps": brain.optimizer_step, "exact": exact}
    write_json(Path(output_folder) / "overfit.json", result)
    print(json.dumps(result))
    print(f"{sum(exact.values())} of {len(exact)} sentences are exact")


if __name__ == "__main__":
    main(*sys.argv[1:])
