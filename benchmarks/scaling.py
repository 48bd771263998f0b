"""How the cost grows with length, batch and width.

``python -m benchmarks.scaling benchmarks/results/scaling``
writes a CSV and a picture; what the CSV has is not measured again. Lengths
go up to an hour, coded in chunks; a process of its own measures the memory.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import torch

from benchmarks.measure import Table, build, heading, timed
from benchmarks.speed import resident_megabytes
from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.utils.atomic import atomic_path

COLUMNS = [
    "against", "value", "direction", "seconds of audio", "time (s)",
    "time per second of audio", "memory above the waveform (MB)",
]  # fmt: skip
VALUES = {
    "length": [10, 30, 60, 300, 900, 3600],
    "batch": [1, 2, 4, 8, 16],
    "width": [64, 128, 256, 384],
}


def run_one(against, value, direction, device, threads):
    """Measure one point: seconds of audio, of time, and memory."""
    torch.set_num_threads(threads)
    changes = {"grn_statistic": "frame"}
    batch, seconds = 1, 10.0
    yaml = "48khz_6kbps.yaml"
    if against == "length":
        seconds, yaml = float(value), "mini.yaml"
    elif against == "batch":
        batch, seconds = value, 2.0
    else:
        changes |= {"channels": value, "hidden_channels": 2 * value}
    model = APCodec(
        {"codec": build(yaml, **changes)}, run_opts={"device": device}
    )
    samples = round(seconds * model.sample_rate)
    model.encode(0.1 * torch.randn(batch, 4800))
    if direction == "encode":
        waiting = torch.empty(batch, samples).normal_(std=0.1)
    else:
        frames = samples // model.hop_length
        waiting = torch.randint(model.codebook_size, (batch, frames, 4))
    start = resident_megabytes()
    elapsed = timed(lambda: getattr(model, direction)(waiting))
    memory = resident_megabytes("VmHWM") - start
    if direction == "decode":
        memory -= 4 * batch * samples / 2**20
    return [batch * seconds, elapsed, memory]


def draw(table, path):
    """Draw time and memory against each of the three."""
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(14, 3.2))
    panels = [(name, COLUMNS[5]) for name in VALUES]
    panels.append(("length", COLUMNS[6]))
    for ax, (against, column) in zip(axes, panels, strict=True):
        for direction in ("encode", "decode"):
            points = sorted(
                (float(row["value"]), float(row[column]))
                for row in table
                if row["against"] == against and row["direction"] == direction
            )
            if points:
                ax.plot(*zip(*points, strict=True), "o-", label=direction)
        ax.set_xlabel(against + (" (s)" if against == "length" else ""))
        ax.set_title(column, fontsize=9)
        ax.set_ylim(bottom=0)
        if against == "length":
            ax.set_xscale("log")
    axes[0].legend()
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def main():
    """Measure what is missing; write the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, nargs="?", help="stem of files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--against", nargs="*", default=list(VALUES))
    parser.add_argument("--most", type=float, default=3600, help="seconds")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device, threads = arguments.device, arguments.threads
    if arguments.child:
        against, value, direction = arguments.child
        figures = run_one(against, int(value), direction, device, threads)
        print(json.dumps(figures))
        return
    table = Table(arguments.output.with_suffix(".csv"), COLUMNS, keys=3)
    for against in arguments.against:
        for value in VALUES[against]:
            if against == "length" and value > arguments.most:
                continue
            for direction in ("encode", "decode"):
                if table.has(against, value, direction):
                    continue
                command = [sys.executable, "-m", "benchmarks.scaling"]
                command += ["--child", against, str(value), direction]
                command += ["--device", device, "--threads", str(threads)]
                done = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True
                )
                audio, elapsed, memory = json.loads(
                    done.stdout.splitlines()[-1]
                )
                table.add(
                    against, value, direction, audio, elapsed,
                    elapsed / audio, memory,
                )  # fmt: skip
    table.write_markdown(
        f"{heading(device)} {threads} threads, float32. Against length: the "
        "small model in chunks; against batch and width: full width unless "
        "stated, 2 s and 10 s."
    )
    draw(table, arguments.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
