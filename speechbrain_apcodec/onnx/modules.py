"""A codec of real operators, as ONNX can express it.

The networks are those of the codec itself. Exchanged are only the two Fourier
transforms, which become products with a fixed basis, the arc tangent of two
arguments, which ONNX does not have, and the view that the layers get of a
stream, whose position is known to a graph only when it runs.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.spectrum import (
    STFTAnalysis,
    STFTSynthesis,
    without_rounding_errors,
)
from speechbrain_apcodec.streams.state import NetworkState, Stream


def exportable(codec: Codec) -> Codec:
    """Copy a folded float32 codec, without the operators that ONNX lacks.

    The copy is on the CPU. Its tokens and waveforms are those of the codec
    but for rounding; it also decodes tokens of -1, see ``SomeCodebooks``.
    """
    codec = copy.deepcopy(codec).cpu().eval()
    codec.analysis = RealAnalysis(*codec.stft, codec.analysis.floor)
    codec.synthesis = RealSynthesis(*codec.stft)
    codec.quantizer = SomeCodebooks(codec.quantizer)
    return codec


class RealAnalysis(STFTAnalysis):
    """``STFTAnalysis`` whose transform is two matrix products, in float64.

    As ``STFTAnalysis`` with ``double_precision``. A frame's
    even part gives the real part of its spectrum, its odd part the imaginary
    one.

    Example
    -------
    >>> wavs = torch.randn(2, 1000)
    >>> real, imaginary = RealAnalysis().transform(wavs)
    >>> expected, _ = STFTAnalysis().transform(wavs)
    >>> torch.allclose(real, expected, atol=1e-4)
    True
    """

    def __init__(
        self,
        n_fft: int = 1024,
        stft_hop_length: int = 40,
        window_length: int = 320,
        floor: float = 1e-5,
    ):
        super().__init__(n_fft, stft_hop_length, window_length, floor)
        half = window_length // 2
        cosines, sines = _fourier_basis(n_fft, window_length)[..., half:]
        sines = sines[:, 1:] * self.complex_bins[:, None]
        self.register_buffer("cosines", cosines.T, persistent=False)
        self.register_buffer("sines", sines.T, persistent=False)

    def transform_extended(self, wavs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the STFT of whole windows; see ``STFTAnalysis``."""
        frames = self._frames(wavs.double()) * self.window.double()
        half = self.window_length // 2
        # The first sample of the window is zero.
        before, centre, behind = frames[..., 1:].split(
            [half - 1, 1, half - 1], dim=-1
        )
        before = before.flip(-1)
        even = torch.cat([centre, behind + before], dim=-1)
        parts = (even @ self.cosines, (behind - before) @ self.sines)
        real, imaginary = (
            without_rounding_errors(part).float().transpose(1, 2)
            for part in parts
        )
        return real, imaginary

    def _frames(self, wavs: Tensor) -> Tensor:
        """Cut windows [batch, frames, window_length] out."""
        # Whole hops are rows, of which a window spans a few.
        hop, window = self.stft_hop_length, self.window_length
        rows = -(-window // hop)
        count = (wavs.shape[-1] - window) // hop + 1
        wavs = F.pad(wavs, (0, rows * hop))[:, : (count + rows - 1) * hop]
        wavs = wavs.unflatten(-1, (count + rows - 1, hop))
        parts = [wavs[:, row : row + count] for row in range(rows)]
        return torch.cat(parts, dim=-1)[..., :window]


class RealSynthesis(STFTSynthesis):
    """``STFTSynthesis`` whose transform is a transposed convolution.

    Example
    -------
    >>> real, imaginary = torch.randn(2, 1, 513, 8)
    >>> wavs = RealSynthesis()(real, imaginary)
    >>> torch.allclose(wavs, STFTSynthesis()(real, imaginary), atol=1e-4)
    True
    """

    def __init__(
        self,
        n_fft: int = 1024,
        stft_hop_length: int = 40,
        window_length: int = 320,
    ):
        super().__init__(n_fft, stft_hop_length, window_length)
        basis = _fourier_basis(n_fft, window_length)[..., 1:] / n_fft
        basis[:, 1:-1] *= 2  # bins that stand for a conjugate one as well
        basis[1, [0, -1]] = 0.0
        window = torch.hann_window(window_length, dtype=torch.float64)[1:]
        basis = (basis * window).flatten(0, 1)[:, None]
        self.register_buffer("basis", basis.float(), persistent=False)
        weights = window.square()[None, None]
        self.register_buffer("weights", weights.float(), persistent=False)

    def overlap_add(
        self, real: Tensor, imaginary: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Add the windowed frames at their places; see ``STFTSynthesis``."""
        spectrum = torch.cat([real, imaginary], dim=1)
        if mask is None:
            mask = spectrum.new_ones(1, 1, spectrum.shape[-1])
        else:
            mask = mask.transpose(1, 2)
            spectrum = spectrum * mask
        added = self._spread(spectrum, self.basis)
        weights = self._spread(mask, self.weights).expand_as(added)
        return torch.cat([added, weights], dim=1)

    def _spread(self, frames: Tensor, basis: Tensor) -> Tensor:
        """Add what frames [batch, rows, frames] are in a basis."""
        hop = self.stft_hop_length
        missing = self.tail_length + hop - basis.shape[-1]
        wavs = F.conv_transpose1d(frames, basis, stride=hop)
        return F.pad(wavs, (0, missing))


class SomeCodebooks(nn.Module):
    """A quantiser whose graph decodes any number of codebooks.

    A graph has a fixed number of codebooks; -1 stands in those that are not
    used.

    Example
    -------
    >>> from speechbrain_apcodec.lobes.quantizer import (
    ...     ResidualVectorQuantizer,
    ... )
    >>> quantizer = ResidualVectorQuantizer(num_codebooks=3)
    >>> tokens = torch.tensor([[[5, 7]]])
    >>> filled = F.pad(tokens, (0, 1), value=-1)
    >>> decoded = SomeCodebooks(quantizer).decode(filled)
    >>> torch.equal(decoded, quantizer.decode(tokens))
    True
    """

    def __init__(self, quantizer: ResidualVectorQuantizer):
        super().__init__()
        self.quantizer = quantizer
        self.latent_dim = quantizer.latent_dim
        self.num_codebooks = quantizer.num_codebooks
        self.codebook_size = quantizer.codebook_size

    def encode(
        self, latent: Tensor, num_codebooks: int | None = None
    ) -> Tensor:
        """Quantise to tokens, as the quantiser does."""
        return self.quantizer.encode(latent, num_codebooks)

    def decode(self, tokens: Tensor) -> Tensor:
        """Sum the projected codewords of the stages that are used."""
        used = (tokens >= 0).unsqueeze(1)
        existing = tokens.clamp(min=0)
        return sum(
            stage.decode(existing[..., k]) * used[..., k]
            for k, stage in enumerate(self.quantizer.quantizers)
        )


class TensorStream(Stream):
    """A stream whose position a graph learns when it runs.

    All streams of the batch take as many ``steps``.
    """

    def __init__(self, state: NetworkState, steps: int):
        self.state = state
        self.steps = steps
        self.even = True
        self.masks = {}

    def mask(self, rate: int, delay: int, like: Tensor | None = None) -> Tensor:
        """Make float32 [batch, frames, 1], 1 in the streams' own frames."""
        if (rate, delay) not in self.masks:
            first = self.state.position[:, None] * rate - delay
            frame = first + torch.arange(self.steps * rate)
            frames = self.state.ratio // rate  # of one here
            total = (self.state.total + frames - 1) // frames
            mask = (frame >= 0) & (frame < total[:, None])
            self.masks[rate, delay] = mask.float()[..., None]
        return self.masks[rate, delay]


def arc_tangent(imaginary, real):
    """Translate ``torch.atan2``, which ONNX lacks, into ONNX operators.

    Of tensors of onnxscript. Negative zeros count as zeros: the phase of a
    negative real is pi.
    """
    from onnxscript import opset18 as op

    zero, pi = op.Constant(value_float=0.0), op.Constant(value_float=math.pi)
    on_axis = op.Equal(real, zero)
    one = op.Constant(value_float=1.0)
    phase = op.Atan(op.Div(imaginary, op.Where(on_axis, one, real)))
    half_turn = op.Where(op.Less(imaginary, zero), op.Neg(pi), pi)
    phase = op.Where(op.Less(real, zero), op.Add(phase, half_turn), phase)
    quarter_turn = op.Constant(value_float=math.pi / 2)
    upright = op.Mul(op.Sign(imaginary), quarter_turn)
    return op.Where(on_axis, upright, phase)


def floor_divide(dividend, divisor):
    """Translate ``//`` of sizes; ONNX's division rounds towards zero."""
    from onnxscript import opset18 as op

    whole = op.Sub(dividend, op.Mod(dividend, divisor))
    return op.Div(whole, divisor)


def _fourier_basis(n_fft: int, window_length: int) -> Tensor:
    """Compute cosines and negative sines, float64 [2, bins, window_length].

    They are those of a window in the middle of the FFT.
    """
    bins = torch.arange(n_fft // 2 + 1)
    samples = torch.arange(window_length) + (n_fft - window_length) // 2
    # As integers, whole turns are left out exactly.
    turns = (bins[:, None] * samples % n_fft).double() / n_fft
    return torch.stack(
        [(2 * math.pi * turns).cos(), -(2 * math.pi * turns).sin()]
    )
