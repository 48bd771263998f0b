"""Stream half an hour of speech and watch the memory.

Joins the recordings of a manifest to a long one, encodes it in blocks of 20
ms, and compares the tokens with those of the whole recording::

    python benchmarks/long_stream.py MANIFEST.csv long_stream.json

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import csv
import itertools
import json
import os
from pathlib import Path

import torch
from tqdm import tqdm

from speechbrain_apcodec import STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio import read_audio


def resident_megabytes():
    """Return the resident memory of this process, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def read_long(manifest, sample_rate, seconds):
    """Join recordings at the codec's rate until they are long enough."""
    with manifest.open(newline="") as stream:
        paths = [
            manifest.parent / row["path"] for row in csv.DictReader(stream)
        ]
    pieces, missing = [], round(seconds * sample_rate)
    recordings = (read_audio(path) for path in itertools.cycle(paths))
    while missing:
        wav, rate = next(recordings)
        if rate == sample_rate:
            pieces.append(wav.mean(0)[:missing])
            missing -= len(pieces[-1])
    return torch.cat(pieces)


def main():
    """Stream, compare, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--block", type=int, default=960, help="samples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = APCodec.from_hparams(STREAMING_MODEL)
    wav = read_long(
        arguments.manifest, model.sample_rate, 60 * arguments.minutes
    )
    tokens = torch.zeros(
        -(-len(wav) // model.hop_length), model.num_codebooks, dtype=torch.int16
    )
    context = model.make_streaming_context()
    done, memory = 0, []
    starts = range(0, len(wav), arguments.block)
    for number, start in enumerate(tqdm(starts, unit="block")):
        block = wav[None, start : start + arguments.block]
        new = context.encode(block)[0]
        tokens[done : done + len(new)] = new
        done += len(new)
        if number >= 500 and number % 500 == 0:
            memory.append(resident_megabytes())
    new = context.flush_encoder()[0]
    tokens[done : done + len(new)] = new
    whole = model.encode(wav[None])[0][0]
    figures = {
        "seconds": len(wav) / model.sample_rate,
        "blocks": len(starts),
        "token frames": len(whole),
        "streamed token frames": done + len(new),
        "tokens that differ": int((whole != tokens).sum()),
        "resident MB after 10 s": round(memory[0], 1),
        "resident MB at the end": round(memory[-1], 1),
        "growth MB": round(max(memory) - memory[0], 1),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(arguments.output) as path:
        path.write_text(json.dumps(figures, indent=4) + "\n")
    print(json.dumps(figures, indent=4))


if __name__ == "__main__":
    main()
