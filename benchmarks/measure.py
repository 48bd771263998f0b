"""What the benchmarks share: the machine, paired timings, tables.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import csv
import os
import platform
import statistics
import time
from pathlib import Path

import torch
from hyperpyyaml import load_hyperpyyaml
from torch.utils.flop_counter import FlopCounterMode

from speechbrain_apcodec.lobes.kernels import linear
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.hparams import merge_hparams

HPARAMS = Path(__file__).parents[1] / "hparams"
PRODUCT_SIZE = 2048


def machine(device="cpu"):
    """Return the name of what computes."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        for line in cpus.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def build(yaml="48khz_6kbps.yaml", names=("codec",), **changes):
    """Build parts of a configuration with random weights.

    The norms of a new network are idle; they are given weights.
    """
    torch.manual_seed(0)
    text = merge_hparams(HPARAMS / yaml, changes)
    hparams = load_hyperpyyaml(inference_hparams(text, list(names)))
    for name, parameter in hparams["codec"].named_parameters():
        if "grn" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    if len(names) == 1:
        return hparams[names[0]].eval()
    return [hparams[name] for name in names]


@torch.no_grad()
def count_gmac(codec):
    """Count the multiply-accumulates of a second: encoder, decoder."""
    frames = round(codec.frame_rate)
    spectrum = torch.zeros(1, codec.encoder.bins, frames * codec.encoder.ratio)
    latent = torch.zeros(1, codec.latent_dim, frames)
    counts = []
    for run in (
        lambda: codec.encoder(spectrum, spectrum),
        lambda: codec.decoder(latent),
    ):
        with FlopCounterMode(display=False) as counter:
            run()
        counts.append(counter.get_total_flops() / 2e9)
    return counts


def products(device="cpu"):
    """Return functions that multiply two matrices, by name, and their GMAC.

    PyTorch leaves float32 products on a CPU to MKL, which is not the fastest
    on every processor: the last one is what oneDNN does, as the layers do.
    """
    size = PRODUCT_SIZE * (1 if device == "cpu" else 4)
    single = torch.randn(size, size, device=device)
    half = single.bfloat16()
    functions = {
        "float32": lambda: single @ single,
        "bfloat16": lambda: half @ half,
    }
    if device == "cpu":
        functions["float32 by oneDNN"] = lambda: linear(single[None], single)
    return functions, size**3 / 1e9


def timed(function):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def paired(functions, rounds):
    """Time functions in turn, so that all see the same machine.

    Returns the median seconds of each, after a round that does not count.
    """
    times = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            seconds = timed(function)
            if number:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


class Table:
    """Rows of a CSV file that know which of them are measured.

    Arguments
    ---------
    path : pathlib.Path
        The file; rows that it has are kept.
    columns : list of str
        Names of the columns.
    keys : int
        How many of them, from the first on, name a row.
    """

    def __init__(self, path, columns, keys):
        self.path, self.columns, self.keys = path, columns, keys
        self.rows = {}
        if path.is_file():
            with path.open(newline="") as stream:
                for row in csv.DictReader(stream):
                    values = [row[column] for column in columns]
                    self.rows[tuple(values[:keys])] = values

    def has(self, *key):
        """Tell whether a row is there, of which the key begins so."""
        key = tuple(map(str, key))
        return any(row[: len(key)] == key for row in self.rows)

    def add(self, *values):
        """Add a row, print it, and write the file."""
        values = [
            f"{value:.4g}" if isinstance(value, float) else str(value)
            for value in values
        ]
        self.rows[tuple(values[: self.keys])] = values
        print(" | ".join(values), flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as path, path.open("w", newline="") as out:
            csv.writer(out).writerows([self.columns, *self.rows.values()])

    def __iter__(self):
        return (
            dict(zip(self.columns, row, strict=True))
            for row in self.rows.values()
        )

    def write_markdown(self, heading):
        """Write the table beside the CSV, for people to read."""
        lines = [
            heading,
            "",
            "| " + " | ".join(self.columns) + " |",
            "|" + " --- |" * len(self.columns),
            *("| " + " | ".join(row) + " |" for row in self.rows.values()),
        ]
        with atomic_path(self.path.with_suffix(".md")) as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def heading(device="cpu"):
    """Say where and with what a table was measured."""
    return f"{machine(device)}, PyTorch {torch.__version__}; medians."
