"""Text as the speech models read it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Any

import torch

from speechbrain_apcodec.tts.phonemes import to_phonemes

#: Ids of the marks before and after a sentence.
BOS_ID, EOS_ID = 1, 2


def normalize_text(text: str, phonemes: str | None = None) -> str:
    """Write a sentence in lower case with single spaces.

    With ``phonemes``, a language, it is written as ``to_phonemes`` does.
    """
    if phonemes:
        text = to_phonemes(text, phonemes)
    return " ".join(text.lower().split())


def encode_text(
    tokenizer: Any, text: str, phonemes: str | None = None
) -> torch.Tensor:
    """Turn a sentence into ids, int64 [pieces], with the marks of both ends.

    The tokenizer is made by ``tts.dataset.train_tokenizer``; ``phonemes`` see
    ``normalize_text``.
    """
    pieces = tokenizer.encode_as_ids(normalize_text(text, phonemes))
    return torch.tensor([BOS_ID, *pieces, EOS_ID])
