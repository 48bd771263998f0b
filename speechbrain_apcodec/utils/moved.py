"""Names of classes that stand in YAMLs written by earlier versions.

Exported models and the folders of training runs name classes by the file in
which they were. This is the only place that knows where those files were.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re

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
