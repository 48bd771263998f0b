"""A codec of real operators, as ONNX can express it.

The networks are those of the codec itself. Others are only the two Fourier
transforms, which become products with a fixed basis, the arc tangent of two
arguments, which ONNX lacks, and the layers' view of a stream, whose position
a graph learns only when it runs.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import copy
import math
from typing import Any, cast

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
from speechbrain_apcodec.utils.types import Latent, Tokens, Wavs


def exportable(codec: Codec) -> Codec:
    """Copy a folded float32 codec, without the operators that ONNX lacks.

    The copy is on the CPU. Its tokens and waveforms are those of the codec
    but for rounding; it also decodes tokens of -1, see ``MaskedQuantizer``.
    """
    codec = copy.deepcopy(codec).cpu().eval()
    codec.analysis = RealAnalysis(*codec.stft, codec.analysis.floor)
    codec.synthesis = RealSynthesis(*codec.stft)
    codec.quantizer = MaskedQuantizer(codec.quantizer)
    return codec


class RealAnalysis(STFTAnalysis):
    """``STFTAnalysis`` in double precision, as two matrix products.

    A frame's even part gives the real part of its spectrum, its odd part the
    imaginary one.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(
        self,
        n_fft: int = 1024,
        stft_hop_length: int = 40,
        window_length: int = 320,
        floor: float = 1e-5,
    ) -> None:
        super().__init__(n_fft, stft_hop_length, window_length, floor)
        half = window_length // 2
        cosines, sines = _fourier_basis(n_fft, window_length)[..., half:]
        sines = sines[:, 1:] * self.complex_bins[:, None]
        self.register_buffer("cosines", cosines.T, persistent=False)
        self.register_buffer("sines", sines.T, persistent=False)

    def transform_padded(self, wavs: Wavs) -> tuple[Tensor, Tensor]:
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

    def _frames(self, wavs: Wavs) -> Tensor:
        """Cut into windows [batch, frames, window_length]."""
        # Whole hops are rows, of which a window spans a few.
        hop, window = self.stft_hop_length, self.window_length
        rows = -(-window // hop)
        count = (wavs.shape[-1] - window) // hop + 1
        wavs = F.pad(wavs, (0, rows * hop))[:, : (count + rows - 1) * hop]
        wavs = wavs.unflatten(-1, (count + rows - 1, hop))
        parts = [wavs[:, row : row + count] for row in range(rows)]
        return torch.cat(parts, dim=-1)[..., :window]


class RealSynthesis(STFTSynthesis):
    """``STFTSynthesis`` whose transform is a transposed convolution."""

    basis: Tensor
    weights: Tensor

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        basis = _fourier_basis(self.n_fft, self.window_length)[..., 1:]
        basis = basis / self.n_fft
        basis[:, 1:-1] *= 2  # bins that stand for a conjugate one as well
        basis[1, [0, -1]] = 0.0
        window = torch.hann_window(self.window_length, dtype=torch.float64)[1:]
        basis = (basis * window).flatten(0, 1)[:, None]
        self.register_buffer("basis", basis.float(), persistent=False)
        weights = window.square()[None, None]
        self.register_buffer("weights", weights.float(), persistent=False)

    def overlap_add(
        self, real: Tensor, imaginary: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Overlap-add the windowed frames; see ``STFTSynthesis``."""
        spectrum = torch.cat([real, imaginary], dim=1)
        if mask is None:
            mask = spectrum.new_ones(1, 1, spectrum.shape[-1])
        else:
            mask = mask.transpose(1, 2)
            spectrum = spectrum * mask
        added = self._transpose_convolve(spectrum, self.basis)
        weights = self._transpose_convolve(mask, self.weights)
        return torch.cat([added, weights.expand_as(added)], dim=1)

    def _transpose_convolve(self, frames: Tensor, basis: Tensor) -> Wavs:
        """Overlap-add the coefficients [batch, rows, frames] of a basis."""
        hop = self.stft_hop_length
        missing = self.tail_length + hop - basis.shape[-1]
        wavs = F.conv_transpose1d(frames, basis, stride=hop)
        return F.pad(wavs, (0, missing))


class MaskedQuantizer(ResidualVectorQuantizer):
    """A quantiser that decodes any number of codebooks.

    A graph has a fixed number of them; -1 stands in those that are not used.
    """

    def __init__(self, quantizer: ResidualVectorQuantizer) -> None:
        nn.Module.__init__(self)  # the stages are shared, not made anew
        vars(self).update(vars(quantizer))

    def decode(self, tokens: Tokens) -> Latent:
        """Sum the projected codewords of the stages that are used."""
        used = (tokens >= 0).unsqueeze(1)
        existing = tokens.clamp(min=0)
        parts = (
            stage.decode(existing[..., k]) * used[..., k]
            for k, stage in enumerate(self.stages())
        )
        return cast(Tensor, sum(parts))


class TensorStream(Stream):
    """A stream whose position a graph learns when it runs.

    All streams of the batch take as many ``steps``.
    """

    def __init__(self, state: NetworkState, steps: int) -> None:
        self.state = state
        self.steps = steps
        self.even = True
        self.masks = {}

    def mask(self, rate: int, delay: int, like: Tensor | None = None) -> Tensor:
        """Make float32 [batch, frames, 1], 1 in valid frames."""
        mask = self.masks.get((rate, delay))
        if mask is None:
            first = self.state.position[:, None] * rate - delay
            frame = first + torch.arange(self.steps * rate)
            frames = self.state.ratio // rate  # of one here
            total = (self.state.total + frames - 1) // frames
            valid = (frame >= 0) & (frame < total[:, None])
            mask = self.masks[rate, delay] = valid.float()[..., None]
        return mask


def arc_tangent(imaginary: Any, real: Any) -> Any:
    """Translate ``torch.atan2``, which ONNX lacks, into ONNX operators.

    For tensors of onnxscript. Negative zeros count as zeros: the phase of a
    negative real is pi.
    """
    op = _operators()
    zero, pi = op.Constant(value_float=0.0), op.Constant(value_float=math.pi)
    on_axis = op.Equal(real, zero)
    one = op.Constant(value_float=1.0)
    phase = op.Atan(op.Div(imaginary, op.Where(on_axis, one, real)))
    half_turn = op.Where(op.Less(imaginary, zero), op.Neg(pi), pi)
    phase = op.Where(op.Less(real, zero), op.Add(phase, half_turn), phase)
    quarter_turn = op.Constant(value_float=math.pi / 2)
    upright = op.Mul(op.Sign(imaginary), quarter_turn)
    return op.Where(on_axis, upright, phase)


def floor_divide(dividend: Any, divisor: Any) -> Any:
    """Translate ``//`` of sizes; ONNX's division rounds towards zero."""
    op = _operators()
    whole = op.Sub(dividend, op.Mod(dividend, divisor))
    return op.Div(whole, divisor)


def _operators() -> Any:
    """Import the operators of ONNX, which need the extra ``onnx``."""
    from onnxscript import opset18

    return opset18


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
