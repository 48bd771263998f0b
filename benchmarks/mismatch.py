"""Count the tokens that half precision and compilation change.

``python -m benchmarks.mismatch benchmarks/results/mismatch``
codes the clips of the package with its models and writes the share of the
tokens of each codebook that are not those of the float32 network, and how
far, in dB, the decoded waveform of the same tokens lies from that network's.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
from pathlib import Path

import torch

from benchmarks.measure import Table, heading
from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.audio import read_audio

CLIPS = sorted((Path(DEFAULT_MODEL).parent / "clips").glob("*.flac"))
VARIANTS = {
    "bf16": {"precision": "bf16"},
    "compiled": {"compile": True},
    "bf16 compiled": {"precision": "bf16", "compile": True},
}
COLUMNS = [
    "model", "variant", "token frames", "all tokens (%)", "first codebook (%)",
    "last codebook (%)", "waveform of equal tokens (dB)",
]  # fmt: skip


def main():
    """Compare each variant with float32."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, help="stem of .csv and .md")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    arguments = parser.parse_args()
    table = Table(arguments.output.with_suffix(".csv"), COLUMNS, keys=2)
    options = {"device": arguments.device}
    for source in (DEFAULT_MODEL, STREAMING_MODEL):
        exact = APCodec.from_hparams(source, run_opts=options)
        wavs = [
            exact.audio_normalizer(wav.T, rate)[None]
            for wav, rate in map(read_audio, CLIPS)
        ]
        tokens = [exact.encode(wav)[0] for wav in wavs]
        decoded = torch.cat([exact.decode(t)[0][0] for t in tokens])
        for variant in arguments.variants:
            name = Path(source).name
            if table.has(name, variant):
                continue
            model = APCodec.from_hparams(
                source, run_opts={**options, **VARIANTS[variant]}
            )
            theirs = [model.encode(wav)[0] for wav in wavs]
            wrong = torch.cat(tokens, 1) != torch.cat(theirs, 1)
            shares = 100 * wrong[0].float().mean(0)
            error = decoded - torch.cat([model.decode(t)[0][0] for t in tokens])
            ratio = error.square().mean() / decoded.square().mean()
            table.add(
                name, variant, wrong.shape[1], float(shares.mean()),
                float(shares[0]), float(shares[-1]),
                10 * float(ratio.log10()),
            )  # fmt: skip
    table.write_markdown(heading(arguments.device))


if __name__ == "__main__":
    main()
