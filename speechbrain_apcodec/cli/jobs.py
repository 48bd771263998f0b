"""Which files a command reads, and which it writes.

Inputs may be files, folders, patterns in quotes, and ``-``. Each becomes a file
beside it, below a folder, or the one that is named.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import glob
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechbrain_apcodec.cli.model import add_force_argument
from speechbrain_apcodec.utils.audio_paths import files_below
from speechbrain_apcodec.utils.errors import AudioFileError, shown

# Most left-out files of a folder that are named.
_NAMED = 10


@dataclass(frozen=True)
class Job:
    """A file to read and the file to make of it; ``-`` is a standard stream.

    ``in_folder``: the target lies below a folder that may have to be made.
    """

    source: str
    target: str
    in_folder: bool = False

    @property
    def target_name(self) -> str:
        """The target as messages call it."""
        return _name(self.target)


@dataclass
class Inputs:
    """What the user's words name: files, and their paths below a folder."""

    files: list[tuple[str, Path]] = field(default_factory=list)
    faults: list[AudioFileError] = field(default_factory=list)
    several: bool = False


def add_file_arguments(parser: ArgumentParser, metavar: str, what: str) -> None:
    """Add the inputs, ``-o``, ``--force`` and ``--quiet``."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar=metavar,
        help=f"{what}: files, folders, patterns, - for standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER_OR_FILE",
        help="where to write, - for standard output (default: beside the "
        "input)",
    )
    parser.add_argument(
        "--quiet",
        action="store_true",
        help="say only what went wrong or was left out",
    )
    add_force_argument(parser)


def with_last_as_output(
    arguments: Namespace, is_output: Callable[[str], bool]
) -> tuple[list[str], str | None]:
    """Return inputs and output; ``IN OUT`` is short for ``IN -o OUT``."""
    words = arguments.inputs
    if arguments.output is None and len(words) == 2 and is_output(words[1]):
        return words[:1], words[1]
    return words, arguments.output


def find_inputs(words: Sequence[str], suffixes: Collection[str]) -> Inputs:
    """Find the files that words name, those in folders by their suffixes.

    What a folder holds beside them is counted and named on standard error.
    """
    inputs = Inputs(several=len(words) > 1)
    for word in _matched(words, inputs):
        if not Path(word).is_dir():
            inputs.files.append((word, Path(Path(word).name)))
            continue
        inputs.several = True
        found: list[Path] = []
        others: list[Path] = []
        for path in sorted(files_below(Path(word))):
            known = path.suffix.lower() in suffixes
            (found if known else others).append(path)
        inputs.files += [(str(path), path.relative_to(word)) for path in found]
        if not found:
            inputs.faults.append(
                AudioFileError(
                    f"{shown(word)} holds no file to code "
                    f"({', '.join(suffixes)}): name another folder"
                )
            )
        _name_left_out(word, others)
    return inputs


def plan(
    inputs: Inputs, output: str | None, suffix: str, known: Collection[str]
) -> list[Job]:
    """Decide where each file goes, all of them with ``suffix``.

    ``known`` are the suffixes of inputs, in whose place it comes; to any other
    name it is added.
    """

    def renamed(path: Path) -> Path:
        if path.suffix.lower() in known:
            return path.with_suffix(suffix)
        return path.with_name(path.name + suffix)

    if output is None:
        return [
            Job(file, "-" if file == "-" else str(renamed(Path(file))))
            for file, _ in inputs.files
        ]
    to_folder = Path(output).is_dir() or output.endswith("/")
    if not to_folder and not inputs.several:
        return [Job(file, output) for file, _ in inputs.files]
    if output == "-" or (not to_folder and Path(output).suffix == suffix):
        raise AudioFileError(
            f"several files cannot go into {_name(output)}: name a folder"
        )
    if any(file == "-" for file, _ in inputs.files):
        raise AudioFileError(
            "standard input has no name: name one file to write with -o"
        )
    return [
        Job(file, str(Path(output) / renamed(path)), in_folder=True)
        for file, path in inputs.files
    ]


def _matched(words: Sequence[str], inputs: Inputs) -> Iterator[str]:
    """Yield words, and in the place of a pattern what matches it."""
    for word in words:
        if word == "-" or not glob.has_magic(word) or Path(word).exists():
            yield word
            continue
        # As the shell does it: the pattern may begin anywhere.
        matches = sorted(glob.glob(word, recursive=True))  # noqa: PTH207
        inputs.several = True
        if not matches:
            inputs.faults.append(
                AudioFileError(
                    f"no file matches {shown(word)}: check the pattern"
                )
            )
        yield from matches


def _name_left_out(folder: str, paths: Sequence[Path]) -> None:
    if not paths:
        return
    names = [shown(path.relative_to(folder)) for path in paths[:_NAMED]]
    more = len(paths) - len(names)
    print(
        f"apcodec: left out below {shown(folder)}: {len(paths)} other "
        f"file(s), {', '.join(names)}" + (f" and {more} more" if more else ""),
        file=sys.stderr,
    )


def _name(target: str) -> str:
    return "standard output" if target == "-" else shown(target)
