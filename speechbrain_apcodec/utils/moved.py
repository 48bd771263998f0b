"""What YAMLs written by earlier versions name otherwise.

Exported models and the folders of training runs name classes by the file in
which they were, and arguments that belong together one by one. This is the
only place that knows.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

#: Modules that such YAMLs can name, and where they are now.
_MOVED = {
    "inference.loading": "models.loading",
    "inference.token_generation": "tts.generation",
    "lobes.token_aligner": "tts.aligner",
    "lobes.token_transformer": "tts.transformer",
    "training.text": "tts.dataset",
    "training.token_brain": "tts.brain",
}

_NAME = re.compile(
    rf"\bspeechbrain_apcodec\.({'|'.join(map(re.escape, _MOVED))})(?=\.)"
)

_BACKBONE = (
    "sizes",
    "lobes.layers.BackboneSizes",
    (
        "channels",
        "hidden_channels",
        "num_blocks",
        "kernel_size",
        "dense_kernel_size",
        "grn_statistic",
        "convolution",
    ),
)

#: Classes some of whose arguments are one now: its name, its class, and they.
_GATHERED = {
    "lobes.autoencoder.SubDecoder": _BACKBONE,
    "lobes.autoencoder.SubEncoder": _BACKBONE,
    "training.crops.RandomCrop": (
        "changes",
        "training.voices.VoiceChanges",
        (
            "level_range_db",
            "speeds_percent",
            "replicate_top_band",
            "equalization_db",
        ),
    ),
    "tts.transformer.TokenTransformer": (
        "sizes",
        "tts.transformer.TransformerSizes",
        (
            "d_model",
            "nhead",
            "num_encoder_layers",
            "num_decoder_layers",
            "d_ffn",
            "dropout",
        ),
    ),
}


def with_present_names(hparams: str) -> str:
    """Replace former names of this package's modules in a HyperPyYAML text.

    Example
    -------
    >>> with_present_names("!new:speechbrain_apcodec.inference.loading.Any")
    '!new:speechbrain_apcodec.models.loading.Any'
    """
    return _NAME.sub(
        lambda name: f"speechbrain_apcodec.{_MOVED[name[1]]}", hparams
    )


def gather_arguments(node: Any) -> None:
    """Gather, in a parsed text, the arguments that are one now."""
    if isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            gather_arguments(value)
    if not isinstance(node, CommentedMap):
        return
    path = str(node.tag.value or "").partition(":speechbrain_apcodec.")[2]
    if path not in _GATHERED:
        return
    argument, class_, names = _GATHERED[path]
    former = [name for name in names if name in node]
    if not former:
        return
    place = list(node).index(former[0])
    below = node.get(argument)
    if not isinstance(below, CommentedMap):
        # All versions of the reader make a tagged mapping of a text.
        below = YAML().load(
            f"!new:speechbrain_apcodec.{class_}\n{former[0]}: null\n"
        )
        node.insert(place, argument, below)
    for name in former:
        below[name] = node.pop(name)
