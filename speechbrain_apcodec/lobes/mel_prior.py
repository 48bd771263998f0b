"""A smooth log-amplitude from few mel values, to which a network adds detail.

A network that knows the envelope does not have to learn how it looks in every
bin: it converges in fewer steps.

Source: FreeV (https://arxiv.org/abs/2406.08196). There the mel values are a
vocoder's input, and the pseudo-inverse of the mel matrix expands them. Here the
decoder predicts them, and each bin takes the mean of the mel bands around it:
the pseudo-inverse is of no use where bins are wider than bands, as in a short
STFT.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

# That of the analysis: weaker bins count as silence.
FLOOR = 1e-5


class MelPrior(nn.Module):
    """Expand log-mel values to the log-amplitudes of all bins.

    Zeros expand to zeros. A head of zeros thus changes nothing, and the prior
    can be added to a trained decoder.

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

    expansion: Tensor

    def __init__(self, bins: int, sample_rate: int, num_mels: int = 80) -> None:
        super().__init__()
        self.num_mels = num_mels
        # A table, no weight: also where a network is built on no device.
        with torch.device("cpu"):
            bank = melscale_fbanks(
                bins,
                f_min=0.0,
                f_max=sample_rate / 2,
                n_mels=num_mels,
                sample_rate=sample_rate,
                mel_scale="slaney",
            )
        # The triangles begin and end at zero: copy the neighbours' values.
        bank[0], bank[-1] = bank[1], bank[-2]
        expansion = (bank / bank.sum(1, keepdim=True)).t().contiguous()
        self.register_buffer("expansion", expansion, persistent=False)

    def forward(self, log_mels: Tensor) -> Tensor:
        """Expand [batch, frames, num_mels] to [batch, frames, bins].

        Both are natural logarithms; the result is at least float32.
        """
        # Half precision would round the exponentials.
        with torch.autocast(log_mels.device.type, enabled=False):
            mels = log_mels.to(self.expansion.dtype).exp()
            return (mels @ self.expansion).clamp(min=FLOOR).log()
