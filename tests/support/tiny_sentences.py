"""Sentences and tokens of nobody's speech, for runs of seconds."""

import dataclasses
import json

import numpy

from speechbrain_apcodec.corpus.meta import META_FILE, TokensMeta
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.training.recipe import run_recipe
from speechbrain_apcodec.tts.export import export_tts
from speechbrain_apcodec.tts.sentences import split_sentences
from speechbrain_apcodec.utils.atomic import write_json
from tests.installed import ROOT
from tests.tiny_model import write_tiny_model

RECIPE = ROOT / "recipes" / "AudioFolder" / "TTS" / "apcodec_tokens"
DATASET = RECIPE / "hparams" / "dataset.yaml"
WORDS = ["a", "bee", "can", "dig", "each", "fog", "get", "his", "ink", "jam"]

# An epoch of 12 sentences has some 5 steps, each of a few milliseconds.
TINY = {
    "number_of_epochs": 3,
    "frames_per_batch": 160,
    "num_buckets": 2,
    "warmup_steps": 10,
    "num_pieces": 24,
    "frames_per_piece": 4,
    "frames_per_step": 2,
    "d_model": 16,
    "nhead": 2,
    "num_encoder_layers": 1,
    "num_decoder_layers": 2,
    "d_ffn": 32,
    "max_steps": 100,
    "aligner_channels": 16,
    "num_codebooks": 2,
    "codebook_size": 32,
    "codeword_dim": 8,
    "log_every": 1,
    "sample_every": 100,
}


def speech_of(text):
    """Make tokens from which the text can be told, silence around them."""
    letters = numpy.repeat([0, *(ord(c) % 32 for c in text), 0], 4)
    frames = numpy.arange(len(letters))
    return numpy.stack([letters, (letters * 7 + frames) % 32], axis=1).astype(
        numpy.int16
    )


def write_sentences(folder, num_train=12):
    """Write a tiny codec and tokens of sentences, as if it had made them.

    ``folder`` gets ``codec`` and ``tokens``. Returns arguments of the recipe.
    """
    tokens = folder / "tokens"
    write_tiny_model(folder / "codec", num_codebooks=2, codebook_size=32)
    codec = APCodec.from_hparams(folder / "codec")
    write_json(tokens / META_FILE, dataclasses.asdict(TokensMeta.of(codec)))
    index = {}
    for i, split in enumerate(["train"] * num_train + ["dev"] * 2 + ["test"]):
        words = [WORDS[(i * k + k * k) % 10] for k in range(1, 2 + i % 3)]
        text = " ".join(words).capitalize() + "."
        frames = speech_of(text.lower())
        numpy.save(tokens / f"{i}.npy", frames)
        index[f"item{i}"] = {
            "text": text,
            "split": split,
            "tokens": f"{{data_root}}/{i}.npy",
            "num_frames": len(frames),
            "num_samples": len(frames) * codec.hop_length,
        }
    write_json(tokens / "sentences.json", index)
    return [f"--tokens={tokens}", f"--codec_model={folder / 'codec'}"]


def arguments(data, output_folder, *options, **overrides):
    """Make the recipe's arguments for a tiny run.

    ``data`` is from ``write_sentences``, the options are SpeechBrain's run
    options, the overrides hyper-parameters beside those of ``TINY``.
    """
    hparams = {**TINY, "output_folder": str(output_folder), **overrides}
    return [
        str(ROOT / "hparams" / "tts_mini.yaml"),
        *data,
        *(f"--{key}={json.dumps(value)}" for key, value in hparams.items()),
        "--ckpt_interval_minutes=0",
        "--noprogressbar",
        "--device=cpu",
        *options,
    ]


def write_tiny_voice(folder, name=None, **overrides):
    """Train for an epoch and export; return the folder of the voice.

    ``folder`` gets ``codec``, ``tokens``, ``run`` and ``voice``.
    """
    data = write_sentences(folder)
    options = {"number_of_epochs": 1, **overrides}
    run_arguments = arguments(data, folder / "run", **options)
    run_recipe(split_sentences, DATASET, run_arguments)
    return export_tts(folder / "run", folder / "voice", name)
