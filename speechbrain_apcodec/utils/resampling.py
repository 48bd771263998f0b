"""Change the sampling rate, with every length exact.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch
import torchaudio.functional
from torch import Tensor
from torch.nn.functional import pad

from speechbrain_apcodec.utils.types import Wav

# Zero crossings on each side of the windowed sinc. torchaudio's own 6 dampens
# the highest octave, in which a 48 kHz codec has to prove itself.
_FILTER_WIDTH = 64
_ROLLOFF = 0.99

# Above this many kernel entries torchaudio's table (one row for each phase of
# the reduced ratio) would not fit: 44,101 to 48,000 Hz would take 17 GB.
_MAX_KERNEL_ENTRIES = 1 << 22

# Samples whose taps are computed in one go.
_DIRECT_SAMPLES = 1 << 13

#: Samples that a `BlockResampler` resamples in one go.
BLOCK_SAMPLES = 1 << 17


def resample(
    wav: Tensor, from_rate: int, to_rate: int, num_samples: int | None = None
) -> Tensor:
    """Resample float [..., samples] by a windowed sinc, without delay.

    Sample ``n`` of the input and sample ``n * to_rate / from_rate`` of the
    output are the same moment. The length is exactly
    ``ceil(samples * to_rate / from_rate)``, or ``num_samples`` where given:
    longer results are cut, shorter ones padded with zeros.

    Example
    -------
    >>> resample(torch.zeros(2, 441), 44100, 48000).shape
    torch.Size([2, 480])
    >>> resample(torch.zeros(2, 480), 48000, 44100, num_samples=441).shape
    torch.Size([2, 441])
    """
    if num_samples is None:
        num_samples = -(-wav.shape[-1] * to_rate // from_rate)
    if from_rate != to_rate:
        common = math.gcd(from_rate, to_rate)
        entries = (from_rate // common) * (to_rate // common)
        if entries <= _MAX_KERNEL_ENTRIES:
            wav = torchaudio.functional.resample(
                wav,
                from_rate,
                to_rate,
                lowpass_filter_width=_FILTER_WIDTH,
                rolloff=_ROLLOFF,
            )
        else:
            wav = _resample_directly(wav, from_rate, to_rate)
    return _fit(wav, num_samples)


def _fit(wav: Tensor, num_samples: int) -> Tensor:
    """Cut off, or pad with zeros, to a number of samples."""
    missing = num_samples - wav.shape[-1]
    return pad(wav, (0, missing)) if missing > 0 else wav[..., :num_samples]


def _resample_directly(wav: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Resample by the same filter, its taps computed for each sample.

    With base = rolloff * min(rates) and t = n / to_rate - m / from_rate,
    y[n] = sum over m of x[m] h(t), where
    h(t) = base / from_rate * sinc(base t) cos^2(pi base t / (2 width)).
    """
    length = wav.shape[-1]
    flat = wav.reshape(-1, length)
    base = _ROLLOFF * min(from_rate, to_rate)
    reach = math.ceil(_FILTER_WIDTH * from_rate / base)
    taps = torch.arange(-reach, reach + 1)
    # [channels, samples + 1, taps]: a view, row m is centred on sample m
    surroundings = pad(flat, (reach, reach + 1)).unfold(-1, len(taps), 1)
    results = []
    num_samples = -(-length * to_rate // from_rate)
    for start in range(0, num_samples, _DIRECT_SAMPLES):
        end = min(start + _DIRECT_SAMPLES, num_samples)
        steps = torch.arange(start, end)
        # Integers keep the position exact in the tenth minute too.
        nearest = steps * from_rate // to_rate
        offset = (steps * from_rate % to_rate).double() / to_rate
        time = ((offset[:, None] - taps) * (base / from_rate)).float()
        window = torch.cos(
            time.clamp(-_FILTER_WIDTH, _FILTER_WIDTH)
            * (math.pi / (2 * _FILTER_WIDTH))
        ).square()
        kernel = torch.sinc(time) * window * (base / from_rate)
        results.append(
            torch.einsum(
                "cst,st->cs",
                surroundings[:, nearest.to(wav.device)],
                kernel.to(wav),
            )
        )
    return torch.cat(results, dim=-1).reshape(*wav.shape[:-1], -1)


class BlockResampler:
    """Resample a recording as its samples arrive, by ``resample``.

    The result does not depend on how the recording is cut, to the last bit:
    phases of an empty band depend on it, and tokens on these.

    Example
    -------
    >>> wav = torch.randn(2, 30000)
    >>> resampler = BlockResampler(44100, 48000)
    >>> blocks = [resampler.push(block) for block in wav.split(7000, dim=1)]
    >>> whole = torch.cat([*blocks, resampler.flush()], dim=1)
    >>> torch.allclose(whole, resample(wav, 44100, 48000), atol=1e-5)
    True
    """

    def __init__(self, from_rate: int, to_rate: int):
        self._rates = from_rate, to_rate
        common = math.gcd(from_rate, to_rate)
        # From a multiple of ``step`` samples on, the filters are the same as
        # from the first on.
        self._step, self._output_step = from_rate // common, to_rate // common
        reach = math.ceil(
            _FILTER_WIDTH * from_rate / (_ROLLOFF * min(from_rate, to_rate))
        )
        self._context = self._whole_steps(reach) + self._step
        self._block = self._whole_steps(BLOCK_SAMPLES)
        self._waiting: Tensor | None = None
        # Samples of those waiting that are resampled: they are context.
        self._done = 0

    def push(self, wav: Tensor) -> Tensor:
        """Take the next samples; return those of the result known now."""
        if self._step == self._output_step:
            self._waiting = wav[:, :0]
            return wav
        if self._waiting is not None:
            wav = torch.cat([self._waiting, wav], dim=1)
        output, first = [wav[:, :0]], 0
        while True:
            end = first + self._done + self._block
            if wav.shape[1] < end + self._context:
                break
            part = self._resample(wav[:, first : end + self._context])
            output.append(part[:, : self._count(self._block)])
            before, first = first, max(first, end - self._context)
            self._done += self._block - (first - before)
        self._waiting = wav[:, first:].clone()
        return torch.cat(output, dim=1)

    def flush(self) -> Tensor:
        """Return the samples that are left."""
        assert self._waiting is not None, "push samples first"
        if self._step == self._output_step:
            return self._waiting
        return self._resample(self._waiting)

    def _resample(self, wav: Tensor) -> Tensor:
        """Resample, channel by channel, and cut off the context."""
        output = [resample(channel, *self._rates) for channel in wav]
        return torch.stack(output)[:, self._count(self._done) :]

    def _count(self, num_samples: int) -> int:
        return num_samples // self._step * self._output_step

    def _whole_steps(self, num_samples: int) -> int:
        return -(-num_samples // self._step) * self._step


def resample_in_blocks(
    wav: Wav, from_rate: int, to_rate: int, num_samples: int | None = None
) -> Wav:
    """Resample as ``resample``, with the very bits of a ``BlockResampler``."""
    resampler = BlockResampler(from_rate, to_rate)
    blocks = [resampler.push(wav[None]), resampler.flush()]
    output = torch.cat(blocks, dim=1)[0]
    return output if num_samples is None else _fit(output, num_samples)
