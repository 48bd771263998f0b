"""Text as the speech models read it.

Authors
 * speechbrain_apcodec contributors, 2026
"""


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
