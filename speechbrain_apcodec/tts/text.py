"""Text as the speech models read it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.tts.phonemes import to_phonemes

#: Ids of the marks before and after a sentence.
BOS_ID, EOS_ID = 1, 2


def normalize_text(text, phonemes=None):
    """Write a sentence in one way: lower case, single spaces.

    Arguments
    ---------
    text : str
        As people write it.
    phonemes : str, optional
        The language in whose phonemes it is written, see ``to_phonemes``;
        default: in its own letters.

    Returns
    -------
    str

    Example
    -------
    >>> normalize_text(" Not at this  particular case, Tom. ")
    'not at this particular case, tom.'
    """
    if phonemes:
        text = to_phonemes(text, phonemes)
    return " ".join(text.lower().split())


def encode_text(tokenizer, text, phonemes=None):
    """Turn a sentence into ids.

    Arguments
    ---------
    tokenizer : sentencepiece.SentencePieceProcessor
        Made by ``tts.dataset.train_tokenizer``.
    text : str
        The sentence.
    phonemes : str, optional
        See ``normalize_text``.

    Returns
    -------
    torch.Tensor
        int64 [pieces], with the marks of beginning and end.
    """
    pieces = tokenizer.encode_as_ids(normalize_text(text, phonemes))
    return torch.tensor([BOS_ID, *pieces, EOS_ID])
