"""Intelligibility as a loss: the envelopes of speech in bands of the ear.

The spectral terms compare logarithms bin by bin. Listeners understand by how
the bands rise and fall over a third of a second, which STOI measures as a
correlation. Here it is computed for a whole batch, with gradients;
SpeechBrain's loss of that name loops over frames, and cuts silent ones out,
after which a short segment may have none left. Not in the paper.

Paper: https://doi.org/10.1109/TASL.2011.2114881

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.losses.term import Term
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wavs

SAMPLE_RATE = 10000  # Hz, as STOI has it
WINDOW_LENGTH = 256  # samples
HOP_LENGTH = 128  # samples
N_FFT = 512
NUM_BANDS = 15  # thirds of an octave
LOWEST_BAND = 150.0  # Hz, its centre
CONTEXT = 30  # frames whose envelopes are compared, 384 ms
SILENCE = 1e-4  # of the loudest frame's energy
CLIPPING = 1 + 10 ** (15 / 20)  # no band counts worse than -15 dB


class IntelligibilityLoss(Term):
    """One minus the short-time objective intelligibility, from 0 to 2.

    Frames of the natural waveform that are 40 dB below its loudest one count
    as zero on both sides; STOI itself cuts them out.

    Arguments
    ---------
    sample_rate : int
        Hz, of the waveforms.

    Example
    -------
    >>> loss = IntelligibilityLoss(48000)
    >>> wavs = torch.randn(2, 24000)
    >>> loss(wavs, 0.1 * wavs)["intelligibility"] < 1e-5
    tensor(True)
    """

    names = ("intelligibility",)
    bank: Tensor
    window: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.register_buffer("bank", third_octaves(), persistent=False)
        # Hann's window without its zeros, as STOI has it.
        window = torch.hann_window(WINDOW_LENGTH + 2, periodic=False)[1:-1]
        self.register_buffer("window", window, persistent=False)

    def forward(self, natural: Wavs, decoded: Wavs) -> dict[str, Tensor]:
        """Compare waveforms."""
        x, y = (self._bands(wavs) for wavs in (natural, decoded))
        energy = x.square().sum(dim=1, keepdim=True)
        heard = energy > SILENCE * energy.amax(dim=2, keepdim=True)
        x, y = ((z * heard).unfold(-1, CONTEXT, 1) for z in (x, y))
        tiny = torch.finfo(x.dtype).eps
        norm: Tensor = x.norm(dim=-1, keepdim=True)
        y = y * (norm / (y.norm(dim=-1, keepdim=True) + tiny))
        y = torch.minimum(y, x * CLIPPING)
        x, y = (z - z.mean(dim=-1, keepdim=True) for z in (x, y))
        correlation = F.cosine_similarity(x, y, dim=-1)
        return {"intelligibility": 1 - correlation.mean()}

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare waveforms; see ``Term``."""
        return self(output.wavs, output.decoded)

    def _bands(self, wavs: Wavs) -> Tensor:
        """Compute the magnitudes of bands, float [batch, bands, frames]."""
        wavs = resample(wavs, self.sample_rate, SAMPLE_RATE)
        # Pad waveforms that are shorter than one envelope.
        least = WINDOW_LENGTH + (CONTEXT - 1) * HOP_LENGTH
        wavs = F.pad(wavs, (0, max(0, least - wavs.shape[1])))
        framed = wavs.unfold(-1, WINDOW_LENGTH, HOP_LENGTH) * self.window
        spectrum = torch.fft.rfft(framed, N_FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.sqrt(power @ self.bank.t() + 1e-12).transpose(1, 2)


def third_octaves() -> Tensor:
    """Compute which bins each band holds: zeros and ones, [bands, bins]."""
    bands = torch.arange(NUM_BANDS, dtype=torch.float64)
    bins = torch.arange(N_FFT // 2 + 1)
    edges = [
        LOWEST_BAND * 2 ** ((2 * bands + side) / 6) * N_FFT / SAMPLE_RATE
        for side in (-1, 1)
    ]
    low, high = (edge.round()[:, None] for edge in edges)
    return ((bins >= low) & (bins < high)).float()
