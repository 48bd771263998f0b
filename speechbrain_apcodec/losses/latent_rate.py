"""A loss that hears tones at multiples of the rate of the latents.

Where a phase cannot be known, as in noise, a decoder settles on one phase for
each frame of a latent. Then all latents begin alike, which sounds like a faint
buzz.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.types import Wavs

LOWEST_HZ = 1000.0  # below, a voice may well repeat with the latents


class LatentRateLoss(Term):
    """How much the phases of all latents agree, frame by frame.

    The mean over a batch of exp(i phase), at each frequency above 1 kHz and
    each frame of a latent; its squared magnitude. 1 for a decoder that knows
    one phase only, 1 / latents for random phases.

    Arguments
    ---------
    sample_rate : int
        Hz.
    n_fft : int
        Samples of an STFT window.
    stft_hop_length : int
        Samples from a frame to the next.
    ratio : int
        Frames of a latent.

    Example
    -------
    >>> loss = LatentRateLoss(48000, n_fft=320, stft_hop_length=80, ratio=4)
    >>> latent = torch.randn(320, generator=torch.Generator().manual_seed(0))
    >>> loss(latent.repeat(2, 25))["latent_rate"].round(decimals=2)
    tensor(1.)
    """

    names = ("latent_rate",)
    window: Tensor

    def __init__(
        self, sample_rate: int, n_fft: int, stft_hop_length: int, ratio: int
    ) -> None:
        super().__init__()
        self.hop_length = stft_hop_length
        self.ratio = ratio
        self.lowest_bin = round(LOWEST_HZ * n_fft / sample_rate)
        self.register_buffer("window", torch.hann_window(n_fft), False)

    def forward(self, decoded: Wavs) -> dict[str, Tensor]:
        """Compare the latents; all waveforms begin at the same frame of one."""
        spectrum = torch.stft(
            decoded,
            len(self.window),
            self.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        )[:, self.lowest_bin :]
        spectrum = spectrum[..., : spectrum.shape[2] // self.ratio * self.ratio]
        parts = torch.view_as_real(spectrum)
        power = parts.square().sum(-1, keepdim=True)
        phasors = parts * torch.rsqrt(power + 1e-8)  # silence has no phase
        shared = phasors.unflatten(2, (-1, self.ratio)).mean(dim=(0, 2))
        return {"latent_rate": shared.square().sum(-1).mean()}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Look at the decoded waveforms; see ``Term``."""
        return self(output.decoded)
