"""From checkpoints of the published implementation to a model's folder.

The published implementation keeps encoder and quantiser in one file, the
decoder in another and the discriminators in a third, all with the older
weight normalisation (``weight_g``, ``weight_v``).

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hyperpyyaml import load_hyperpyyaml
from torch import Tensor, nn

import speechbrain_apcodec
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.models.fit import describe_misfit
from speechbrain_apcodec.models.loading import read_checkpoint
from speechbrain_apcodec.release.folder import write_model
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.hparams import merge_hparams
from speechbrain_apcodec.utils.types import AnyPath

ORIGIN = """\
Converted by `apcodec convert` from checkpoints in the format of the published
implementation, 48 kHz and 6 kbps."""

# What the two branches are called: in the names of layers, in the names of
# the resampling layers, and here.
_BRANCHES = (("logamp", "AMP", "amplitude"), ("pha", "PHA", "phase"))

# Layers of one ConvNeXt v2 block.
_BLOCK = {
    "dwconv.weight": "depthwise.weight",
    "dwconv.bias": "depthwise.bias",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
    "pwconv1.weight": "expand.weight",
    "pwconv1.bias": "expand.bias",
    "grn.gamma": "grn.gamma",
    "grn.beta": "grn.beta",
    "pwconv2.weight": "project.weight",
    "pwconv2.bias": "project.bias",
}


def convert(
    encoder: AnyPath,
    decoder: AnyPath,
    out_dir: AnyPath,
    discriminators: AnyPath | None = None,
    name: str | None = None,
    force: bool = False,
) -> Path:
    """Convert published-format checkpoints into a model's folder.

    Arguments
    ---------
    encoder : str or pathlib.Path
        File with ``{"encoder": state}``, quantiser included.
    decoder : str or pathlib.Path
        File with ``{"decoder": state}``.
    out_dir : str or pathlib.Path
        The folder to write, which ``APCodec.from_hparams`` loads.
    discriminators : str or pathlib.Path, optional
        File with ``{"mpd": state, "mrd": state}``, for ``apcodec losses``.
    name : str, optional
        Name of the model; default: that of the folder.
    force : bool
        Whether an earlier export in ``out_dir`` may be replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    CheckpointError
        If a file cannot be read safely, or tensors are missing, unexpected
        or misshapen.
    """
    hparams = _published_hparams()
    modules = ["codec"] + ["discriminators"] * (discriminators is not None)
    built = load_hyperpyyaml(inference_hparams(hparams, modules))
    codec = built["codec"]
    parts = [
        (encoder, "encoder", encoder_keys(codec), codec),
        (decoder, "decoder", decoder_keys(codec), codec),
    ]
    states = {"codec": _read_parts(parts)}
    if discriminators is not None:
        module = built["discriminators"]
        parts = [
            (discriminators, kind, discriminator_keys(kind, part), module)
            for kind, part in module.items()
        ]
        states["discriminators"] = _read_parts(parts)
    return write_model(
        out_dir, hparams, states, name, origin=ORIGIN, force=force
    )


def encoder_keys(codec: Codec) -> dict[str, str]:
    """Map the tensors of the published encoder file to ours."""
    keys = _normed("latent_output_conv", "encoder.joint_convolution")
    for old, old_resampling, new in _BRANCHES:
        branch = f"encoder.{new}"
        blocks = len(getattr(codec.encoder, new).backbone.blocks)
        keys |= _backbone(old, f"{branch}.backbone", blocks)
        keys |= _normed(
            f"{old_resampling}_Encoder_downsample_output_conv",
            f"{branch}.downsample",
        )
    for k in range(codec.num_codebooks):
        stage = f"quantizer.quantizers.{k}"
        keys |= _normed(f"{stage}.in_proj", f"{stage}.in_proj")
        keys |= _normed(f"{stage}.out_proj", f"{stage}.out_proj")
        keys[f"{stage}.codebook.weight"] = f"{stage}.codebook.weight"
    return keys


def decoder_keys(codec: Codec) -> dict[str, str]:
    """Map the tensors of the published decoder file to ours."""
    keys = _normed("latent_input_conv", "decoder.input_convolution")
    for old, old_resampling, new in _BRANCHES:
        branch = f"decoder.{new}"
        blocks = len(getattr(codec.decoder, new).backbone.blocks)
        keys |= _backbone(old, f"{branch}.backbone", blocks)
        keys |= _normed(
            f"{old_resampling}_Decoder_upsample_input_conv",
            f"{branch}.upsample",
        )
    keys |= _normed("AMP_Decoder_output_conv", "decoder.amplitude.heads.0")
    keys |= _normed("PHA_Decoder_output_R_conv", "decoder.phase.heads.0")
    keys |= _normed("PHA_Decoder_output_I_conv", "decoder.phase.heads.1")
    return keys


def discriminator_keys(part: str, discriminator: Any) -> dict[str, str]:
    """Map the tensors of one kind of discriminators, "mpd" or "mrd"."""
    keys: dict[str, str] = {}
    for i, stack in enumerate(discriminator.discriminators):
        old, new = f"discriminators.{i}", f"{part}.discriminators.{i}"
        for j in range(len(stack.convolutions)):
            keys |= _normed(f"{old}.convs.{j}", f"{new}.convolutions.{j}")
        keys |= _normed(f"{old}.conv_post", f"{new}.output_convolution")
    return keys


def _published_hparams() -> str:
    """Read the published configuration, installed or in a checkout."""
    package = Path(speechbrain_apcodec.__file__).parent
    installed = package / "hparams"
    folder = installed if installed.is_dir() else package.parent / "hparams"
    return merge_hparams(folder / "base.yaml")


def _backbone(old: str, new: str, num_blocks: int) -> dict[str, str]:
    """Map input convolution, blocks, output norm and Linear of a branch."""
    layers = {
        f"embed_{old}": "input_convolution",
        f"norm_{old}": "input_norm",
        f"final_layer_norm_{old}": "output_norm",
        f"out_{old}": "output_linear",
    }
    keys = {
        f"{old_layer}.{tensor}": f"{new}.{new_layer}.{tensor}"
        for old_layer, new_layer in layers.items()
        for tensor in ("weight", "bias")
    }
    for i in range(num_blocks):
        for old_tensor, new_tensor in _BLOCK.items():
            key = f"convnext_{old}.{i}.{old_tensor}"
            keys[key] = f"{new}.blocks.{i}.{new_tensor}"
    return keys


def _normed(old: str, new: str) -> dict[str, str]:
    """Map a weight-normalised layer: g is original0, v is original1."""
    return {
        f"{old}.bias": f"{new}.bias",
        f"{old}.weight_g": f"{new}.parametrizations.weight.original0",
        f"{old}.weight_v": f"{new}.parametrizations.weight.original1",
    }


def _read_parts(
    parts: list[tuple[AnyPath, str, dict[str, str], nn.Module]],
) -> dict[str, Tensor]:
    """Read parts of files and give their tensors our names.

    A part is a file, its name there, our key for each published key, and the
    module that the tensors are for.
    """
    files = {path: read_checkpoint(path) for path, *_ in parts}
    tensors = {}
    for path, name, keys, module in parts:
        state = files[path].get(name)
        if not isinstance(state, Mapping) or not all(
            isinstance(value, torch.Tensor) for value in state.values()
        ):
            raise CheckpointError(
                f"{path} has no tensors below '{name}': give the file of the "
                f"published implementation that holds the {name}"
            )
        # Published names, since those are what the user can look up.
        own = module.state_dict()
        expected = {old: own[new] for old, new in keys.items()}
        misfit = describe_misfit(state, expected)
        if misfit:
            raise CheckpointError(
                f"{path} does not fit the published {name}: {misfit}"
            )
        tensors.update({keys[old]: state[old] for old in state})
    return tensors
