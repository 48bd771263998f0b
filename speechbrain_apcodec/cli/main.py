"""The command ``apcodec``.

Each command is a module of this package with ``add_arguments(parser)`` and
``run(arguments)``. PyTorch is imported by the functions that a command calls,
never at import: ``--help`` answers at once.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import errno
import io
import logging
import os
import sys
import warnings
from contextlib import contextmanager, nullcontext, suppress

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
"""

#: What to do about what the system says.
_FIXES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "write to a file system for larger files",
    errno.EACCES: "see who may read and write it",
    errno.EPERM: "see who may read and write it",
    errno.EROFS: "write to another file system",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EEXIST: "name another place",
    errno.ENOTDIR: "name another place",
    errno.EISDIR: "name another place",
    errno.EBADF: "open it for reading or writing",
}

_EPILOG = """\
'apcodec COMMAND --help' explains a command, with an example.
The exit code is 0 if all went well and 2 if the input is at fault; no output
file is left then. A file that exists is replaced with --force alone, and the
input never.
"""


def main(argv=None):
    """Run a command line.

    Arguments
    ---------
    argv : list of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 for success, 2 for a fault of the input, 130 if the
        user interrupted.

    Example
    -------
    >>> main(["info", "no-such-file.apc"])
    2
    """
    arguments = build_parser().parse_args(argv)
    if sys.stdout is None:
        # The next file to be opened would get its number, and the output.
        return _fail("standard output is closed: send it to /dev/null")
    if hasattr(sys.stdout, "reconfigure"):
        # Names of old archives are no UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # A run's log is what its user waits for; elsewhere it is noise.
        with nullcontext() if arguments.command == "train" else _quiet():
            arguments.run(arguments)
        sys.stdout.flush()
    except APCodecError as error:
        return _fail(error)
    except BrokenPipeError:  # the reader, such as `head`, has enough
        _drop_output()
    except OSError as error:
        fix, name = _FIXES.get(error.errno), error.filename
        if arguments.command == "train" and not (fix and name):
            raise  # it may come from anywhere: the traceback is wanted
        if fix and not name:  # files are named
            name = "standard output"
            _drop_output()
        parts = name, error.strerror or error, fix
        return _fail(": ".join(str(part) for part in parts if part))
    except KeyboardInterrupt:
        print("apcodec: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser():
    """Make the parser with all commands.

    Returns
    -------
    argparse.ArgumentParser

    Example
    -------
    >>> build_parser().parse_args(["encode", "in.wav", "out.apc"]).command
    'encode'
    """
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


def _add_commands(parser, modules, dest):
    """Add commands; a module with ``COMMANDS`` has commands of its own."""
    commands = parser.add_subparsers(
        title="commands", dest=dest, metavar="COMMAND", required=True
    )
    for name, module in modules.items():
        # A module's docstring is its command's help: summary, explanation
        # and example, said once. Its last paragraph names the authors.
        summary, _, rest = module.__doc__.partition("\n")
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


def _drop_output():
    """Keep Python from complaining once more when it closes the output."""
    with suppress(io.UnsupportedOperation):  # it is a file of Python's own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message):
    """Print one line, whatever line breaks the message has."""
    print("apcodec: error:", " ".join(str(message).split()), file=sys.stderr)
    return 2


@contextmanager
def _quiet():
    """Keep what PyTorch and SpeechBrain say to developers off the screen."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
