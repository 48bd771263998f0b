"""Speed and memory of the codec, beside others, in one command.

``python -m benchmarks.speed benchmarks/results/speed``
writes ``speed.csv``, ``.md`` and ``.png``; what the CSV has is not measured
again, so that an interrupted run goes on. ``--threads 2 --batch 1`` measures
a part. ``--device cuda`` does the same on a GPU. Systems take turns, so that
a noisy machine is noisy for all.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import matplotlib as mpl
import torch

from benchmarks.measure import Table, heading, paired, products
from benchmarks.systems import SYSTEMS
from speechbrain_apcodec.utils.atomic import atomic_path

COLUMNS = [
    "threads", "batch", "system", "direction", "seconds of audio",
    "median (s)", "times real time", "GMAC/s of audio", "achieved GMAC/s",
    "of the matrix product", "against literal",
]  # fmt: skip
RESOURCES = ["system", "load (s)", "memory (MB)", "peak, 10 s (MB)"]
# Of audio, the same for all: some are slower on longer pieces.
SECONDS = 5.0
BLOCKS = ["system", "block (ms)", "direction", "median (ms)", "99 % (ms)"]


def measure_offline(table, arguments, threads, batch):
    """Let all systems encode and decode in turn."""
    if arguments.device == "cpu":
        torch.set_num_threads(threads)
    facts = {}
    functions, product_gmac = products(arguments.device)
    functions = {("product", kind): f for kind, f in functions.items()}
    for name in arguments.systems:
        system = SYSTEMS[name](arguments.device)
        # A batch gets less of each item: the whole costs a few times more.
        seconds = SECONDS * arguments.scale
        samples = round(seconds * system.sample_rate * 2 / (2 + batch // 2))
        samples -= samples % 320
        for direction, function in system.functions(batch, samples).items():
            key = (name, direction)
            functions[key] = lambda s=system, f=function: s.run(f)
            facts[key] = (system, batch * samples / system.sample_rate)
    medians = paired(functions, arguments.rounds)
    for (name, direction), seconds in medians.items():
        if name == "product":
            table.add(
                threads, batch, f"matrix product, {direction}", "", "",
                seconds, "", "", product_gmac / seconds, "", "",
            )  # fmt: skip
            continue
        system, audio = facts[name, direction]
        gmac = achieved = share = ""
        if system.gmac:
            gmac = system.gmac[direction.startswith("decode")]
            achieved = gmac * audio / seconds
            key = ("product", str(system.dtype).removeprefix("torch."))
            share = achieved * medians[key] / product_gmac
        against = ""
        if ("literal", direction) in medians and system.gmac:
            against = medians["literal", direction] / seconds
        table.add(
            threads, batch, name, direction, audio, seconds,
            audio / seconds, gmac, achieved, share, against,
        )  # fmt: skip


def measure_streaming(table, arguments):
    """Time blocks of streams; a block should be done before the next."""
    from benchmarks.real_time import load_codec, time_blocks
    from speechbrain_apcodec.lobes.folding import cast_weights

    torch.set_num_threads(1)
    for name, yaml in (
        ("APCodec-S", "48khz_6kbps_streaming.yaml"),
        ("small APCodec-S", "mini_streaming.yaml"),
    ):
        for dtype in (torch.float32, torch.bfloat16):
            label = name if dtype == torch.float32 else f"{name}, bf16"
            if table.has(label):
                continue
            codec = load_codec(yaml)
            if dtype != torch.float32:
                cast_weights(codec, dtype)
            half = dtype != torch.float32
            for block in (320, 960, 2880):
                for direction in ("encode", "decode"):
                    with torch.autocast("cpu", dtype, enabled=half):
                        times = 1000 * time_blocks(
                            codec, block, 8 * 2880 // block, direction
                        )
                    table.add(
                        label, f"{1000 * block / codec.sample_rate:.3g}",
                        direction, float(times.median()),
                        float(times.quantile(0.99)),
                    )  # fmt: skip


def resident_megabytes(key="VmRSS"):
    """Read the resident memory of this process, or its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure_child(name, device):
    """Load a system in a process of its own, and use it once."""
    import transformers  # noqa: F401 (not its import, but the model's load)

    before, start = resident_megabytes(), time.perf_counter()
    system = SYSTEMS[name](device)
    load, loaded = time.perf_counter() - start, resident_megabytes()
    functions = system.functions(1, 10 * system.sample_rate // 320 * 320)
    for direction in ("encode", "decode"):
        system.run(functions[direction])
    figures = [load, loaded - before, resident_megabytes("VmHWM") - before]
    print(json.dumps(figures))


def measure_resources(table, arguments):
    """Measure load time and memory, each system by itself."""
    for name in arguments.systems:
        if table.has(name):
            continue
        command = [sys.executable, "-m", "benchmarks.speed", "--child", name]
        done = subprocess.run(
            [*command, "--device", arguments.device],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        table.add(name, *json.loads(done.stdout.splitlines()[-1]))


def draw(table, path):
    """Draw how many times real time each system is, at batch 1."""
    mpl.use("agg")
    from matplotlib import pyplot

    rows = [r for r in table if r["batch"] == "1" and r["times real time"]]
    threads = max(row["threads"] for row in rows)
    rows = [row for row in rows if row["threads"] == threads]
    names = list(dict.fromkeys(row["system"] for row in rows))
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(names) + 1.5))
    for shift, direction in ((-0.2, "encode"), (0.2, "decode")):
        speeds = {
            row["system"]: float(row["times real time"])
            for row in rows
            if row["direction"] == direction
        }
        places = [index + shift for index in range(len(names))]
        bars = axes.barh(
            places,
            [speeds.get(name, 0.0) for name in names],
            0.38,
            label=direction,
        )
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(f"times real time, {threads} threads, batch 1")
    axes.legend()
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def main():
    """Measure what is missing; write the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, nargs="?", help="stem of files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 1])
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of audio")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument(
        "--sections",
        nargs="*",
        default=["offline", "streaming", "resources"],
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure_child(arguments.child, arguments.device)
        return
    stem = arguments.output
    note = heading(arguments.device)
    table = Table(stem.with_suffix(".csv"), COLUMNS, keys=4)
    if "offline" in arguments.sections:
        for threads in arguments.threads:
            for batch in arguments.batch:
                if not table.has(threads, batch):
                    measure_offline(table, arguments, threads, batch)
        table.write_markdown(note)
        draw(table, stem.with_suffix(".png"))
    for section, columns, keys, measure in (
        ("streaming", BLOCKS, 3, measure_streaming),
        ("resources", RESOURCES, 1, measure_resources),
    ):
        if section in arguments.sections:
            part = stem.with_name(f"{stem.name}_{section}.csv")
            part = Table(part, columns, keys)
            measure(part, arguments)
            part.write_markdown(note)


if __name__ == "__main__":
    main()
