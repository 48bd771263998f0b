"""Training through a codec: what feeds it gets a gradient.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.inference.checks import check_num_codebooks, check_wavs
from speechbrain_apcodec.utils.errors import APCodecError

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


def code_with_gradient(
    codec: "APCodec",
    wavs: Tensor,
    wav_lens: Tensor | None,
    num_codebooks: int | None,
) -> tuple[Tensor, Tensor]:
    """Encode and decode so that a gradient reaches the input.

    Arguments
    ---------
    codec : APCodec
        In any mode; its own weights may be frozen.
    wavs : torch.Tensor
        float [batch, samples].
    wav_lens : torch.Tensor, optional
        float [batch], all 1.
    num_codebooks : int, optional
        Number of codebooks to use; default: all.

    Returns
    -------
    wavs : torch.Tensor
        float [batch, samples].
    wav_lens : torch.Tensor
        float [batch], all 1.

    Raises
    ------
    APCodecError
        If the waveforms are not of one length.
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
