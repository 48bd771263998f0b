"""From waveforms to amplitude and phase spectra, and back.

Frame ``t`` is centred on sample ``t * stft_hop_length``. The window is
shorter than the FFT and lies in its middle, so that only ``window_length``
samples take part in a frame.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.kernels import (
    is_certain,
    is_exported_alone,
    is_recorded,
)
from speechbrain_apcodec.streams.time import length_mask
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Wavs

# Of all items, transformed at once; more would not stay in the cache.
FRAMES_PER_BLOCK = 512

#: One count for all items, or one for each, int64 [batch].
Count = TypeVar("Count", int, Tensor)


@dataclass
class Spectrum:
    """Amplitude and phase spectrum of a batch, and its complex parts.

    Each is float32 [batch, bins, frames].
    """

    #: Natural logarithm.
    log_amplitude: Tensor
    #: Radians in [-pi, pi].
    phase: Tensor
    real: Tensor
    imaginary: Tensor

    def narrow(self, frames: int) -> "Spectrum":
        """Keep the first ``frames`` frames."""
        return Spectrum(*(part[..., :frames] for part in self._parts()))

    def detach(self) -> "Spectrum":
        """Leave the gradient out."""
        return Spectrum(*(part.detach() for part in self._parts()))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.log_amplitude, self.phase, self.real, self.imaginary


def angle(imaginary: Tensor, real: Tensor) -> Tensor:
    """Compute ``torch.atan2``, with a finite gradient everywhere.

    Where both parts are zero the phase is 0, and so is its gradient, which
    PyTorch would make NaN. Negative zeros count as zeros.
    """
    # Adding zero turns -0 into +0: the phase of a negative real is +pi.
    if not torch.is_grad_enabled():
        return torch.atan2(imaginary + 0.0, real + 0.0)
    silent = (imaginary == 0) & (real == 0)
    phase = torch.atan2(imaginary + 0.0, real.masked_fill(silent, 1.0))
    return phase.masked_fill(silent, 0.0)


def without_rounding_errors(part: Tensor) -> Tensor:
    """Set values below 1e-12 to zero: the rounding errors of float64.

    The first frame, for one, is symmetric: its imaginary part is zero, and
    the sign of an error would make its phase pi or -pi.
    """
    return F.hardshrink(part, 1e-12)


class _STFT(nn.Module):
    """Sizes and window, which analysis and synthesis share."""

    window: Tensor

    def __init__(
        self,
        n_fft: int = 1024,
        stft_hop_length: int = 40,
        window_length: int = 320,
    ) -> None:
        super().__init__()
        if window_length > n_fft or window_length % 2 or n_fft % 2:
            raise ConfigurationError(
                f"window_length {window_length} and n_fft {n_fft} must be "
                "even, and the window no longer than the FFT"
            )
        # The last samples of a file lie a whole hop behind its last frame.
        # From a third of the window on, the window there is so small that
        # dividing by it blows up every error.
        if stft_hop_length < 1 or 3 * stft_hop_length > window_length:
            raise ConfigurationError(
                f"an STFT with a Hann window of {window_length} samples and "
                f"a hop of {stft_hop_length} cannot be inverted up to the "
                "last sample: the hop must be at most a third of the window"
            )
        self.n_fft = n_fft
        self.stft_hop_length = stft_hop_length
        self.window_length = window_length
        self.margin = (n_fft - window_length) // 2
        self.register_buffer(
            "window", torch.hann_window(window_length), persistent=False
        )


class STFTAnalysis(_STFT):
    """Log-amplitude and phase spectra of waveforms.

    Arguments
    ---------
    n_fft : int
        FFT size, samples.
    stft_hop_length : int
        Samples between frames.
    window_length : int
        Length of the periodic Hann window, samples.
    floor : float
        Added to the amplitude before the logarithm.
    double_precision : bool
        Compute the transform in float64. In float32, as published, the phase
        of an empty bin, as above the band of most recordings, is that of the
        rounding errors, and tokens depend on the device and the library.

    Raises
    ------
    ConfigurationError
        If the STFT cannot be inverted.

    Example
    -------
    >>> analysis = STFTAnalysis(1024, 40, 320)
    >>> spectrum = analysis(torch.randn(2, 7960))
    >>> spectrum.log_amplitude.shape
    torch.Size([2, 513, 200])
    """

    complex_bins: Tensor

    def __init__(
        self,
        n_fft: int = 1024,
        stft_hop_length: int = 40,
        window_length: int = 320,
        floor: float = 1e-5,
        double_precision: bool = False,
    ) -> None:
        super().__init__(n_fft, stft_hop_length, window_length)
        self.floor = floor
        self.double_precision = double_precision
        # The spectrum of a real signal is real at DC and Nyquist, where
        # rounding errors would turn a phase of +pi into -pi at random.
        complex_bins = torch.ones(n_fft // 2 + 1)
        complex_bins[0] = complex_bins[-1] = 0.0
        self.register_buffer("complex_bins", complex_bins, persistent=False)

    def num_frames(self, num_samples: Count) -> Count:
        """Count the frames of a waveform: 1 + samples // hop.

        A waveform too short for the reflection counts with the zeros that
        extend it; an empty one has no frames.
        """
        shortest = self.window_length // 2 + 1
        if isinstance(num_samples, torch.Tensor):
            extended = num_samples.clamp(min=shortest)
            frames = 1 + extended // self.stft_hop_length
            return frames * (num_samples > 0)
        if num_samples == 0:
            return 0
        return 1 + max(num_samples, shortest) // self.stft_hop_length

    def transform(
        self, wavs: Wavs, num_samples: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute the complex STFT, in float32 or float64.

        Each item is padded by the reflection of its own ends, as much as the
        window needs; items too short for it are first padded by zeros.
        """
        if wavs.dtype != torch.float64:
            wavs = wavs.float()
        return self.transform_padded(self._pad(wavs, num_samples))

    def transform_padded(self, wavs: Wavs) -> tuple[Tensor, Tensor]:
        """Compute the complex STFT of whole windows, from the first sample on.

        Gives real and imaginary part, float [batch, bins, frames], the latter
        +0 at DC and Nyquist.
        """
        with torch.autocast(wavs.device.type, enabled=False):
            frames = wavs.unfold(-1, self.window_length, self.stft_hop_length)
            blocks = (frames,)
            # A graph for any length has no number of blocks.
            if not is_recorded():
                length = FRAMES_PER_BLOCK
                if wavs.device.type == "cpu":
                    length = max(1, length // max(1, len(frames)))
                blocks = frames.split(length, dim=1)
            parts = zip(*map(self._rfft, blocks), strict=True)
            real, imaginary = (torch.cat(part, dim=1) for part in parts)
            return real.transpose(1, 2), imaginary.transpose(1, 2)

    def _rfft(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Transform windows [batch, frames, samples] to two [..., bins]."""
        exact = frames.double() if self.double_precision else frames
        exact = exact * self.window.to(exact.dtype)
        exact = F.pad(exact, (self.margin, self.margin))
        if is_exported_alone(exact):
            spectrum = torch.fft.rfft(exact[0])[None]
        else:
            spectrum = torch.fft.rfft(exact)
        parts = torch.view_as_real(spectrum)
        if self.double_precision:
            parts = without_rounding_errors(parts).to(frames.dtype)
        real, imaginary = parts.unbind(dim=-1)
        # Added to zero, -0 becomes +0.
        zero = imaginary.new_zeros(())
        # A view would keep both parts alive.
        real = real.contiguous()
        return real, zero.addcmul(imaginary, self.complex_bins.to(zero))

    def _pad(self, wavs: Wavs, num_samples: Tensor | None) -> Wavs:
        """Pad by the reflection of each item's ends; see ``transform``."""
        half = self.window_length // 2
        if num_samples is None:
            if not is_certain(wavs.shape[-1] > half):
                wavs = F.pad(wavs, (0, max(0, half + 1 - wavs.shape[-1])))
            return F.pad(wavs[:, None], (half, half), mode="reflect")[:, 0]
        samples = torch.arange(wavs.shape[-1], device=wavs.device)
        wavs = wavs * (samples < num_samples[:, None])
        lengths = num_samples.clamp(min=half + 1)[:, None]
        wavs = F.pad(wavs, (0, max(0, int(lengths.max()) - wavs.shape[-1])))
        positions = torch.arange(
            -half, wavs.shape[-1] + half, device=wavs.device
        ).abs()
        positions = torch.where(
            positions < lengths, positions, 2 * (lengths - 1) - positions
        )
        # Frames beyond the reflection are masked: any sample will do.
        return wavs.gather(1, positions.clamp(min=0))

    def forward(
        self, wavs: Wavs, num_samples: Tensor | None = None
    ) -> Spectrum:
        """Analyse waveforms, of which int64 [batch] samples are valid."""
        return self.spectrum(*self.transform(wavs, num_samples))

    def spectrum(self, real: Tensor, imaginary: Tensor) -> Spectrum:
        """Compute log-amplitude and phase of a complex STFT."""
        power = real.square() + imaginary.square()
        if power.requires_grad:  # that of a root is infinite at zero
            silent = power == 0
            power = power.masked_fill(silent, 1.0)
            amplitude = torch.sqrt(power).masked_fill(silent, 0.0)
        else:
            amplitude = torch.sqrt(power)
        return Spectrum(
            log_amplitude=torch.log(amplitude + self.floor),
            phase=angle(imaginary, real),
            real=real,
            imaginary=imaginary,
        )


class STFTSynthesis(_STFT):
    """Waveforms from complex spectra, by ISTFT.

    Overlapping windowed frames are added and divided by the sum of the
    squared windows that took part, so that the ends of a file, where fewer
    frames overlap, keep their level.

    Arguments
    ---------
    n_fft, stft_hop_length, window_length : int
        See ``STFTAnalysis``.

    Raises
    ------
    ConfigurationError
        If the STFT cannot be inverted.

    Example
    -------
    >>> analysis = STFTAnalysis(1024, 40, 320)
    >>> synthesis = STFTSynthesis(1024, 40, 320)
    >>> wavs = torch.randn(2, 7960)
    >>> spectrum = analysis(wavs)
    >>> decoded = synthesis(spectrum.real, spectrum.imaginary)
    >>> torch.allclose(decoded[:, :7960], wavs, atol=1e-5)
    True
    """

    def forward(
        self,
        real: Tensor,
        imaginary: Tensor,
        num_frames: Tensor | None = None,
    ) -> Wavs:
        """Synthesise [batch, bins, frames] to [batch, frames * hop].

        ``num_frames``, int64 [batch], are valid; the rest becomes zero.
        """
        length = real.shape[-1] * self.stft_hop_length
        mask = None
        if num_frames is not None:
            mask = length_mask(num_frames, real.shape[-1])
        sums = self.overlap_add(real, imaginary, mask)
        wavs = self.normalize(sums)[:, self.lookahead :][:, :length]
        if num_frames is not None:
            samples = torch.arange(length, device=wavs.device)
            own = samples < self.stft_hop_length * num_frames[:, None]
            wavs = wavs * own
        return wavs

    @property
    def lookahead(self) -> int:
        """Samples from the first that a frame reaches to its centre.

        The first sample of a periodic Hann window is zero and not counted.
        """
        return self.window_length // 2 - 1

    @property
    def tail_length(self) -> int:
        """Samples behind the last hop that later frames still add to."""
        hops = math.ceil((self.window_length - 1) / self.stft_hop_length)
        return (hops - 1) * self.stft_hop_length

    def overlap_add(
        self, real: Tensor, imaginary: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Overlap-add the windowed frames, and their squared windows.

        Frames take part where ``mask``, float [batch, frames, 1], is 1. Gives
        float [batch, 2, frames * hop + tail_length], which begins
        ``lookahead`` samples before the centre of the first frame.
        """
        with torch.autocast(real.device.type, enabled=False):
            spectrum = torch.complex(real, imaginary).transpose(1, 2)
            frames = torch.fft.irfft(spectrum, n=self.n_fft)
            frames = frames.narrow(-1, self.margin + 1, self.window_length - 1)
            window = self.window[1:].to(frames.dtype)
            weights = window.square().expand(1, *frames.shape[1:])
            frames = frames * window
            if mask is not None:
                mask = mask.to(frames.dtype)
                frames, weights = frames * mask, weights * mask
            added = self._overlap_add(frames)
            return torch.stack(
                [added, self._overlap_add(weights).expand_as(added)], dim=1
            )

    @staticmethod
    def normalize(sums: Tensor) -> Tensor:
        """Divide the sum of the frames by that of their squared windows."""
        return sums[:, 0] / sums[:, 1].clamp(min=1e-8)

    def _overlap_add(self, frames: Tensor) -> Wavs:
        """Overlap-add windows [batch, frames, samples]."""
        # Whole hops are added as rows: the window spans a few of them.
        hop, count = self.stft_hop_length, frames.shape[1]
        rows = self.tail_length // hop + 1
        frames = F.pad(frames, (0, rows * hop - frames.shape[-1]))
        frames = frames.unflatten(-1, (rows, hop))
        added = frames.new_zeros(frames.shape[0], count + rows - 1, hop)
        for row in range(rows):
            added[:, row : row + count] += frames[:, :, row]
        return added.flatten(1)
