"""Listening models from well-kept packages, behind one kind of function.

Each takes two aligned waveforms ``[T]`` and their rate, resamples them to the
rate of the model, and returns a float: NaN where the model cannot judge (too
short, silent, no speech found). The packages are optional: one that is
missing raises a ``MissingExtraError`` that names it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import contextlib
import functools
import importlib
import io
import math
import warnings
from typing import Any

import numpy
import torch

from speechbrain_apcodec.evaluation import recognition
from speechbrain_apcodec.utils.errors import MissingExtraError
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import Wav

# The C code behind PESQ has room for 50 utterances and no check. They and
# the gaps between them last 0.2 s or more each.
_PESQ_MAX_SECONDS = 15

# How to get each package. The last four have weights inside; Resemblyzer's
# own requirements name a package that no longer builds.
_EVAL_EXTRA = "pip install 'speechbrain_apcodec[eval]'"
INSTALL = {
    "ai_edge_litert": _EVAL_EXTRA,
    "pesq": _EVAL_EXTRA,
    "pystoi": _EVAL_EXTRA,
    "visqol": _EVAL_EXTRA,
    "distillmos": "pip install distillmos",
    "speechmos": "pip install speechmos onnxruntime librosa",
    "resemblyzer": "pip install webrtcvad-wheels librosa scipy && "
    "pip install --no-deps resemblyzer",
    "faster_whisper": recognition.INSTALL,
}


def stoi(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """Short-time objective intelligibility; 1 is best.

    Hears 10 kHz, that is up to 5 kHz. NaN with less than about 0.4 s of
    speech. https://doi.org/10.1109/TASL.2011.2114881
    """
    package = _import_package("pystoi")
    if not reference.any() or len(reference) < 0.1 * sample_rate:
        return math.nan
    with warnings.catch_warnings():
        # "Not enough STFT frames": it would return 1e-5.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            score = package.stoi(
                _array(reference), _array(decoded), sample_rate
            )
        except RuntimeWarning:
            return math.nan
    return float(score)


def pesq_wideband(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """PESQ, wideband (ITU-T P.862.2), as MOS-LQO from 1.04 to 4.64.

    Hears 16 kHz, that is up to 8 kHz. Recordings of more than 15 s are
    scored in equal pieces of at most 15 s, of which the mean is taken. NaN
    below a quarter of a second.
    """
    package = _import_package("pesq")
    if not reference.any() or not decoded.any():
        return math.nan
    natural, coded = (
        _array(resample(wav, sample_rate, 16000))
        for wav in (reference, decoded)
    )
    pieces = math.ceil(len(natural) / (_PESQ_MAX_SECONDS * 16000))
    scores = []
    for wanted, got in zip(
        numpy.array_split(natural, pieces),
        numpy.array_split(coded, pieces),
        strict=True,
    ):
        if wanted.any() and got.any():
            try:
                scores.append(package.pesq(16000, wanted, got, "wb"))
            except (package.NoUtterancesError, package.BufferTooShortError):
                continue
    return float(numpy.mean(scores)) if scores else math.nan


def visqol_audio(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """ViSQOL v3 in audio mode, as MOS-LQO from 1 to 4.73.

    Hears 48 kHz, the whole band. NaN below about 1 s.
    https://arxiv.org/abs/2004.09584
    """
    return _visqol("audio", 48000, reference, decoded, sample_rate)


def visqol_speech(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """ViSQOL v3 in speech mode, as MOS-LQO from 1 to about 4.7.

    Hears 16 kHz, that is up to 8 kHz, and only where there is speech; with
    the lattice model, as the original program. NaN below about half a second.
    https://arxiv.org/abs/2004.09584
    """
    return _visqol("speech", 16000, reference, decoded, sample_rate)


def dnsmos(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """DNSMOS P.835, overall, from 1 to 5; without looking at the reference.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/2110.01763
    """
    package = _import_package("speechmos.dnsmos")
    if not decoded.any():
        return math.nan
    wav = resample(decoded, sample_rate, 16000).clamp(-1, 1)
    return float(package.run(_array(wav), 16000)["ovrl_mos"])


def distillmos(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """DistillMOS, from 1 to 5; without looking at the reference.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/2502.05356
    """
    network = _distillmos_network()
    if not decoded.any():
        return math.nan
    wav = resample(decoded.detach().cpu().float(), sample_rate, 16000)
    with torch.no_grad():
        return network(wav[None]).item()


def speaker_similarity(reference: Wav, decoded: Wav, sample_rate: int) -> float:
    """Cosine between the speaker embeddings of Resemblyzer; 1 is best.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/1710.10467
    """
    encoder = _speaker_encoder()
    if not reference.any() or not decoded.any():
        return math.nan
    one, other = (
        encoder.embed_utterance(
            _array(resample(wav, sample_rate, 16000)).astype(numpy.float32)
        )
        for wav in (reference, decoded)
    )
    return float(one @ other)


def _visqol(
    mode: str, rate: int, reference: Wav, decoded: Wav, sample_rate: int
) -> float:
    """Score by ViSQOL, NaN where it finds no patch to compare."""
    api = _visqol_api(mode)
    if not reference.any() or not decoded.any():
        return math.nan
    arrays = (
        _array(resample(wav, sample_rate, rate)) for wav in (reference, decoded)
    )
    try:
        return float(api.measure_from_arrays(*arrays, rate).moslqo)
    except (ValueError, IndexError):  # fewer frames than one patch
        return math.nan


@functools.cache
def _visqol_api(mode: str) -> Any:
    """Load a ViSQOL model once."""
    package = _import_package("visqol")
    if mode == "speech":
        # Without it the package falls back to a mapping that is 1 to 2 MOS
        # too kind.
        _import_package("ai_edge_litert")
    api = package.VisqolApi()
    api.create(mode=mode)
    return api


@functools.cache
def _distillmos_network() -> Any:
    """Load DistillMOS once."""
    package = _import_package("distillmos")
    with contextlib.redirect_stdout(io.StringIO()):  # it names its weights
        return package.ConvTransformerSQAModel().eval()


@functools.cache
def _speaker_encoder() -> Any:
    """Load Resemblyzer's encoder once."""
    package = _import_package("resemblyzer")
    return package.VoiceEncoder("cpu", verbose=False)


def _import_package(name: str) -> Any:
    """Import an optional package or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingExtraError(
            f"this metric needs the Python package {package} ({error}): "
            f"{INSTALL[package]}"
        ) from error


def _array(wav: Wav) -> "numpy.typing.NDArray[numpy.float64]":
    """Return a waveform as the float64 array that the packages take."""
    return wav.detach().cpu().double().numpy()
