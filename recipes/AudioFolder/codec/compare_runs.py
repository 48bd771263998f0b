"""Draw the validation curves of several runs into one picture.

Run it in this folder::

    python compare_runs.py curves.png teacher=results/apcodec_mini \
        student=results/apcodec_mini_streaming_distilled

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import json
from pathlib import Path

from speechbrain_apcodec.utils.figures import save_loss_curves

QUANTITIES = ("mel_mae", "lsd", "amplitude", "weighted_phase")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("picture", help="PNG, PDF or SVG to write")
    parser.add_argument("runs", nargs="+", metavar="NAME=OUTPUT_FOLDER")
    arguments = parser.parse_args()
    curves = {}
    for run in arguments.runs:
        name, _, folder = run.partition("=")
        text = (Path(folder) / "history.jsonl").read_text(encoding="utf-8")
        for line in map(json.loads, text.splitlines()):
            if line["stage"] != "valid":
                continue
            for quantity in QUANTITIES:
                curves.setdefault(f"valid/{quantity}/{name}", []).append(
                    (line["step"], line[quantity])
                )
    save_loss_curves(arguments.picture, curves)
