"""Training through a codec: its input gets a gradient.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from speechbrain_apcodec.inference.checks import check_num_codebooks, check_wavs
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import Lengths, Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


def code_with_gradient(
    codec: APCodec,
    wavs: Wavs,
    wav_lens: Lengths | None,
    num_codebooks: int | None,
) -> tuple[Wavs, Lengths]:
    """Encode and decode waveforms of one length, so that they get a gradient.

    The codec may be in any mode, and its weights may be frozen.
    """
    check_wavs(wavs)
    if wav_lens is not None and not (torch.as_tensor(wav_lens) == 1).all():
        raise APCodecError(
            "a gradient passes through waveforms of one length alone: "
            "cut them, or pass them one by one"
        )
    num_codebooks = check_num_codebooks(num_codebooks, codec.num_codebooks)
    wavs = wavs.to(codec.mods["codec"].steps.like)
    with codec.inference_ctx:
        decoded = codec.mods["codec"](wavs, num_codebooks).decoded
    return decoded, torch.ones(len(decoded), device=decoded.device)
