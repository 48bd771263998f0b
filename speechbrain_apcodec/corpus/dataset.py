"""Tokens as a SpeechBrain data set; the README shows a YAML that makes one.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from speechbrain.dataio.dataio import load_data_json
from speechbrain.dataio.dataset import DynamicItemDataset

from speechbrain_apcodec.corpus.meta import TokensMeta, read_meta
from speechbrain_apcodec.utils.atomic import read_json
from speechbrain_apcodec.utils.errors import APCodecError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec


def token_dataset(
    index: AnyPath, codec: APCodec | None = None
) -> DynamicItemDataset:
    """Make the data set of a manifest of tokens.

    Arguments
    ---------
    index : str or pathlib.Path
        The JSON file that `extract_tokens` wrote, in its folder.
    codec : speechbrain_apcodec.inference.APCodec, optional
        The codec that will decode the predictions. Tokens of another one are
        then refused.

    Returns
    -------
    DynamicItemDataset
        Items with ``id`` and ``tokens`` (int64 [frames, codebooks]), which
        `PaddedBatch` pads with 0. ``num_frames`` and the columns of the
        recordings' manifest, such as ``text``, can be added with
        `set_output_keys`.

    Raises
    ------
    APCodecError
        If there is no ``tokens_meta.json`` beside the manifest, or it names
        another model.

    Example
    -------
    >>> data = token_dataset("tokens/train.json")  # doctest: +SKIP
    >>> data[0]["tokens"].shape  # doctest: +SKIP
    torch.Size([528, 4])
    """
    folder = Path(index).parent
    meta = read_meta(folder)
    if codec is not None:
        meta.check_same(TokensMeta.of(codec, meta.num_codebooks), folder)
    if not read_json(index):
        raise APCodecError(f"{index} names no tokens: make it anew")
    data = load_data_json(index, replacements={"data_root": folder})
    for item in data.values():
        item["tokens_path"] = item.pop("tokens")
    dataset = DynamicItemDataset(data)
    dataset.add_dynamic_item(
        read_tokens, takes="tokens_path", provides="tokens"
    )
    dataset.set_output_keys(["id", "tokens"])
    return dataset


def read_tokens(path: AnyPath) -> torch.Tensor:
    """Read the ``.npy`` file of one utterance as int64 [frames, codebooks]."""
    try:
        return torch.from_numpy(np.load(path).astype(np.int64))
    except (OSError, ValueError, TypeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise APCodecError(
            f"{path} is no token file that can be read ({reason}): run the "
            "same `apcodec tokens` again"
        ) from error
