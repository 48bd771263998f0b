"""One command on many files: a file that fails does not stop the others.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from speechbrain_apcodec.cli.faults import fail
from speechbrain_apcodec.cli.jobs import Job
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    AudioFileError,
    shown,
)

_Result = TypeVar("_Result")


class Batch:
    """Jobs, and what became of them.

    Arguments
    ---------
    quiet : bool
        Say nothing of what went well.
    faults : list of APCodecError
        What went wrong before the first job.

    Attributes
    ----------
    code : int
        Exit code: 0, or 2 if anything failed.
    """

    def __init__(self, quiet: bool, faults: Sequence[APCodecError]) -> None:
        self._quiet = quiet
        self.code = 0
        for fault in faults:
            self.code = fail(fault)

    def checked(
        self,
        jobs: Iterable[Job],
        check_source: Callable[[str], None],
        check_target: Callable[[Job], None],
    ) -> list[Job]:
        """Return the jobs that can be done, as far as their paths tell."""
        sources: dict[str, str] = {}

        def check(job: Job) -> bool:
            check_source(job.source)
            if job.target == "-":
                _check_standard_output()
                return True
            if job.target in sources:
                raise AudioFileError(
                    f"{shown(job.source)} and {shown(sources[job.target])} "
                    f"would both become {shown(job.target)}: rename one"
                )
            # A folder that is still to be made holds nothing.
            if not job.in_folder or Path(job.target).parent.exists():
                check_target(job)
            sources[job.target] = job.source
            return True

        return [job for job in jobs if self._attempt(check, job)]

    def run(self, jobs: Iterable[Job], code: Callable[[Job], str]) -> None:
        """Do the jobs; each returns a line that tells what it did."""
        for job in jobs:
            line = self._attempt(code, job)
            if line and not self._quiet:
                piped = job.target == "-"
                print(line, file=sys.stderr if piped else sys.stdout)

    def _attempt(
        self, step: Callable[[Job], _Result], job: Job
    ) -> _Result | None:
        """Return what a step makes of a job; None if it failed."""
        try:
            return step(job)
        except APCodecError as error:
            self.code = fail(error)
        except OSError as error:
            if error.filename is None:  # of standard output, or of no file
                raise
            self.code = fail(error)
        return None


@contextmanager
def written_to(job: Job, suffix: str) -> Iterator[Path]:
    """Yield where to write; what is for standard output gets there whole."""
    if job.target != "-":
        if job.in_folder:
            Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        yield Path(job.target)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"output{suffix}"
        yield path
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _check_standard_output() -> None:
    if sys.stdout.isatty():
        raise AudioFileError(
            "standard output is a terminal, but audio and tokens are binary: "
            "use a pipe, or name a file with -o"
        )
