"""Distances between a recording and what a codec made of it.

Every function takes two waveforms ``[T]`` of equal length, aligned (see
:func:`align`), in the range -1 to 1, their rate in Hz, and returns Python
floats. A recording that is too short, or a silent reference where silence has
no meaning, gives NaN: the report counts those and leaves them out of the
means.

The spectral ones take ``max_frequency`` in Hz, the real band of the
recording: a recording that was once stored at a lower rate is empty above it,
and a distance there would score the silence.

The definitions are those of the evaluation in
https://arxiv.org/abs/2402.10533 where that paper uses the metric.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch
import torchaudio.functional

from speechbrain_apcodec.utils.types import Wav

_LEVEL_BANDS = (
    (0, 4000),
    (4000, 8000),
    (8000, 16000),
    (16000, 20000),
    (20000, 24000),
)


def align(
    reference: Wav,
    decoded: Wav,
    max_lag: int = 4800,
    min_correlation: float = 0.5,
) -> tuple[Wav, Wav, int]:
    """Remove a constant delay between two waveforms and cut both to fit.

    The lag, up to ``max_lag`` samples in both directions, is the one with the
    highest cross-correlation. It is believed only if the normalised
    correlation there reaches ``min_correlation``: a decoded voice that shares
    no waveform with its reference has a maximum too, some pitch periods away,
    and such a shift would do harm.

    Example
    -------
    >>> wav = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    >>> late = torch.nn.functional.pad(wav, (137, 0))
    >>> reference, decoded, lag = align(wav, late)
    >>> lag, torch.equal(reference, decoded), len(reference)
    (137, True, 1000)
    """
    if reference.dim() != 1 or decoded.dim() != 1:
        raise ValueError(
            "align takes two waveforms [T], not "
            f"{list(reference.shape)} and {list(decoded.shape)}"
        )
    lag = 0
    energy = reference.double().norm() * decoded.double().norm()
    if energy > 0:
        size = max(len(reference), len(decoded)) + max_lag
        spectrum = torch.fft.rfft(reference.double(), size).conj()
        spectrum = spectrum * torch.fft.rfft(decoded.double(), size)
        correlation = torch.fft.irfft(spectrum, size)
        reach = min(max_lag, size // 2)
        lags = torch.arange(-reach, reach + 1)
        correlation = correlation[lags % size] / energy
        if correlation.max() >= min_correlation:
            lag = int(lags[correlation.argmax()])
    reference = reference[max(-lag, 0) :]
    decoded = decoded[max(lag, 0) :]
    length = min(len(reference), len(decoded))
    return reference[:length], decoded[:length], lag


def log_spectral_distance(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    max_frequency: float | None = None,
) -> float:
    """Log-spectral distance (LSD), without a unit; 0 is best.

    The mean over frames of the root of the mean over bins of the squared
    difference of ``log10(max(|STFT|^2, 1e-8))``, with a Hann window of 2048
    samples and a hop of 512. A gain of g dB on every bin gives g / 10.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    max_frequency : float, optional
        Only bins up to this frequency in Hz count.

    Returns
    -------
    float
        NaN if there are fewer than 2048 samples.

    Example
    -------
    >>> wav = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    >>> round(log_spectral_distance(wav, 10 * wav, 48000), 3)
    2.0
    """
    pair = _log_powers(reference, decoded)
    if pair is None:
        return math.nan
    kept = _bins_between(0, max_frequency, 2048, sample_rate)
    difference = (pair[0] - pair[1])[kept]
    return difference.square().mean(dim=0).sqrt().mean().item()


def level_error_by_band(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    max_frequency: float | None = None,
) -> dict[str, float]:
    """Mean log power error of each band, in dB; 0 is best.

    The mean over frames and bins of the difference of
    ``10 log10(max(|STFT|^2, 1e-8))``, decoded minus reference, with a Hann
    window of 2048 samples and a hop of 512. Below zero the decoded signal
    is too weak, the fault of a codec whose phases do not agree.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    max_frequency : float, optional
        Only bins up to this frequency in Hz count.

    Returns
    -------
    dict
        Band, such as ``"4-8"`` in kHz, to float; NaN for a band of which
        less than half lies below the Nyquist and the maximal frequency.

    Example
    -------
    >>> wav = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    >>> errors = level_error_by_band(wav, 0.5 * wav, 16000)
    >>> {band: round(error, 2) for band, error in errors.items()}
    {'0-4': -6.02, '4-8': -6.02, '8-16': nan, '16-20': nan, '20-24': nan}
    """
    pair = _log_powers(reference, decoded)
    limit = sample_rate / 2
    if max_frequency is not None:
        limit = min(limit, max_frequency)
    errors = {}
    for low, high in _LEVEL_BANDS:
        name = f"{low // 1000}-{high // 1000}"
        errors[name] = math.nan
        top = min(high, limit)
        if pair is not None and top - low >= (high - low) / 2:
            kept = _bins_between(low, top, 2048, sample_rate)
            errors[name] = 10 * (pair[1] - pair[0])[kept].mean().item()
    return errors


def mel_distance(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    max_frequency: float | None = None,
) -> float:
    """Log-mel distance, in nepers; 0 is best.

    The mean absolute difference of ``ln(max(M, 1e-5))``, where M are 80
    Slaney bands from 0 Hz to Nyquist of the magnitude
    ``sqrt(|STFT|^2 + 1e-9)`` with a Hann window of 1024 samples and a hop of
    256. A gain of g dB gives 0.1151 g. It is the training loss's log-mel
    term on a coarser grid of frames. Only mel bands whose upper edge is at
    most ``max_frequency`` count; fewer than 1024 samples give NaN.

    Example
    -------
    >>> wav = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    >>> round(mel_distance(wav, 10 * wav, 48000), 2)
    2.3
    """
    powers = _powers(reference, decoded, 1024, 256)
    if powers is None:
        return math.nan
    bands = torchaudio.functional.melscale_fbanks(
        513, 0.0, sample_rate / 2, 80, sample_rate, "slaney", "slaney"
    ).double()  # [bins, 80]
    if max_frequency is not None:
        above = ~_bins_between(0, max_frequency, 1024, sample_rate)
        bands = bands[:, bands[above].sum(dim=0) == 0]
    logs = [
        torch.log((bands.T @ (power + 1e-9).sqrt()).clamp_min(1e-5))
        for power in powers
    ]
    return (logs[0] - logs[1]).abs().mean().item()


def multi_resolution_stft_distance(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    max_frequency: float | None = None,
) -> float:
    """Multi-resolution STFT distance, without a unit; 0 is best.

    The mean over Hann windows of 512, 1024 and 2048 samples (hop a quarter)
    of the spectral convergence ``||R| - |D|| / ||R|`` (Frobenius norms of
    magnitudes) plus the mean absolute difference of ``ln(max(|.|, 1e-4))``.
    Fewer than 2048 samples, or a silent reference, give NaN.

    Example
    -------
    >>> wav = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    >>> multi_resolution_stft_distance(wav, 0 * wav + wav, 48000)
    0.0
    """
    if len(reference) < 2048 or not reference.any():
        return math.nan
    total = 0.0
    for n_fft in (512, 1024, 2048):
        powers = _powers(reference, decoded, n_fft, n_fft // 4)
        assert powers is not None  # there are enough samples
        kept = _bins_between(0, max_frequency, n_fft, sample_rate)
        wanted, got = (power[kept].sqrt() for power in powers)
        convergence = (wanted - got).norm() / wanted.norm()
        logs = wanted.clamp_min(1e-4).log() - got.clamp_min(1e-4).log()
        total += (convergence + logs.abs().mean()).item()
    return total / 3


def si_sdr(reference: Wav, decoded: Wav) -> float:
    """Scale-invariant signal-to-distortion ratio, in dB; higher is better.

    Both signals without their mean; the reference is scaled to fit best.
    Limited to -100 and 100 dB, so that one exact copy leaves a mean finite;
    NaN if the reference is silent or empty.

    Example
    -------
    >>> reference = torch.tensor([1.0, -1.0, 1.0, -1.0])
    >>> noise = torch.tensor([0.1, 0.1, -0.1, -0.1])
    >>> round(si_sdr(reference, 3 * (reference + noise)), 2)
    20.0
    """
    _check_pair(reference, decoded)
    if reference.numel() == 0:
        return math.nan
    reference = reference.double() - reference.double().mean()
    decoded = decoded.double() - decoded.double().mean()
    energy = reference.square().sum()
    if energy == 0:
        return math.nan
    target = (reference @ decoded) / energy * reference
    signal = target.square().sum().item()
    distortion = (decoded - target).square().sum().item()
    if not math.isfinite(signal + distortion):
        return -100.0  # to Python, NaN would be as high as any limit
    if distortion == 0:
        return 100.0 if signal > 0 else -100.0
    if signal == 0:
        return -100.0
    return max(-100.0, min(100.0, 10 * math.log10(signal / distortion)))


def _check_pair(reference: Wav, decoded: Wav) -> None:
    """Refuse what is no pair of aligned waveforms."""
    if reference.dim() != 1 or reference.shape != decoded.shape:
        raise ValueError(
            "a metric takes two waveforms [T] of equal length, not "
            f"{list(reference.shape)} and {list(decoded.shape)}: "
            "align them first"
        )


def _powers(
    reference: Wav, decoded: Wav, n_fft: int, hop_length: int
) -> torch.Tensor | None:
    """Return power spectra ``[2, bins, frames]``, or None if too short.

    In float64: in float32 the rounding of a loud bin reaches the floor of
    the quiet ones.
    """
    _check_pair(reference, decoded)
    if len(reference) < n_fft:
        return None
    window = torch.hann_window(n_fft, dtype=torch.float64)
    spectra = torch.stft(
        torch.stack([reference, decoded]).double().cpu(),
        n_fft,
        hop_length,
        window=window,
        return_complex=True,
    )
    return spectra.abs().square()


def _log_powers(reference: Wav, decoded: Wav) -> torch.Tensor | None:
    """Return log10 power spectra with a floor of 1e-8, or None."""
    powers = _powers(reference, decoded, 2048, 512)
    return None if powers is None else powers.clamp_min(1e-8).log10()


def _bins_between(
    low: float, high: float | None, n_fft: int, sample_rate: int
) -> torch.Tensor:
    """Return a mask ``[bins]`` of the STFT bins from ``low`` to ``high``."""
    frequencies = torch.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    kept = frequencies >= low
    return kept if high is None else kept & (frequencies <= high)
