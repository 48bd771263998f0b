"""A loss that hears how loud each band is, whatever its noise looks like.

Above 8 kHz speech is noise. Bin by bin, two noises of the same loudness differ
by 8 dB, and a loss that compares bins hears little else: a band may be 5 dB
too weak for a fifth of a second. Summed over a whole band, noises of the same
loudness hardly differ.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.types import Wavs

BAND_HZ = 1000.0
# White noise of this mean square, -100 dBFS, counts as silence.
QUIETEST = 1e-10


class EnvelopeLoss(Term):
    """Mean absolute error of the log power of bands of 1 kHz.

    All bands count the same, so that three quarters of the term lie above
    6 kHz, at 48 kHz. In nepers of power: 0.23 is an error of 1 dB.

    Arguments
    ---------
    sample_rate : int
        Hz.
    window_length : int
        Samples of the Hann window. Windows overlap by three quarters.

    Example
    -------
    >>> loss = EnvelopeLoss(48000)
    >>> wavs = torch.randn(2, 8000)
    >>> loss(wavs, wavs / 2)["envelope"].round(decimals=2)  # 6 dB
    tensor(1.3900)
    """

    names = ("envelope",)
    window: Tensor
    bands: Tensor

    def __init__(self, sample_rate: int, window_length: int = 1024) -> None:
        super().__init__()
        window = torch.hann_window(window_length)
        hertz = torch.linspace(0, sample_rate / 2, window_length // 2 + 1)
        number = torch.arange(round(sample_rate / 2 / BAND_HZ))
        bands = (hertz[:, None] / BAND_HZ).floor() == number
        # The mean power of a bin, where white noise has its mean square.
        weights = bands / bands.sum(dim=0) / window.square().sum()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("bands", weights, persistent=False)

    def forward(self, wavs: Wavs, decoded: Wavs) -> dict[str, Tensor]:
        """Compare waveforms of at least half a window."""
        spectrum = torch.stft(
            torch.cat([wavs.to(decoded.dtype), decoded]),
            len(self.window),
            len(self.window) // 4,
            window=self.window,
            return_complex=True,
        ).transpose(1, 2)
        power = spectrum.real.square() + spectrum.imag.square()
        levels = (power @ self.bands + QUIETEST).log()
        natural, predicted = levels.chunk(2)
        return {"envelope": F.l1_loss(predicted, natural)}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare waveforms; see ``Term``."""
        return self(output.wavs, output.decoded)
