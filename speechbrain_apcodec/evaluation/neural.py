"""Neural codecs to compare with, through the package ``transformers``.

Nothing is downloaded: their weights have to be in the cache of the hub.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import importlib
import math
from typing import Any

import torch

from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wav

#: Peer to its class in ``transformers`` and its hub id.
CODECS = {
    "encodec": ("EncodecModel", "facebook/encodec_24khz"),
    "dac": ("DacModel", "descript/dac_24khz"),
}


def load_neural_codec(name: str, kbps: float) -> Any:
    """Load the weights of a peer, a key of ``CODECS``, from the disk."""
    kind, source = CODECS[name]
    try:
        package = importlib.import_module("transformers")
        loader = getattr(package, kind).from_pretrained
        model = loader(source, local_files_only=True).eval()
    except ImportError as error:
        raise MissingExtraError(
            f"the peer {name} needs a Python package ({error}): "
            "pip install transformers"
        ) from error
    except OSError as error:
        raise MissingExtraError(
            f"the weights of the peer {name} are not on this disk: "
            f"fetch them once (hf download {source})"
        ) from error
    choices = _bitrates(model.config)
    if kbps not in choices:
        raise ConfigurationError(
            f"the peer {name} has no {kbps:g} kbps: "
            f"choose from {', '.join(f'{choice:g}' for choice in choices)}"
        )
    return model


@torch.no_grad()
def neural_roundtrip(
    wav: Wav, sample_rate: int, kbps: float, model: Any
) -> tuple[Wav, float]:
    """Code a waveform with a peer at one of its bitrates and decode it again.

    Returns the decoded waveform and the kbps of the codes.
    """
    config = model.config
    rate = config.sampling_rate
    narrow = resample(wav.detach().cpu().float(), sample_rate, rate)
    if config.model_type == "dac":
        books = round(kbps / _bitrates(config)[0])
        coded = model.encode(narrow[None, None], n_quantizers=books)
        decoded = model.decode(audio_codes=coded.audio_codes)
    else:
        coded = model.encode(narrow[None, None], bandwidth=float(kbps))
        decoded = model.decode(coded.audio_codes, coded.audio_scales)
    result = decoded.audio_values.reshape(-1)
    bits = coded.audio_codes.numel() * math.log2(config.codebook_size)
    return (
        resample(result, rate, sample_rate, len(wav)),
        bits * sample_rate / len(wav) / 1000,
    )


def _bitrates(config: Any) -> list[float]:
    """List the bitrates of a peer, kbps, lowest first."""
    if config.model_type == "encodec":
        return config.target_bandwidths
    frame_rate = config.sampling_rate / config.hop_length
    one_book = frame_rate * math.log2(config.codebook_size) / 1000
    return [one_book * (book + 1) for book in range(config.n_codebooks)]
