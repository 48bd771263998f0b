"""APCodec for SpeechBrain: a neural codec for 48 kHz speech.

Paper: https://arxiv.org/abs/2402.10533

Importing the package costs nothing: PyTorch is imported by the subpackages
that need it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path

__version__ = "0.1.0"

_PRETRAINED = Path(__file__).parent / "pretrained"

#: Folder of the embedded model that is used where no model is named.
DEFAULT_MODEL = str(_PRETRAINED / "apcodec-48khz-6kbps")

#: Folder of the embedded model that is used for live streams.
STREAMING_MODEL = str(_PRETRAINED / "apcodec-48khz-mini-streaming")
