"""Listening models from well-kept packages, behind one kind of function.

Each takes two aligned waveforms ``[T]`` and their rate, resamples to the
rate that the model is defined at, and returns a float: NaN where the model
cannot judge (too short, no speech found). The packages are optional and
named when they are missing.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import contextlib
import functools
import importlib
import io
import math
import warnings

import numpy
import torch

from speechbrain_apcodec.evaluation import recognition
from speechbrain_apcodec.utils.audio import resample
from speechbrain_apcodec.utils.errors import MissingExtraError

# The C code behind PESQ has room for 50 utterances and no check. They and
# the gaps between them last 0.2 s or more each.
PESQ_MAX_SECONDS = 15

# How to get each package. The last four have weights inside; Resemblyzer's
# own requirements name a package that no longer builds.
EVAL_EXTRA = "pip install 'speechbrain_apcodec[eval]'"
INSTALL = {
    "ai_edge_litert": EVAL_EXTRA,
    "pesq": EVAL_EXTRA,
    "pystoi": EVAL_EXTRA,
    "visqol": EVAL_EXTRA,
    "distillmos": "pip install distillmos",
    "speechmos": "pip install speechmos onnxruntime librosa",
    "resemblyzer": "pip install webrtcvad-wheels librosa scipy && "
    "pip install --no-deps resemblyzer",
    "faster_whisper": recognition.INSTALL,
}


def stoi(reference, decoded, sample_rate):
    """Short-time objective intelligibility; 1 is best.

    Hears 10 kHz, that is up to 5 kHz. https://doi.org/10.1109/TASL.2011.2114881

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN with less than about 0.4 s of speech.

    Raises
    ------
    MissingExtraError
        If the package ``pystoi`` is missing.

    Example
    -------
    >>> import torch
    >>> wav = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    >>> round(stoi(wav, wav, 16000), 3)
    1.0
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


def pesq_wideband(reference, decoded, sample_rate):
    """PESQ, wideband (ITU-T P.862.2), as MOS-LQO from 1.04 to 4.64.

    Hears 16 kHz, that is up to 8 kHz. Recordings of more than 15 s are
    scored in equal pieces of at most 15 s, of which the mean is taken.

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN below a quarter of a second, or where no speech is found.

    Raises
    ------
    MissingExtraError
        If the package ``pesq`` is missing.

    Example
    -------
    >>> import torch
    >>> wav = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    >>> round(pesq_wideband(wav, wav, 16000), 2)
    4.64
    """
    package = _import_package("pesq")
    if not reference.any() or not decoded.any():
        return math.nan
    reference, decoded = (
        _array(resample(wav, sample_rate, 16000))
        for wav in (reference, decoded)
    )
    pieces = math.ceil(len(reference) / (PESQ_MAX_SECONDS * 16000))
    scores = []
    for wanted, got in zip(
        numpy.array_split(reference, pieces),
        numpy.array_split(decoded, pieces),
        strict=True,
    ):
        if wanted.any() and got.any():
            try:
                scores.append(package.pesq(16000, wanted, got, "wb"))
            except (package.NoUtterancesError, package.BufferTooShortError):
                continue
    return float(numpy.mean(scores)) if scores else math.nan


def visqol_audio(reference, decoded, sample_rate):
    """ViSQOL v3 in audio mode, as MOS-LQO from 1 to 4.73.

    Hears 48 kHz, the whole band. https://arxiv.org/abs/2004.09584

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN below about 1 s.

    Raises
    ------
    MissingExtraError
        If the package ``visqol-python`` is missing.
    """
    return _visqol("audio", 48000, reference, decoded, sample_rate)


def visqol_speech(reference, decoded, sample_rate):
    """ViSQOL v3 in speech mode, as MOS-LQO from 1 to about 4.7.

    Hears 16 kHz, that is up to 8 kHz, and only where there is speech; with
    the lattice model, as the original program.
    https://arxiv.org/abs/2004.09584

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN below about half a second.

    Raises
    ------
    MissingExtraError
        If ``visqol-python`` or ``ai-edge-litert`` is missing.
    """
    return _visqol("speech", 16000, reference, decoded, sample_rate)


def dnsmos(reference, decoded, sample_rate):
    """DNSMOS P.835, overall, from 1 to 5; without looking at the reference.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/2110.01763

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``, not used.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN for silence.

    Raises
    ------
    MissingExtraError
        If ``speechmos``, ``onnxruntime`` or ``librosa`` is missing.
    """
    package = _import_package("speechmos.dnsmos")
    if not decoded.any():
        return math.nan
    wav = resample(decoded, sample_rate, 16000).clamp(-1, 1)
    return float(package.run(_array(wav), 16000)["ovrl_mos"])


def distillmos(reference, decoded, sample_rate):
    """DistillMOS, from 1 to 5; without looking at the reference.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/2502.05356

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``, not used.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN for silence.

    Raises
    ------
    MissingExtraError
        If the package ``distillmos`` is missing.
    """
    network = _distillmos_network()
    if not decoded.any():
        return math.nan
    wav = resample(decoded.detach().cpu().float(), sample_rate, 16000)
    with torch.no_grad():
        return network(wav[None]).item()


def speaker_similarity(reference, decoded, sample_rate):
    """Cosine between the speaker embeddings of Resemblyzer; 1 is best.

    Hears 16 kHz, that is up to 8 kHz. https://arxiv.org/abs/1710.10467

    Arguments
    ---------
    reference : torch.Tensor
        Waveform ``[T]``.
    decoded : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        NaN for silence.

    Raises
    ------
    MissingExtraError
        If the package ``resemblyzer`` is missing.
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


def _visqol(mode, rate, reference, decoded, sample_rate):
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
def _visqol_api(mode):
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
def _distillmos_network():
    """Load DistillMOS once."""
    package = _import_package("distillmos")
    with contextlib.redirect_stdout(io.StringIO()):  # it names its weights
        return package.ConvTransformerSQAModel().eval()


@functools.cache
def _speaker_encoder():
    """Load Resemblyzer's encoder once."""
    package = _import_package("resemblyzer")
    return package.VoiceEncoder("cpu", verbose=False)


def _import_package(name):
    """Import an optional package or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingExtraError(
            f"this metric needs the Python package {package} ({error}): "
            f"{INSTALL[package]}"
        ) from error


def _array(wav):
    """Return a waveform as the float64 array that the packages take."""
    return wav.detach().cpu().double().numpy()
