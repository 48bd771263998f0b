"""Time live streams: a block should be done before the next one is there.

Streams noise through encoder and decoder on one core, block by block, and
writes the real-time factor and the time of a block, its median, its 99th
percentile and the worst, as a table::

    python -m benchmarks.real_time benchmarks/results/real_time

Full-width models have random weights, which costs the same time. The
non-causal codec stands beside the streamable ones: it can be streamed too,
but lags behind by what it looks ahead.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import csv
import platform
import time
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.measure import build, count_gmac
from speechbrain_apcodec import STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.lobes.folding import fold
from speechbrain_apcodec.utils.atomic import atomic_path

MODELS = {
    "APCodec-S, full width": "48khz_6kbps_streaming.yaml",
    "causal convolutions, full width": "48khz_6kbps_causal.yaml",
    "non-causal, full width": "48khz_6kbps.yaml",
    "APCodec-S, embedded": None,
}
BLOCKS_MS = {"6.67 ms": 320, "20 ms": 960, "60 ms": 2880}
COLUMNS = [
    "model", "parameters (M)", "encoder (GMAC/s)", "decoder (GMAC/s)",
    "latency (ms)", "block", "direction", "real-time factor",
    "median (ms)", "99 % (ms)", "worst (ms)",
]  # fmt: skip


def load_codec(yaml):
    """Build a codec of full width, or load the embedded one."""
    if yaml is None:
        return APCodec.from_hparams(STREAMING_MODEL).mods["codec"]
    # The cost is that of the statistic of a frame; the other one cannot be
    # streamed.
    codec = build(yaml, grn_statistic="frame")
    fold(codec)
    return codec


def time_blocks(codec, block, num_blocks, direction):
    """Time each block of a stream, in seconds."""
    context = codec.make_streaming_context(1, low_delay=True)
    wavs = 0.1 * torch.randn(num_blocks, 1, block)
    tokens = torch.randint(
        codec.codebook_size,
        (num_blocks, 1, block // codec.hop_length, codec.num_codebooks),
    )
    times = []
    for i in range(num_blocks):
        start = time.perf_counter()
        if direction == "encode":
            context.encode(wavs[i])
        else:
            context.decode(tokens[i])
        times.append(time.perf_counter() - start)
    warm = num_blocks // 10
    return torch.tensor(times[warm:], dtype=torch.float64)


def main():
    """Measure all models, blocks and directions; write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, help="stem of .csv and .md")
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name, yaml in tqdm(MODELS.items()):
        codec = load_codec(yaml)
        encoder, decoder = count_gmac(codec)
        parameters = sum(p.numel() for p in codec.parameters()) / 1e6
        latency = 1000 * codec.timing.latency_samples / codec.sample_rate
        facts = [name, f"{parameters:.2f}", f"{encoder:.2f}", f"{decoder:.2f}"]
        for label, block in BLOCKS_MS.items():
            number = round(arguments.seconds * codec.sample_rate / block)
            for direction in ("encode", "decode"):
                times = time_blocks(codec, block, number, direction) * 1000
                factor = times.mean() / (1000 * block / codec.sample_rate)
                figures = [factor, times.median(), times.quantile(0.99)]
                rows.append(
                    [*facts, f"{latency:.1f}", label, direction]
                    + [f"{float(figure):.2f}" for figure in figures]
                    + [f"{float(times.max()):.2f}"]
                )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_path(arguments.output.with_suffix(".csv")) as path,
        path.open("w", newline="") as stream,
    ):
        csv.writer(stream).writerows([COLUMNS, *rows])
    lines = [
        f"One core of {platform.processor() or platform.machine()}, "
        f"PyTorch {torch.__version__}, float32, {arguments.seconds:g} s of "
        "audio a row.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "Parameters and multiplications are those of the folded networks, "
        "which inference",
        "runs.",
    ]
    with atomic_path(arguments.output.with_suffix(".md")) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
