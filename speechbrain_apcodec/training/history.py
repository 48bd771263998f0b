"""The record of a run: means over a window of steps, curves, pictures.

``history.jsonl`` in the output folder has one line a log window. A run that
is resumed from a checkpoint drops the lines after it, so that the record is
that of a run which was never interrupted.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.distributed import if_main_process
from torch import Tensor

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio_writing import write_audio
from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)
from speechbrain_apcodec.utils.figures import (
    save_loss_curves,
    save_spectrogram_rows,
)
from speechbrain_apcodec.utils.types import AnyPath, Tokens, Wav


class Window:
    """Sums of terms and counts of tokens since the last log line.

    Example
    -------
    >>> window = Window()
    >>> window.add({"loss": torch.tensor(1.0)})
    >>> window.add({"loss": 3.0})
    >>> window.means()
    {'loss': 2.0}
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.numbers: dict[str, int] = {}
        self.tokens: Tensor | None = None

    def add(self, terms: Mapping[str, Tensor | float]) -> None:
        """Add the terms of a step.

        Tensors stay on their device: reading each one would stop a GPU at
        every step.
        """
        for name, value in terms.items():
            value = torch.as_tensor(value).detach().float()
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.numbers[name] = self.numbers.get(name, 0) + 1

    def count(self, tokens: Tokens, codebook_size: int) -> None:
        """Count the tokens of a step, -1 where there is no token."""
        counts = count_tokens(tokens, codebook_size)
        self.tokens = counts if self.tokens is None else self.tokens + counts

    def gather(self) -> None:
        """Add up the windows of all ranks of a distributed run."""
        if not torch.distributed.is_initialized():
            return
        ranks = torch.distributed.get_world_size()
        for total in self.sums.values():
            torch.distributed.all_reduce(total)
        self.numbers = {n: ranks * count for n, count in self.numbers.items()}
        if self.tokens is not None:
            torch.distributed.all_reduce(self.tokens)

    def means(self) -> dict[str, float]:
        """Average the terms; add usage and perplexity of each codebook.

        ``usage_K`` is the share of codewords that occurred, ``perplexity_K``
        the exponential of the entropy.
        """
        means = {
            name: float(total) / self.numbers[name]
            for name, total in self.sums.items()
        }
        if self.tokens is not None:
            usage, perplexity = usage_and_perplexity(self.tokens)
            for k in range(len(usage)):
                means[f"usage_{k + 1}"] = float(usage[k])
                means[f"perplexity_{k + 1}"] = float(perplexity[k])
        return means

    def state(self) -> dict[str, Any]:
        """Return everything as plain numbers, for a checkpoint."""
        return {
            "sums": {name: float(total) for name, total in self.sums.items()},
            "numbers": dict(self.numbers),
            "tokens": None if self.tokens is None else self.tokens.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Window":
        """Make a window from the result of ``state``."""
        window = cls()
        window.sums = {
            name: torch.tensor(total) for name, total in state["sums"].items()
        }
        window.numbers = dict(state["numbers"])
        if state["tokens"] is not None:
            window.tokens = torch.tensor(state["tokens"])
        return window

    def to(self, device: str | torch.device) -> "Window":
        """Move to the device of the training, after a recovery."""
        self.sums = {n: total.to(device) for n, total in self.sums.items()}
        if self.tokens is not None:
            self.tokens = self.tokens.to(device)
        return self


class History:
    """Log lines of a run, as a file in its folder and as pictures."""

    #: Log lines after which a term should have fallen.
    PATIENCE = 20

    def __init__(self, folder: AnyPath) -> None:
        self.folder = Path(folder)
        self.file = self.folder / "history.jsonl"

    def resume(self, step: int, in_epoch: bool = False) -> None:
        """Drop the lines after an optimiser step, and those of a test.

        If the epoch of this step is not over, a validation after it will be
        repeated, and is dropped too; so is the test.
        """
        last = {"train": step, "valid": step - in_epoch, "test": -1}

        def is_before(line: str) -> bool:
            # A kill can leave half a line at the end.
            try:
                stats = json.loads(line)
                return stats["step"] <= last[stats["stage"]]
            except (json.JSONDecodeError, KeyError):
                return False

        _keep_lines(self.file, is_before)

    def append(self, stage: str, step: int, stats: Mapping[str, float]) -> None:
        """Write the line of a stage: train, valid or test."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"stage": stage, "step": step, **stats})
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    def is_on_plateau(self, name: str) -> bool:
        """Tell, at every ``PATIENCE``-th line, whether a term fell no more."""
        values = [value for _, value in self.curves().get(f"train/{name}", [])]
        if len(values) < 2 * self.PATIENCE or len(values) % self.PATIENCE:
            return False
        before = values[-2 * self.PATIENCE : -self.PATIENCE]
        # NaN, too, has not fallen.
        return not sum(values[-self.PATIENCE :]) < 0.995 * sum(before)

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Read pairs of step and value of ``stage/term`` or its parts."""
        curves: dict[str, list[tuple[int, float]]] = {}
        if not self.file.exists():
            return curves
        for line in self.file.read_text(encoding="utf-8").splitlines():
            stats = json.loads(line)
            stage, step = stats.pop("stage"), stats.pop("step")
            for name, value in stats.items():
                # One panel for all codebooks, and one for all bands.
                name = re.sub(r"_([\d-]+(?: ?kHz)?)$", r"/\1", name)
                curves.setdefault(f"{stage}/{name}", []).append((step, value))
        return curves

    def draw(
        self, original: Wav, decoded: Wav, sample_rate: int, step: int
    ) -> None:
        """Save the curves and a pair of spectrograms and sounds."""
        curves = self.curves()
        if curves:
            save_loss_curves(self.folder / "curves.png", curves)
        save_spectrogram_rows(
            self.folder / "spectrograms.png",
            {"original": original, "decoded": decoded},
            sample_rate,
            title=f"Validation after {step} steps",
        )
        for name, wav in (("original", original), ("decoded", decoded)):
            write_audio(
                self.folder / f"{name}.wav", wav[None], sample_rate, "PCM_16"
            )


def cut_log(path: AnyPath, step: int) -> None:
    """Drop the lines of a ``FileTrainLogger`` that a run will repeat."""

    def is_before(line: str) -> bool:
        found = re.search(r"\bstep: (\d+)", line)
        return found is not None and int(found[1]) <= step

    _keep_lines(Path(path), is_before)


def _keep_lines(path: Path, is_kept: Callable[[str], bool]) -> None:
    """Filter a text file, on the main process and if there is one."""
    if not if_main_process() or not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    with atomic_path(path) as temporary:
        temporary.write_text(
            "".join(f"{line}\n" for line in lines if is_kept(line)),
            encoding="utf-8",
        )
