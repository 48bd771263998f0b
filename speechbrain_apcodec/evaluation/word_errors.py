"""Word error rates as metrics: of what a codec decodes, and of its input.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
import math

import torch

from speechbrain_apcodec.evaluation.recognition import Recognizer


def word_error_rate(reference, decoded, sample_rate, text):
    """Word error rate of the decoded speech.

    Hears 16 kHz, that is up to 8 kHz; see ``recognition``.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``, not used.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    text : str
        What is said, in English.

    Returns
    -------
    float
        Per cent of the words of the text, more than 100 if words were made
        up; NaN without a text.

    Raises
    ------
    MissingExtraError
        If a package is missing.
    """
    if not count_words(text):
        return math.nan
    heard = _recognizer().transcribe(decoded, sample_rate)
    errors, words = Recognizer.word_errors(text, heard)
    return 100 * errors / words


def original_word_error_rate(reference, decoded, sample_rate, text):
    """Word error rate of the original: the recogniser's own errors.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``, not used.
    sample_rate : int
        In Hz.
    text : str
        What is said, in English.

    Returns
    -------
    float
        As of `word_error_rate`.

    Raises
    ------
    MissingExtraError
        If a package is missing.
    """
    if not count_words(text):
        return math.nan
    samples = reference.detach().cpu().float().numpy().tobytes()
    heard = _transcribe_original(samples, sample_rate)
    errors, words = Recognizer.word_errors(text, heard)
    return 100 * errors / words


def count_words(text):
    """Count the words of a transcript, by which rates are weighted.

    Arguments
    ---------
    text : str
        What is said; may be empty.

    Returns
    -------
    int

    Example
    -------
    >>> count_words("It is well-known.")
    4
    """
    return Recognizer.word_errors(text, "")[1]


@functools.cache
def _recognizer():
    """Load the recogniser once."""
    return Recognizer()


# All systems of an evaluation are compared with the same original.
@functools.lru_cache(maxsize=1)
def _transcribe_original(samples, sample_rate):
    """Transcribe float32 samples."""
    wav = torch.frombuffer(bytearray(samples), dtype=torch.float32)
    return _recognizer().transcribe(wav, sample_rate)
