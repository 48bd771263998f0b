"""What the live commands share: arguments, pipes, signals, lines to read.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import signal
import sys
from contextlib import contextmanager

from speechbrain_apcodec import STREAMING_MODEL
from speechbrain_apcodec.cli.model import (
    add_device_argument,
    add_model_argument,
    load_model,
)
from speechbrain_apcodec.utils.errors import APCodecError

#: The model of the live commands, where none is named.
LIVE_MODEL = STREAMING_MODEL

# Of files.audio_stream, whose import would bring numpy along.
_RAW_FORMATS = ("s16le", "f32le")


def add_live_arguments(parser, side):
    """Add ``--raw``, ``--model`` and ``--device``.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets the arguments.
    side : str
        ``"input"`` or ``"output"``: where the audio is.

    Example
    -------
    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> add_live_arguments(parser, "input")
    >>> parser.parse_args(["--raw", "s16le"]).raw
    's16le'
    """
    parser.add_argument(
        "--raw",
        choices=_RAW_FORMATS,
        help=f"format of the {side} if it is samples without a header, of "
        "one channel at the model's rate (default: WAV)",
    )
    add_model_argument(parser)
    parser.set_defaults(model=LIVE_MODEL)
    add_device_argument(parser)


def standard_pipes(example):
    """Return standard input and output as binary streams.

    Arguments
    ---------
    example : str
        The advice for who uses the command at a terminal.

    Returns
    -------
    source, sink : object
        Binary streams.

    Raises
    ------
    APCodecError
        If one of them is a terminal.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream.isatty():
            raise APCodecError(
                f"standard {name} is a terminal, but audio and packets are "
                f"binary: use a pipe or a file, as in `{example}`"
            )
    return sys.stdin.buffer, sys.stdout.buffer


def load_live_model(arguments, num_codebooks=None):
    """Load the model and say what it will do.

    Arguments
    ---------
    arguments : argparse.Namespace
        With ``model`` and ``device``.
    num_codebooks : int, optional
        Codebooks to use; default: all.

    Returns
    -------
    speechbrain_apcodec.inference.APCodec

    Raises
    ------
    APCodecError
        If there is no such model, device or number of codebooks, or the
        model cannot be streamed.
    """
    model = load_model(arguments)
    # Asked for the error alone, before anything is read.
    model.make_streaming_context()
    latency = 1000 * model.latency_samples / model.sample_rate
    say(
        f"{model.model_id} is ready, {model.sample_rate} Hz, "
        f"{model.bitrate(num_codebooks) / 1000:g} kbps, "
        f"latency {latency:.1f} ms"
    )
    return model


def say(line):
    """Print a line where it does not mix with the data."""
    print("apcodec:", line, file=sys.stderr, flush=True)


def say_report(report):
    """Print what a stream was.

    Arguments
    ---------
    report : speechbrain_apcodec.files.live.LiveReport
        Made when it ended.
    """
    say(
        f"{report.seconds:.2f} s in {report.num_packets} packets, "
        f"{report.kbps:.2f} kbps, "
        f"slowest block {1000 * report.slowest_step:.0f} ms"
    )


class _Stop(BaseException):
    """Leaves a read that waits."""


class _Stoppable:
    """A binary stream that a signal ends as if it had ended itself."""

    def __init__(self, file):
        self._file = file
        self._waiting = False
        self._stopped = False

    def stop(self, *_):
        """End it; what is being worked on goes on."""
        self._stopped = True
        if self._waiting:
            self._waiting = False
            raise _Stop

    def read1(self, size):
        """Read what is there; nothing once it was stopped."""
        data = b""
        try:
            self._waiting = True
            if not self._stopped:
                data = self._file.read1(size)
            self._waiting = False
        except _Stop:
            pass
        return data


@contextmanager
def ended_by_signals(file):
    """Let the first SIGINT or SIGTERM end a stream that is read.

    Arguments
    ---------
    file : object
        Binary stream.

    Yields
    ------
    object
        The same with ``read1`` alone.
    """
    stoppable = _Stoppable(file)

    def handle(*_):
        restore()
        stoppable.stop()

    restore = _handle_signals(handle, signal.SIGINT, signal.SIGTERM)
    try:
        yield stoppable
    finally:
        restore()


@contextmanager
def patient():
    """Let the first SIGINT only say that the stream has not ended yet.

    Ctrl-C goes to a whole pipeline. Its encoder then ends the stream, of
    which the decoder shall lose nothing.
    """

    def handle(*_):
        restore()
        say("waiting for the end of the stream; Ctrl-C again stops at once")

    restore = _handle_signals(handle, signal.SIGINT)
    try:
        yield
    finally:
        restore()


def _handle_signals(handler, *signals):
    """Set a handler; return what puts the former ones back."""
    before = {number: signal.signal(number, handler) for number in signals}

    def restore():
        for number, former in before.items():
            signal.signal(number, former)

    return restore
