"""APCodec for SpeechBrain: a neural codec for 48 kHz speech.

Paper: https://arxiv.org/abs/2402.10533

    from speechbrain_apcodec import APCodec

Importing the package costs nothing: PyTorch is imported by whoever first asks
for ``APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec

__all__ = ["APCodec", "DEFAULT_MODEL", "STREAMING_MODEL", "__version__"]

__version__ = "0.1.0"

_PRETRAINED = Path(__file__).parent / "pretrained"

#: Folder of the embedded model that is used where no model is named.
DEFAULT_MODEL = str(_PRETRAINED / "apcodec-48khz-6kbps")

#: Folder of the embedded model that is used for live streams.
STREAMING_MODEL = str(_PRETRAINED / "apcodec-48khz-mini-streaming")


def __getattr__(name: str) -> Any:
    """Import ``APCodec`` when it is asked for."""
    if name == "APCodec":
        from speechbrain_apcodec.inference import APCodec

        return APCodec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what there is, imported or not."""
    return sorted({*globals(), *__all__})
