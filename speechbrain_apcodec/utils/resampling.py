"""Change the sampling rate, with every length exact.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch
import torchaudio.functional

# Zero crossings on each side of the windowed sinc. torchaudio's own 6 dampens
# the highest octave, in which a 48 kHz codec has to prove itself.
FILTER_WIDTH = 64
ROLLOFF = 0.99

# Above this many kernel entries torchaudio's table (one row for each phase of
# the reduced ratio) would not fit: 44,101 to 48,000 Hz would take 17 GB.
MAX_KERNEL_ENTRIES = 1 << 22

#: Samples that a `BlockResampler` resamples in one go.
BLOCK_SAMPLES = 1 << 17


def resample(wav, from_rate, to_rate, num_samples=None):
    """Resample by a windowed sinc, without delay.

    Sample ``n`` of the input and sample ``n * to_rate / from_rate`` of the
    output are the same moment. The length is exactly
    ``ceil(samples * to_rate / from_rate)``, or ``num_samples`` where given:
    longer results are cut, shorter ones end in zeros. Going to another rate
    and back with the first length given thus keeps the length.

    Arguments
    ---------
    wav : torch.Tensor
        float ``[..., samples]``.
    from_rate : int
        Rate of ``wav`` in Hz.
    to_rate : int
        Rate wanted in Hz.
    num_samples : int or None
        Length wanted.

    Returns
    -------
    torch.Tensor
        float ``[..., num_samples]``.

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
        if entries <= MAX_KERNEL_ENTRIES:
            wav = torchaudio.functional.resample(
                wav,
                from_rate,
                to_rate,
                lowpass_filter_width=FILTER_WIDTH,
                rolloff=ROLLOFF,
            )
        else:
            wav = _resample_directly(wav, from_rate, to_rate)
    missing = num_samples - wav.shape[-1]
    if missing > 0:
        return torch.nn.functional.pad(wav, (0, missing))
    return wav[..., :num_samples]


def _resample_directly(wav, from_rate, to_rate, block=1 << 13):
    """Resample by the same filter, its taps computed for each sample.

    With base = ROLLOFF * min(rates) and t = n / to_rate - m / from_rate,
    y[n] = sum over m of x[m] h(t), where
    h(t) = base / from_rate * sinc(base t) cos^2(pi base t / (2 width)).
    """
    length = wav.shape[-1]
    flat = wav.reshape(-1, length)
    base = ROLLOFF * min(from_rate, to_rate)
    reach = math.ceil(FILTER_WIDTH * from_rate / base)
    taps = torch.arange(-reach, reach + 1)
    # [channels, samples + 1, taps]: a view, row m is centred on sample m
    surroundings = torch.nn.functional.pad(flat, (reach, reach + 1)).unfold(
        -1, len(taps), 1
    )
    results = []
    num_samples = -(-length * to_rate // from_rate)
    for start in range(0, num_samples, block):
        steps = torch.arange(start, min(start + block, num_samples))
        # Integers keep the position exact in the tenth minute too.
        nearest = steps * from_rate // to_rate
        offset = (steps * from_rate % to_rate).double() / to_rate
        time = ((offset[:, None] - taps) * (base / from_rate)).float()
        window = torch.cos(
            time.clamp(-FILTER_WIDTH, FILTER_WIDTH)
            * (math.pi / (2 * FILTER_WIDTH))
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
    """Resample a recording as its samples come, by ``resample``.

    What comes out does not depend on how the recording is cut, to the last
    bit: phases of a band that is empty hang on it, and tokens on these.

    Arguments
    ---------
    from_rate : int
        Rate of the recording in Hz.
    to_rate : int
        Rate wanted in Hz.

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
        self._step, self._made = from_rate // common, to_rate // common
        reach = math.ceil(
            FILTER_WIDTH * from_rate / (ROLLOFF * min(from_rate, to_rate))
        )
        self._context = self._whole_steps(reach) + self._step
        self._block = self._whole_steps(BLOCK_SAMPLES)
        self._waiting = None
        # So much of what waits has been resampled: it is context.
        self._done = 0

    def push(self, wav: torch.Tensor) -> torch.Tensor:
        """Take the next samples in.

        Arguments
        ---------
        wav : torch.Tensor
            float ``[channels, samples]``, any number of them.

        Returns
        -------
        torch.Tensor
            float ``[channels, samples]``, those that are known now.
        """
        if self._step == self._made:
            self._waiting = wav[:, :0]
            return wav
        if self._waiting is not None:
            wav = torch.cat([self._waiting, wav], dim=1)
        made, first = [wav[:, :0]], 0
        while True:
            end = first + self._done + self._block
            if wav.shape[1] < end + self._context:
                break
            part = self._resample(wav[:, first : end + self._context])
            made.append(part[:, : self._count(self._block)])
            before, first = first, max(first, end - self._context)
            self._done += self._block - (first - before)
        self._waiting = wav[:, first:].clone()
        return torch.cat(made, dim=1)

    def flush(self) -> torch.Tensor:
        """Return what is left.

        Returns
        -------
        torch.Tensor
            float ``[channels, samples]``.
        """
        if self._step == self._made:
            return self._waiting
        return self._resample(self._waiting)

    def _resample(self, wav):
        """Resample what lies behind the context, channel by channel."""
        made = [resample(channel, *self._rates) for channel in wav]
        return torch.stack(made)[:, self._count(self._done) :]

    def _count(self, num_samples: int) -> int:
        return num_samples // self._step * self._made

    def _whole_steps(self, num_samples: int) -> int:
        return -(-num_samples // self._step) * self._step


def resample_in_blocks(
    wav: torch.Tensor,
    from_rate: int,
    to_rate: int,
    num_samples: int | None = None,
) -> torch.Tensor:
    """Resample to just what a ``BlockResampler`` makes of all blocks.

    Arguments
    ---------
    wav : torch.Tensor
        float ``[samples]``.
    from_rate : int
        Rate of ``wav`` in Hz.
    to_rate : int
        Rate wanted in Hz.
    num_samples : int, optional
        As for `resample`.

    Returns
    -------
    torch.Tensor
        float ``[num_samples]``.

    Example
    -------
    >>> resample_in_blocks(torch.zeros(441), 44100, 48000).shape
    torch.Size([480])
    """
    resampler = BlockResampler(from_rate, to_rate)
    made = [resampler.push(wav[None]), resampler.flush()]
    made = torch.cat(made, dim=1)[0]
    if num_samples is None:
        return made
    missing = max(0, num_samples - len(made))
    return torch.nn.functional.pad(made, (0, missing))[:num_samples]
