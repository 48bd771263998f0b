"""The command ``apcodec``.

Each command is a module of this package with ``add_arguments(parser)`` and
``run(arguments)``. PyTorch is imported by the functions that a command calls,
never at import: ``--help`` answers at once.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from types import ModuleType

from speechbrain_apcodec import __version__
from speechbrain_apcodec.cli import (
    convert,
    decode,
    demo,
    encode,
    eval_tts,
    export,
    info,
    losses,
    push,
    roundtrip,
    say,
    stream,
    tokens,
    train,
)
from speechbrain_apcodec.cli import eval as evaluate
from speechbrain_apcodec.cli.faults import FIXES, fail
from speechbrain_apcodec.utils.errors import APCodecError

#: Every command, in the order in which ``--help`` lists them.
COMMANDS = {
    "demo": demo,
    "encode": encode,
    "decode": decode,
    "roundtrip": roundtrip,
    "info": info,
    "stream": stream,
    "tokens": tokens,
    "say": say,
    "eval": evaluate,
    "eval-tts": eval_tts,
    "train": train,
    "export": export,
    "convert": convert,
    "push": push,
    "losses": losses,
}

_DESCRIPTION = """\
APCodec: a neural codec that turns speech into a few kilobits per second and
back. Start with

  apcodec demo                        code a clip that comes with the package
  apcodec encode speech.wav s.apc     compress a recording
  apcodec decode s.apc speech2.wav    and restore it
  apcodec encode recordings -o coded  or a whole folder
"""

_EPILOG = """\
'apcodec COMMAND --help' explains a command, with an example.
The exit code is 0 if all went well and 2 if an input is at fault; no file is
made of it then. An existing file is replaced only with --force, the input
never.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; by default the one of the process.

    Returns the exit code: 0 for success, 2 for a fault of the input, 130 if
    the user interrupted.

    Example
    -------
    >>> main(["info", "no-such-file.apc"])
    2
    """
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks how a line may go on
        import argcomplete

        argcomplete.autocomplete(parser)
    arguments = parser.parse_args(argv)
    if sys.stdout is None:
        # The next file to be opened would get its descriptor, and the output.
        return fail("standard output is closed: send it to /dev/null")
    if hasattr(sys.stdout, "reconfigure"):
        # File names in old archives may not be UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")
    code: int | None = None
    try:
        # The user of a training wants its log; elsewhere it is noise.
        with nullcontext() if arguments.command == "train" else _quiet():
            code = arguments.run(arguments)
        sys.stdout.flush()
    except APCodecError as error:
        return fail(error)
    except BrokenPipeError:  # the reader, such as `head`, has enough
        _drop_output()
    except OSError as error:
        has_fix = error.errno in FIXES
        if arguments.command == "train" and not (has_fix and error.filename):
            raise  # it may come from anywhere: show the traceback
        if has_fix and not error.filename:
            _drop_output()
        return fail(error)
    except KeyboardInterrupt:
        print("apcodec: interrupted", file=sys.stderr)
        return 130
    return code or 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="apcodec",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"apcodec {__version__}",
    )
    _add_commands(parser, COMMANDS, "command")
    return parser


def _add_commands(
    parser: argparse.ArgumentParser,
    modules: dict[str, ModuleType],
    dest: str,
) -> None:
    """Add commands; a module with ``COMMANDS`` has commands of its own."""
    commands = parser.add_subparsers(
        title="commands", dest=dest, metavar="COMMAND", required=True
    )
    for name, module in modules.items():
        # The docstring of a module is the help of its command: summary,
        # explanation and example. Its last paragraph names the authors.
        summary, _, rest = str(module.__doc__).partition("\n")
        command = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=f"{summary}\n{rest.rpartition('Authors')[0].rstrip()}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if hasattr(module, "COMMANDS"):
            _add_commands(command, module.COMMANDS, "subcommand")
        else:
            module.add_arguments(command)
            command.set_defaults(run=module.run)


def _drop_output() -> None:
    """Keep Python from a second complaint when it closes the output."""
    with suppress(io.UnsupportedOperation):  # no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what PyTorch and SpeechBrain tell developers."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
