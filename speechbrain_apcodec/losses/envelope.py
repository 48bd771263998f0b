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

# What ViSQOL can hear of noise: finer levels do not raise it, but take bits.
BAND_HZ = 2000.0
LATENTS = 3  # 20 ms at 150 latents per second
# Samples; windows overlap by three quarters.
WINDOW_LENGTH = 1024
# White noise of this mean square, -100 dBFS, counts as silence.
QUIETEST = 1e-10


class EnvelopeLoss(Term):
    """How far the levels of bands of 2 kHz are off, over time.

    ``envelope`` is the mean absolute error of the log power of the decoded
    waveform, in nepers: 0.23 is an error of 1 dB. ``predicted_envelope`` is
    the mean square error of the mean log-amplitude that the decoder predicts
    for three latents, less what a band is off on average: how loud frames that
    overlap become depends on their phases, too, and is left to the waveform.
    Its gradient meets no phases on its way to the encoder.

    All bands count the same, so that three quarters of the terms lie above
    6 kHz, at 48 kHz.

    Arguments
    ---------
    sample_rate : int
        Hz.
    n_fft : int
        Of the codec's STFT.
    ratio : int
        Frames of a latent.

    Example
    -------
    >>> loss = EnvelopeLoss(48000, n_fft=1024, ratio=4)
    >>> wavs = torch.randn(2, 8000)
    >>> loss(wavs, wavs / 2)["envelope"].round(decimals=2)  # 6 dB
    tensor(1.3900)
    """

    names = ("envelope", "predicted_envelope")
    window: Tensor
    bands: Tensor
    bands_of_codec: Tensor

    def __init__(self, sample_rate: int, n_fft: int, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio
        window = torch.hann_window(WINDOW_LENGTH)
        # The mean power of a bin, where white noise has its mean square.
        bands = _bands(WINDOW_LENGTH, sample_rate) / window.square().sum()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("bands", bands, persistent=False)
        self.register_buffer(
            "bands_of_codec", _bands(n_fft, sample_rate), False
        )

    def forward(self, wavs: Wavs, decoded: Wavs) -> dict[str, Tensor]:
        """Compare waveforms of at least half a window."""
        spectrum = torch.stft(
            torch.cat([wavs.to(decoded.dtype), decoded]),
            WINDOW_LENGTH,
            WINDOW_LENGTH // 4,
            window=self.window,
            return_complex=True,
        ).transpose(1, 2)
        power = spectrum.real.square() + spectrum.imag.square()
        levels = (power @ self.bands + QUIETEST).log()
        natural, predicted = levels.chunk(2)
        return {"envelope": F.l1_loss(predicted, natural)}

    def compare_amplitudes(
        self, natural: Tensor, predicted: Tensor
    ) -> dict[str, Tensor]:
        """Compare log-amplitudes [batch, bins, frames]."""
        error = self.bands_of_codec.t() @ (predicted - natural)
        error = F.avg_pool1d(error, LATENTS * self.ratio, self.ratio)
        error = error - error.mean(dim=(0, 2), keepdim=True)
        return {"predicted_envelope": error.square().mean()}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare waveforms and amplitudes; see ``Term``."""
        amplitudes = (
            output.natural.log_amplitude,
            output.predicted.log_amplitude,
        )
        return self(output.wavs, output.decoded) | self.compare_amplitudes(
            *amplitudes
        )


def _bands(n_fft: int, sample_rate: int) -> Tensor:
    """Make the matrix, [bins, bands], that takes the mean of each band."""
    hertz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    number = torch.arange(round(sample_rate / 2 / BAND_HZ))
    bands = (hertz[:, None] / BAND_HZ).floor() == number
    return bands / bands.sum(dim=0)
