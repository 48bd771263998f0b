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
