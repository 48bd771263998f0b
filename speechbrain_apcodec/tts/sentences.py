"""Which sentences and tokens a model of speech is trained on.

`apcodec tokens` writes tokens and copies the manifest's columns, `text` among
them. Here they are split, and unusable data is refused before the first step:
a sentence without text, or a codec that did not make the tokens.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from speechbrain_apcodec.corpus.dataset import read_tokens
from speechbrain_apcodec.corpus.meta import META_FILE, TokensMeta, read_meta
from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.utils.atomic import read_json, write_json
from speechbrain_apcodec.utils.errors import (
    NOTICE,
    APCodecError,
    ConfigurationError,
)
from speechbrain_apcodec.utils.types import AnyPath
from speechbrain_apcodec.utils.utterances import SPLIT_NAMES

logger = get_logger(__name__)

_Splits: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""``train``, ``valid`` and ``test`` to id to entry."""


def prepare_sentences(
    splits: _Splits,
    tokens: AnyPath,
    codec_model: str,
    num_codebooks: int,
    codebook_size: int,
    save_folder: AnyPath,
    train_tokenizer: Callable[[list[str], Path], None],
) -> None:
    """Write the manifests of a training, and the pieces of its text.

    Arguments
    ---------
    splits : dict
        What ``split_sentences`` returns.
    tokens : str or pathlib.Path
        The folder that `apcodec tokens` wrote.
    codec_model : str
        Folder or hub id of the codec that made the tokens.
    num_codebooks : int
        Tokens of a frame.
    codebook_size : int
        Codewords of a codebook.
    save_folder : str or pathlib.Path
        Gets ``train.json``, ``valid.json``, ``test.json``,
        ``tokens_meta.json`` and ``tokenizer.model``.
    train_tokenizer : callable
        Takes a list of sentences and the path of the file to write.

    Raises
    ------
    APCodecError
        If another codec made the tokens, they differ from the YAML, or a file
        of them is damaged.
    """
    tokens, save_folder = Path(tokens), Path(save_folder)
    meta = read_meta(tokens)
    codec = APCodec.from_hparams(codec_model)
    meta.check_same(TokensMeta.of(codec, meta.num_codebooks), tokens)
    for name, value in (
        ("num_codebooks", num_codebooks),
        ("codebook_size", codebook_size),
    ):
        if getattr(meta, name) != value:
            raise ConfigurationError(
                f"the tokens in {tokens} have {name} {getattr(meta, name)}, "
                f"the configuration has {value}: set --{name}"
            )
    _check_tokens(splits, meta)
    for name, items in splits.items():
        write_json(save_folder / f"{name}.json", items)
    write_json(save_folder / META_FILE, dataclasses.asdict(meta))
    train_tokenizer(
        [item["text"] for item in splits["train"].values()],
        save_folder / "tokenizer.model",
    )


def _check_tokens(splits: _Splits, meta: TokensMeta) -> None:
    """Read all tokens once, rather than find damage in the third epoch."""
    bad = []
    entries = [entry for items in splits.values() for entry in items.values()]
    for entry in tqdm(entries, "tokens", unit="file", disable=None):
        try:
            tokens = read_tokens(entry["tokens"])
        except APCodecError as error:
            bad.append(str(error))
            continue
        shape = entry.get("num_frames"), meta.num_codebooks
        if (
            tuple(tokens.shape) != shape
            or not ((tokens >= 0) & (tokens < meta.codebook_size)).all()
        ):
            bad.append(f"{entry['tokens']} is not what its list says")
    if bad:
        raise APCodecError(
            f"{len(bad)} of {len(entries)} token files cannot be used: run "
            f"the same `apcodec tokens` again, which makes them anew: "
            + "; ".join(bad[:10])
        )


def split_sentences(tokens: AnyPath) -> _Splits:
    """Read the manifests of a folder of `apcodec tokens`, split by split.

    An entry is in the split that its column ``split`` names or, without one,
    the manifest: ``train.json``, ``valid.json`` or ``dev.json``, ``test.json``.
    Its ``tokens`` become an absolute path. Raises an ``APCodecError`` for
    another folder, or if train or valid has no sentence with text.
    """
    folder = Path(tokens).resolve()
    read_meta(folder)
    splits: _Splits = {"train": {}, "valid": {}, "test": {}}
    num_silent = 0
    for path in sorted(folder.glob("*.json")):
        if path.name == META_FILE:
            continue
        content = read_json(path)
        for identity, entry in content.items():
            if not isinstance(entry, dict) or "tokens" not in entry:
                raise ConfigurationError(
                    f"{path} names no tokens of {identity!r}: make it anew "
                    "with `apcodec tokens`"
                )
            name = SPLIT_NAMES.get(str(entry.get("split") or path.stem).lower())
            if name is None:
                continue
            if not str(entry.get("text") or "").strip():
                num_silent += 1
                continue
            location = entry["tokens"].replace("{data_root}", str(folder))
            splits[name][identity] = {**entry, "tokens": location}
    if num_silent:
        logger.log(NOTICE, f"left out: {num_silent} recordings without text")
    for name in ("train", "valid"):
        if not splits[name]:
            raise ConfigurationError(
                f"{folder} has no sentence for {name}: the manifests need a "
                "column `text`, and a column `split` or the names train.json "
                "and valid.json"
            )
    return splits
