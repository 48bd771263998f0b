"""Compare ONNX graphs with PyTorch on real speech.

Encodes every recording of the split ``test`` both ways and counts the tokens
that differ; decodes PyTorch's tokens both ways and compares the waveforms. Of
the tokens that differ, those count as ties that a rounding error may change:
two codewords are equally near (to 1e-5), an earlier token of the same frame
is a tie, or the frame sees an input phase that is pi and -pi (to 1e-5)::

    python -m benchmarks.onnx_parity MANIFEST.csv OUT.json

The rest is near a tie: ``largest_gap`` is by how much PyTorch's codeword was
nearer than that of the graph, among the tokens that are neither ties nor follow
from an earlier one of their frame: in cosines, or, where sequences of codewords
are searched, as a share of the latent's energy.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import torch
from torch.nn import functional as F
from tqdm import tqdm

from speechbrain_apcodec import DEFAULT_MODEL, STREAMING_MODEL
from speechbrain_apcodec.evaluation.recordings import read_mono
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.onnx.codec import ONNXCodec
from speechbrain_apcodec.onnx.export import export_onnx
from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.utterances import SPLIT_NAMES, read_utterances
from tests.random_streams import ties

MODELS = [DEFAULT_MODEL, STREAMING_MODEL]


def read_split(manifest, split):
    """List the paths of the recordings of one split."""
    paths = [
        utterance["source"]
        for utterance in read_utterances(manifest)
        if SPLIT_NAMES.get(utterance.get("split")) == split
    ]
    if not paths:
        raise ConfigurationError(f"{manifest}: no recording of split {split}")
    return paths


def gaps(codec, latent, tokens, others):
    """Measure by how much a token was nearer than another one, [frames, K]."""
    if codec.quantizer.search_width is not None:
        left = [
            (latent - codec.quantizer.decode(sequence[None])).square().sum(1)
            for sequence in (tokens, others)
        ]
        gap = (left[1] - left[0]) / latent.square().sum(dim=1)
        return gap.T.expand(-1, codec.num_codebooks)
    residual, found = latent, []
    for k, stage in enumerate(codec.quantizer.quantizers):
        direction = F.normalize(stage.in_proj(residual), dim=1)[0].T
        scores = direction @ F.normalize(stage.codebook.weight, dim=1).T
        pair = torch.stack([tokens[:, k], others[:, k]], dim=1)
        found.append(scores.gather(1, pair).diff(dim=1)[:, 0].neg())
        residual = residual - stage.decode(tokens[None, :, k])
    return torch.stack(found, dim=1)


@torch.no_grad()
def compare(model, graphs, paths):
    """Code all recordings both ways and count."""
    codec, figures = model.mods["codec"], Counter()
    deviation = largest_gap = 0.0
    for path in tqdm(paths, model.model_id, unit="file", disable=None):
        wav = read_mono({"wav": path}, model.sample_rate)
        latent = codec.latents(wav[None])
        tokens = codec.quantizer.encode(latent)
        others = graphs.mods["codec"].encode(wav[None])[0]
        wrong = (tokens != others)[0]
        figures["recordings"] += 1
        figures["samples"] += len(wav)
        figures["tokens"] += tokens.numel()
        figures["differing"] += int(wrong.sum())
        if wrong.any():
            tied = ties(codec, wav, model.num_codebooks)
            figures["ties"] += int((wrong & tied).sum())
            wrong &= ~tied
            # What follows from an earlier stage.
            first = wrong & (wrong.cumsum(dim=1) == 1)
            figures["consequences"] += int((wrong & ~first).sum())
            figures["near_ties"] += int(first.sum())
            if first.any():
                gap = gaps(codec, latent, tokens[0], others[0])[first].max()
                largest_gap = max(largest_gap, gap.item())
        decoded = codec.decode(tokens)
        error = (graphs.mods["codec"].decode(tokens) - decoded).abs().max()
        deviation = max(deviation, (error / decoded.abs().max()).item())
    figures["seconds"] = round(figures.pop("samples") / model.sample_rate, 1)
    return {
        "weights_sha256": model.weights_sha256,
        **figures,
        "largest_gap": float(f"{largest_gap:.2g}"),
        "audio_deviation_of_peak": float(f"{deviation:.2g}"),
    }


def main():
    """Export the models, compare, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", action="append", metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    paths = read_split(arguments.manifest, "test")
    figures = {}
    for source in arguments.model or MODELS:
        model = APCodec.from_hparams(source)
        with tempfile.TemporaryDirectory() as folder:
            graphs = ONNXCodec.from_folder(export_onnx(source, folder))
            figures[model.model_id] = compare(model, graphs, paths)
    write_json(arguments.output, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
