"""APCodec for SpeechBrain: a neural codec for 48 kHz speech.

Paper: https://arxiv.org/abs/2402.10533

Importing the package costs nothing: PyTorch is imported by the subpackages
that need it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

__version__ = "0.1.0"

#: Folder of the embedded model that is used where no model is named.
DEFAULT_MODEL = str(Path(__file__).parent / "pretrained" / "apcodec-48khz-mini")
