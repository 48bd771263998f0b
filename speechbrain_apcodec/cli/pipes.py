"""What the live commands share: arguments, pipes, signals, messages.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from speechbrain_apcodec import STREAMING_MODEL
from speechbrain_apcodec.cli.model import add_model_arguments, load_model
from speechbrain_apcodec.utils.errors import APCodecError

if TYPE_CHECKING:
    from speechbrain_apcodec.files.live import LiveReport
    from speechbrain_apcodec.inference import APCodec

# Those of files.audio_stream, whose import would import numpy.
_RAW_FORMATS = ("s16le", "f32le")


def add_live_arguments(parser: ArgumentParser, side: str) -> None:
    """Add ``--raw`` for the input or output, ``--model`` and ``--device``."""
    parser.add_argument(
        "--raw",
        choices=_RAW_FORMATS,
        help=f"format of the {side} if it is samples without a header, of "
        "one channel at the model's rate (default: WAV)",
    )
    add_model_arguments(parser)
    parser.set_defaults(model=STREAMING_MODEL)


def standard_pipes(example: str) -> tuple[Any, BinaryIO]:
    """Return standard input and output as binary streams.

    A terminal at either end is an error, which shows the example.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream.isatty():
            raise APCodecError(
                f"standard {name} is a terminal, but audio and packets are "
                f"binary: use a pipe or a file, as in `{example}`"
            )
    return sys.stdin.buffer, sys.stdout.buffer


def load_live_model(
    arguments: Namespace, num_codebooks: int | None = None
) -> APCodec:
    """Load a model that can be streamed, and print its rates and latency."""
    model = load_model(arguments)
    # Raises the error of a model that cannot, before anything is read.
    model.make_streaming_context()
    latency = 1000 * model.latency_samples / model.sample_rate
    say(
        f"{model.model_id} is ready, {model.sample_rate} Hz, "
        f"{model.bitrate(num_codebooks) / 1000:g} kbps, "
        f"latency {latency:.1f} ms"
    )
    return model


def say(line: str) -> None:
    """Print a line on standard error, apart from the data."""
    print("apcodec:", line, file=sys.stderr, flush=True)


def say_report(report: LiveReport) -> None:
    """Print what a stream was."""
    say(
        f"{report.seconds:.2f} s in {report.num_packets} packets, "
        f"{report.kbps:.2f} kbps, "
        f"slowest block {1000 * report.slowest_step:.0f} ms"
    )


class _Stop(BaseException):
    """Leaves a read that waits."""


class _Stoppable:
    """A binary stream that a signal can end."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._waiting = False
        self._stopped = False

    def stop(self) -> None:
        """End it after the block that is being processed."""
        self._stopped = True
        if self._waiting:
            self._waiting = False
            raise _Stop

    def read1(self, size: int) -> bytes:
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
def ended_by_signals(file: Any) -> Iterator[_Stoppable]:
    """Let the first SIGINT or SIGTERM end a stream that is read."""
    stoppable = _Stoppable(file)

    def handle(*_: object) -> None:
        restore()
        stoppable.stop()

    restore = _handle_signals(handle, signal.SIGINT, signal.SIGTERM)
    try:
        yield stoppable
    finally:
        restore()


@contextmanager
def patient() -> Iterator[None]:
    """Let the first SIGINT only say that the stream has not ended yet.

    Ctrl-C goes to a whole pipeline. Its encoder then ends the stream, of
    which the decoder must lose nothing.
    """

    def handle(*_: object) -> None:
        restore()
        say("waiting for the end of the stream; Ctrl-C again stops at once")

    restore = _handle_signals(handle, signal.SIGINT)
    try:
        yield
    finally:
        restore()


def _handle_signals(
    handler: Callable[..., None], *signals: int
) -> Callable[[], None]:
    """Set a handler; return the function that restores the former ones."""
    before = {number: signal.signal(number, handler) for number in signals}

    def restore() -> None:
        for number, former in before.items():
            signal.signal(number, former)

    return restore
