"""A tiny codec with deterministic weights, as a model's folder."""

from pathlib import Path

from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.release.folder import write_model
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.golden_weights import published_value

HPARAMS = Path(__file__).parents[1] / "hparams"

SIZES = {
    "channels": 8,
    "hidden_channels": 16,
    "num_blocks": 1,
    "encoder_channels": 4,
    "latent_dim": 8,
    "codebook_dim": 8,
    "mpd_channels": [2, 4],
    "mrd_channels": 2,
    "grn_statistic": "frame",
}


def tiny_hparams(**overrides):
    """Return the training YAML of a tiny codec."""
    return merge_hparams(HPARAMS / "base.yaml", {**SIZES, **overrides})


def tiny_states(hparams):
    """Draw weights under which no part of the codec is idle.

    Freshly initialised, GRN does nothing and few codewords are used.
    """
    names = ["codec", "discriminators"]
    modules = load_hyperpyyaml(inference_hparams(hparams, names))
    return {
        name: {
            key: published_value("tiny", key, tuple(value.shape))
            for key, value in modules[name].state_dict().items()
        }
        for name in names
    }


def write_tiny_model(folder, half=False, **overrides):
    """Write a tiny codec with its discriminators as a model's folder."""
    hparams = tiny_hparams(**overrides)
    return write_model(folder, hparams, tiny_states(hparams), "tiny", half)
