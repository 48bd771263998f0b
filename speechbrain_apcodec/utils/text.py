"""Text as the speech models read it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

#: Ids of the marks before and after a sentence.
BOS_ID, EOS_ID = 1, 2


def normalize_text(text):
    """Write a sentence in one way: lower case, single spaces.

    Arguments
    ---------
    text : str
        As people write it.

    Returns
    -------
    str

    Example
    -------
    >>> normalize_text(" Not at this  particular case, Tom. ")
    'not at this particular case, tom.'
    """
    return " ".join(text.lower().split())


def encode_text(tokenizer, text):
    """Turn a sentence into ids.

    Arguments
    ---------
    tokenizer : sentencepiece.SentencePieceProcessor
        Made by ``training.text.train_tokenizer``.
    text : str
        The sentence.

    Returns
    -------
    torch.Tensor
        int64 [pieces], with the marks of beginning and end.
    """
    pieces = tokenizer.encode_as_ids(normalize_text(text))
    return torch.tensor([BOS_ID, *pieces, EOS_ID])
