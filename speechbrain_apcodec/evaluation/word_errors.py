"""Word error rates as metrics: of what a codec decodes, and of its input.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
import math
from collections.abc import Callable

import torch

from speechbrain_apcodec.evaluation.recognition import Recognizer
from speechbrain_apcodec.utils.types import Wav


def word_error_rate(
    reference: Wav, decoded: Wav, sample_rate: int, text: str
) -> float:
    """Word error rate of the decoded speech, in per cent.

    Above 100 if words were made up; NaN without a text. Hears 16 kHz, that
    is up to 8 kHz; see ``recognition``.
    """
    return _error_rate(
        text, lambda: _recognizer().transcribe(decoded, sample_rate)
    )


def original_word_error_rate(
    reference: Wav, decoded: Wav, sample_rate: int, text: str
) -> float:
    """Word error rate of the original: the recogniser's own errors."""
    samples = reference.detach().cpu().float().numpy().tobytes()
    return _error_rate(text, lambda: _transcribe_original(samples, sample_rate))


def count_words(text: str) -> int:
    """Count the words of a transcript, by which rates are weighted."""
    return Recognizer.word_errors(text, "")[1]


def _error_rate(text: str, transcribe: Callable[[], str]) -> float:
    """Compare a transcript, made only if there is a text, with the text."""
    if not count_words(text):
        return math.nan
    errors, words = Recognizer.word_errors(text, transcribe())
    return 100 * errors / words


@functools.cache
def _recognizer() -> Recognizer:
    """Load the recogniser once."""
    return Recognizer()


# All systems of an evaluation are compared with the same original.
@functools.lru_cache(maxsize=1)
def _transcribe_original(samples: bytes, sample_rate: int) -> str:
    """Transcribe float32 samples."""
    wav = torch.frombuffer(bytearray(samples), dtype=torch.float32)
    return _recognizer().transcribe(wav, sample_rate)
