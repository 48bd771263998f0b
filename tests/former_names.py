"""What YAMLs of version 0.1.0 can name and has moved since."""

import re

#: The former name of each class or function, and its present one.
FORMER = {
    f"speechbrain_apcodec.{former}": f"speechbrain_apcodec.{present}"
    for former, present in {
        "inference.loading.SafetensorsPretrainer": (
            "models.loading.SafetensorsPretrainer"
        ),
        "inference.token_generation.generate_tokens": (
            "tts.generation.generate_tokens"
        ),
        "lobes.token_aligner.TokenAligner": "tts.aligner.TokenAligner",
        "lobes.token_transformer.TokenTransformer": (
            "tts.transformer.TokenTransformer"
        ),
        "training.text.BucketBatchSampler": "tts.dataset.BucketBatchSampler",
        "training.text.make_text_dataset": "tts.dataset.make_text_dataset",
        "training.text.train_tokenizer": "tts.dataset.train_tokenizer",
        "training.token_brain.TokenBrain": "tts.brain.TokenBrain",
    }.items()
}


def with_former_names(hparams):
    """Write a YAML as an earlier version did."""
    for former, present in FORMER.items():
        hparams = hparams.replace(present, former)
    return hparams


def with_former_arguments(hparams):
    """Write arguments one by one, as before they were values of their own."""
    return re.sub(
        r"\n    (?:changes|sizes): !new:.*\n((?:\n?        .*\n)+)",
        lambda found: "\n" + found[1].replace("        ", "    "),
        hparams,
    )
