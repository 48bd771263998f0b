"""Losses that see harmonics: log-mel and convergence at several resolutions.

The codec's own STFT looks through a short window, which cannot tell the
harmonics of a voice from each other.

Sources: https://arxiv.org/abs/1910.11480 (spectral convergence),
https://arxiv.org/abs/2306.06546 (mel spectra of several resolutions)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.types import Wavs

# An item below -50 dBFS counts as one of -50: a pause has hardly a spectrum to
# converge to, and to divide by its norm would drown the others.
QUIETEST = 10 ** (-50 / 20)


class MultiResolutionLoss(Term):
    """Compare waveforms through short and long windows.

    The mean over the windows of three terms: the mean absolute differences of
    log-mel values and of log-magnitudes, the latter weighted by the density of
    mels, and the spectral convergence, norm(difference) / norm(natural) of
    magnitudes.

    Arguments
    ---------
    sample_rate : int
        Hz.
    num_mels : dict
        From the length of each window, in samples, to its number of mel
        bands. Windows overlap by three quarters.

    Example
    -------
    >>> loss = MultiResolutionLoss(48000)
    >>> wavs = torch.randn(2, 8000)
    >>> loss(wavs, wavs)["multi_resolution"]
    tensor(0.)
    """

    names = ("multi_resolution",)

    def __init__(
        self, sample_rate: int, num_mels: dict[int, int] | None = None
    ) -> None:
        super().__init__()
        num_mels = num_mels or {512: 64, 1024: 96, 2048: 128, 4096: 192}
        self.windows = list(num_mels)
        for window, bands in num_mels.items():
            bank = melscale_fbanks(
                window // 2 + 1,
                f_min=0.0,
                f_max=sample_rate / 2,
                n_mels=bands,
                sample_rate=sample_rate,
                norm="slaney",
                mel_scale="slaney",
            )
            self.register_buffer(f"bank_{window}", bank, persistent=False)
            shape = torch.hann_window(window)
            self.register_buffer(f"window_{window}", shape, persistent=False)
            hertz = torch.linspace(0, sample_rate / 2, window // 2 + 1)
            density = 1 / (hertz + 700)  # of mels; harmonics lie below 5 kHz
            density = density / density.mean()
            self.register_buffer(f"density_{window}", density, persistent=False)

    def forward(self, wavs: Wavs, decoded: Wavs) -> dict[str, Tensor]:
        """Compare waveforms of at least half the longest window."""
        both = torch.cat([wavs.to(decoded.dtype), decoded])
        terms = [
            self._compare(
                both,
                self.get_buffer(f"window_{window}"),
                self.get_buffer(f"bank_{window}"),
                self.get_buffer(f"density_{window}"),
            )
            for window in self.windows
        ]
        total = cast(Tensor, sum(terms))
        return {"multi_resolution": total / len(terms)}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare waveforms; see ``Term``."""
        return self(output.wavs, output.decoded)

    @staticmethod
    def _compare(
        both: Wavs, window: Tensor, bank: Tensor, density: Tensor
    ) -> Tensor:
        spectrum = torch.stft(
            both,
            len(window),
            len(window) // 4,
            window=window,
            return_complex=True,
        ).transpose(1, 2)
        power = spectrum.real.square() + spectrum.imag.square()
        magnitude = torch.sqrt(power + 1e-9)
        natural, predicted = (magnitude @ bank).clamp(min=1e-5).log().chunk(2)
        log_mel = F.l1_loss(predicted, natural)
        # Mel bands are too wide to see lines, and what is missing between.
        natural, predicted = magnitude.log().chunk(2)
        log_magnitude = ((predicted - natural).abs() * density).mean()
        natural, predicted = magnitude.flatten(1).chunk(2)
        energy = natural.shape[1] * window.square().sum()
        norm = natural.norm(dim=1).clamp(min=QUIETEST * energy.sqrt())
        convergence = ((predicted - natural).norm(dim=1) / norm).mean()
        return log_mel + log_magnitude + convergence
