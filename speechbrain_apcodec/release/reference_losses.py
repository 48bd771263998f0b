"""Every term of the training loss on one file.

It answers "are my losses normal?": the terms of a model on a known file,
unweighted, beside those of one's own training log.

Paper: https://arxiv.org/abs/2402.10533 (section II-C)

Authors
 * speechbrain_apcodec contributors, 2026
"""

from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.fetching import FetchFrom, FetchSource
from torch import nn

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.sources import find_source
from speechbrain_apcodec.release.folder import LOSSES_FILE
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import AudioFileError, CheckpointError
from speechbrain_apcodec.utils.levels import mix_to_mono
from speechbrain_apcodec.utils.types import AnyPath


def reference_losses(
    model: AnyPath | FetchSource,
    path: AnyPath,
    run_opts: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Compute the training loss of a model on one file, term by term.

    The whole file is one segment; channels are mixed to mono. Everything
    runs in evaluation mode.

    Arguments
    ---------
    model : str or pathlib.Path or FetchSource
        Folder, hub id or URL of a model with discriminators.
    path : str or pathlib.Path
        An audio file at the model's sampling rate.
    run_opts : dict, optional
        Such as ``{"device": "cuda"}``.

    Returns
    -------
    dict
        From the name of each term to a float, not weighted; the weighted
        ``generator_total`` and ``discriminator_total``; and
        ``generated_peak``, the largest sample of the decoded waveform.

    Raises
    ------
    CheckpointError
        If the model has no discriminators.
    AudioFileError
        If the file cannot be read, has another rate, or is too short.
    """
    source = find_source(model)
    if (
        source.FetchFrom == FetchFrom.LOCAL
        and not (Path(source.path) / LOSSES_FILE).is_file()
    ):
        raise CheckpointError(
            f"{model} was exported without discriminators, which the losses "
            "need: export or convert it with --discriminators"
        )
    apcodec = APCodec.from_hparams(source, LOSSES_FILE, run_opts=run_opts)
    codec = apcodec.mods["codec"]
    discriminators = apcodec.mods["discriminators"]
    loss = apcodec.hparams.loss.to(apcodec.device)
    wav, sample_rate = read_audio(path)
    if sample_rate != codec.sample_rate:
        raise AudioFileError(
            f"{path} has {sample_rate} Hz, but the model was trained at "
            f"{codec.sample_rate} Hz: resample the file first"
        )
    wav = mix_to_mono(wav, path)[None].to(apcodec.device)
    shortest = _shortest(discriminators)
    if wav.shape[1] < shortest:
        raise AudioFileError(
            f"{path} has {wav.shape[1]} samples, but the discriminators need "
            f"at least {shortest}: give a longer file"
        )
    with torch.no_grad():
        output = codec(wav)
        real, fake = discriminators(wav), discriminators(output.decoded)
        generator = loss.reconstruction(output)
        generator |= loss.adversarial(real, fake)
        discriminator = loss.discriminator(real, fake)
        terms = {
            **generator,
            **discriminator,
            "generator_total": loss.total(generator),
            "discriminator_total": loss.total(discriminator),
            "generated_peak": output.decoded.abs().max(),
        }
    return {name: float(value) for name, value in terms.items()}


def _shortest(discriminators: nn.Module) -> int:
    """Return the fewest samples that can be padded by reflection."""
    paddings = [0]
    for module in discriminators.modules():
        paddings += [
            n_fft // 2 for n_fft, *_ in getattr(module, "resolutions", [])
        ]
        paddings += getattr(module, "periods", [])
    return 1 + max(paddings)
