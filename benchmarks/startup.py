"""Where the time goes from the start to the first encoded second.

``python -m benchmarks.startup benchmarks/results/startup``
runs ``apcodec encode`` on a second of noise in fresh processes and writes a
CSV and a Markdown table: medians of the total, of the imports of torch,
torchaudio and speechbrain by themselves, of the network, and the rest, which
is our own share.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measure import Table, heading
from speechbrain_apcodec.utils.audio import write_audio

COLUMNS = ["clock", "all (s)", "imports (s)", "network (s)", "our share (s)"]

IMPORTS = "import torch, torchaudio, speechbrain"
NETWORK = f"""
{IMPORTS}
import time, warnings
warnings.simplefilter("ignore")
from speechbrain_apcodec.inference import APCodec
codec = APCodec.from_hparams(run_opts={{"device": "cpu"}}).mods["codec"]
wavs = 0.1 * torch.randn(1, 48000)
start, cpu = time.perf_counter(), time.process_time()
with torch.no_grad():
    codec.encode(wavs)
print(time.perf_counter() - start, time.process_time() - cpu)
"""


def elapsed(command):
    """Run a command; return its seconds on the clock and of the CPU."""
    before, start = _children(), time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start, _children() - before


def _children():
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, help="stem of .csv and .md")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = arguments.rounds
    totals, imports, networks = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.wav"), Path(folder, "a.apc")
        write_audio(source, 0.1 * torch.randn(1, 48000), 48000)
        encode = [sys.executable, "-m", "speechbrain_apcodec", "encode"]
        encode += [str(source), str(target)]
        for number in range(rounds + 1):
            figures = [
                elapsed(encode),
                elapsed([sys.executable, "-c", IMPORTS]),
                _network(),
            ]
            if number:  # the first one fills the caches
                for place, figure in zip(
                    (totals, imports, networks), figures, strict=True
                ):
                    place.append(figure)
    table = Table(arguments.output.with_suffix(".csv"), COLUMNS, keys=1)
    for clock, index in (("wall", 0), ("CPU", 1)):
        total, imported, network = (
            statistics.median(figure[index] for figure in figures)
            for figures in (totals, imports, networks)
        )
        share = total - imported - network
        table.add(clock, total, imported, network, share)
    table.write_markdown(heading())


def _network():
    done = subprocess.run(
        [sys.executable, "-c", NETWORK],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return tuple(map(float, done.stdout.split()[-2:]))


if __name__ == "__main__":
    main()
