"""Text as it is spoken, by eSpeak NG.

English letters tell little of the sounds: an hour of speech does not teach
what "through" and "though" have in common. The packages are optional, and
under the GNU General Public License.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
import importlib
import logging
from typing import Any

from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)

_INSTALL = "pip install 'speechbrain_apcodec[phonemes]'"


def to_phonemes(text: str, language: str) -> str:
    """Write text as phonemes; numbers and abbreviations are read out.

    The result has letters of the IPA without marks of stress and length, the
    punctuation of the text, and spaces between words. Languages have the names
    of eSpeak NG, such as ``en-us`` or ``de``.

    Example
    -------
    >>> to_phonemes("Not at this case, Tom!", "en-us")
    'nɑt æt ðɪs keɪs, tɑm!'
    """
    (phonemes,) = _backend(language).phonemize([text], strip=True)
    return phonemes.replace("ː", "")


@functools.lru_cache(maxsize=8)
def _backend(language: str) -> Any:
    try:
        loader = importlib.import_module("espeakng_loader")
        espeak = importlib.import_module("phonemizer.backend.espeak.wrapper")
        backend = importlib.import_module("phonemizer.backend")
    except ImportError as error:
        raise MissingExtraError(
            f"phonemes need eSpeak NG ({error}): {_INSTALL}"
        ) from error
    espeak.EspeakWrapper.set_library(loader.get_library_path())
    espeak.EspeakWrapper.set_data_path(loader.get_data_path())
    if not backend.EspeakBackend.is_supported_language(language):
        known = sorted(backend.EspeakBackend.supported_languages())
        raise ConfigurationError(
            f"eSpeak NG does not know the language {language}; it knows "
            f"{', '.join(known)}"
        )
    # It warns of each sentence in which words are spoken as one.
    logger = logging.getLogger(f"{__name__}.espeak")
    logger.setLevel(logging.ERROR)
    return backend.EspeakBackend(
        language,
        preserve_punctuation=True,
        with_stress=False,
        language_switch="remove-flags",
        logger=logger,
    )
