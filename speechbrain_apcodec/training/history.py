"""The record of a run: means over a window of steps, curves, pictures.

``history.jsonl`` in the output folder has one line a log window. A run that
is resumed from a checkpoint drops the lines after it, so that the record is
that of a run which was never interrupted.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import re
from pathlib import Path

import torch
from speechbrain.utils.distributed import if_main_process

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)
from speechbrain_apcodec.utils.figures import (
    save_loss_curves,
    save_spectrogram_rows,
)


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

    def __init__(self):
        self.sums = {}
        self.numbers = {}
        self.tokens = None

    def add(self, terms):
        """Add the terms of a step.

        Arguments
        ---------
        terms : dict
            From a name to a scalar. Tensors stay on their device: reading
            each one would stop a GPU at every step.
        """
        for name, value in terms.items():
            value = torch.as_tensor(value).detach().float()
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.numbers[name] = self.numbers.get(name, 0) + 1

    def count(self, tokens, codebook_size):
        """Count the tokens of a step.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks], -1 where there is no token.
        codebook_size : int
            Codewords of a codebook.
        """
        counts = count_tokens(tokens, codebook_size)
        self.tokens = counts if self.tokens is None else self.tokens + counts

    def gather(self):
        """Add up the windows of all ranks of a distributed run."""
        if not torch.distributed.is_initialized():
            return
        ranks = torch.distributed.get_world_size()
        for total in self.sums.values():
            torch.distributed.all_reduce(total)
        self.numbers = {n: ranks * count for n, count in self.numbers.items()}
        if self.tokens is not None:
            torch.distributed.all_reduce(self.tokens)

    def means(self):
        """Average the terms; add usage and perplexity of each codebook.

        Returns
        -------
        dict
            From a name to a float. ``usage_K`` is the share of codewords
            that occurred, ``perplexity_K`` the exponential of the entropy.
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

    def state(self):
        """Return everything as plain numbers, for a checkpoint.

        Returns
        -------
        dict
        """
        return {
            "sums": {name: float(total) for name, total in self.sums.items()},
            "numbers": dict(self.numbers),
            "tokens": None if self.tokens is None else self.tokens.tolist(),
        }

    @classmethod
    def from_state(cls, state):
        """Make a window from what ``state`` returned.

        Arguments
        ---------
        state : dict
            From ``state``.

        Returns
        -------
        Window
        """
        window = cls()
        window.sums = {
            name: torch.tensor(total) for name, total in state["sums"].items()
        }
        window.numbers = dict(state["numbers"])
        if state["tokens"] is not None:
            window.tokens = torch.tensor(state["tokens"])
        return window

    def to(self, device):
        """Move to the device of the training, after a recovery.

        Arguments
        ---------
        device : str or torch.device
            Where to.

        Returns
        -------
        Window
        """
        self.sums = {
            name: total.to(device) for name, total in self.sums.items()
        }
        if self.tokens is not None:
            self.tokens = self.tokens.to(device)
        return self


class History:
    """Log lines of a run, as a file and as pictures.

    Arguments
    ---------
    folder : str or pathlib.Path
        The run's output folder.
    """

    #: Log lines after which a term should have fallen.
    PATIENCE = 20

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "history.jsonl"

    def resume(self, step, in_epoch=False):
        """Drop the lines after a step, and those of a test.

        Arguments
        ---------
        step : int
            Optimiser steps done.
        in_epoch : bool
            Whether the epoch of this step is not over: then a validation
            after it, which will be repeated, is dropped too.
        """
        if if_main_process() and self.file.exists():
            # The test, too, is repeated by the run that follows.
            last = {"train": step, "valid": step - in_epoch, "test": -1}
            lines = [
                line
                for line in self.file.read_text(encoding="utf-8").splitlines()
                if _is_before(line, last)
            ]
            with atomic_path(self.file) as temporary:
                temporary.write_text(
                    "".join(f"{line}\n" for line in lines), encoding="utf-8"
                )

    def append(self, stage, step, stats):
        """Write a line.

        Arguments
        ---------
        stage : str
            train, valid or test.
        step : int
            Optimiser steps done.
        stats : dict
            From a name to a float.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"stage": stage, "step": step, **stats})
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    def stands_still(self, stage, name):
        """Tell, once in a while, whether a term has stopped falling.

        Arguments
        ---------
        stage : str
            train, valid or test.
        name : str
            The term.

        Returns
        -------
        bool
            At every ``PATIENCE``-th line of the stage, whether the term is
            as high as at the one before; False in between.
        """
        values = [
            value for _, value in self.curves().get(f"{stage}/{name}", [])
        ]
        if len(values) < 2 * self.PATIENCE or len(values) % self.PATIENCE:
            return False
        before = values[-2 * self.PATIENCE : -self.PATIENCE]
        # NaN, too, has not fallen.
        return not sum(values[-self.PATIENCE :]) < 0.995 * sum(before)

    def curves(self):
        """Read the file as curves.

        Returns
        -------
        dict
            From ``stage/term`` or ``stage/term/part`` to a list of (step,
            value).
        """
        curves = {}
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

    def draw(self, original, decoded, sample_rate, step):
        """Save the curves and a pair of spectrograms and sounds.

        Arguments
        ---------
        original : torch.Tensor
            float [samples].
        decoded : torch.Tensor
            float [samples].
        sample_rate : int
            Hz.
        step : int
            Optimiser steps done.
        """
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


def _is_before(line, last):
    # A kill can leave half a line at the end.
    try:
        stats = json.loads(line)
        return stats["step"] <= last[stats["stage"]]
    except (json.JSONDecodeError, KeyError):
        return False


def cut_log(path, step):
    """Drop the lines of SpeechBrain's text log that a run will repeat.

    Arguments
    ---------
    path : str or pathlib.Path
        File of a ``FileTrainLogger`` whose lines name the step.
    step : int
        Optimiser steps done.
    """
    path = Path(path)
    if not if_main_process() or not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines
        if (found := re.search(r"\bstep: (\d+)", line))
        and int(found.group(1)) <= step
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(
            "".join(f"{line}\n" for line in kept), encoding="utf-8"
        )
