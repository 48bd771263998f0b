"""A smooth log-amplitude from few mel values, to which a network adds detail.

The mel values are expanded by the pseudo-inverse of the mel matrix, so that a
network that knows the envelope does not have to learn how it looks in every
bin: it converges in a fraction of the steps.

Source: FreeV (https://arxiv.org/abs/2406.08196, section 2.2), where the mel
values are a vocoder's input; here the decoder predicts them.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import nn
from torchaudio.functional import melscale_fbanks

# The floor of the analysis: what is weaker counts as silence.
FLOOR = 1e-5


class MelPrior(nn.Module):
    """Expand log-mel values to the log-amplitudes of all bins.

    The values are relative to those of a flat spectrum of amplitude 1: zeros
    expand to zeros. A head of zeros thus changes nothing, and the prior can
    be added to a trained decoder.

    Arguments
    ---------
    bins : int
        Frequency bins from 0 to half the sampling rate.
    sample_rate : int
        Hz.
    num_mels : int
        Number of Slaney's mel bands.

    Example
    -------
    >>> prior = MelPrior(257, 48000, num_mels=80)
    >>> prior(torch.zeros(2, 5, 80)).abs().max().item()
    0.0
    """

    def __init__(self, bins: int, sample_rate: int, num_mels: int = 80):
        super().__init__()
        self.num_mels = num_mels
        bank = melscale_fbanks(
            bins,
            f_min=0.0,
            f_max=sample_rate / 2,
            n_mels=num_mels,
            sample_rate=sample_rate,
            norm="slaney",
            mel_scale="slaney",
        ).double()
        flat = bank.sum(0)
        expansion = (flat[:, None] * torch.linalg.pinv(bank)).float()
        self.register_buffer("expansion", expansion, persistent=False)
        reference = _log(torch.ones(1, num_mels) @ expansion)
        self.register_buffer("reference", reference, persistent=False)

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        """Expand.

        Arguments
        ---------
        log_mels : torch.Tensor
            Natural logarithms, float [batch, frames, num_mels].

        Returns
        -------
        torch.Tensor
            Natural log-amplitudes, at least float32 [batch, frames, bins].
        """
        # Half precision would round the exponentials.
        with torch.autocast(log_mels.device.type, enabled=False):
            mels = log_mels.to(self.expansion.dtype).exp()
            return _log(mels @ self.expansion) - self.reference


def _log(amplitude):
    # The pseudo-inverse has negative entries between steep mel values.
    return amplitude.abs().clamp(min=FLOOR).log()
