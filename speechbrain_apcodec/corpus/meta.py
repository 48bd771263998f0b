"""Which model made the tokens of a folder.

``tokens_meta.json`` lies beside the tokens. Whoever writes there, or reads,
compares it first: tokens of two models are never mixed unnoticed.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec

META_FILE = "tokens_meta.json"

# Tokens are stored in 16 bits with a sign.
_MOST_CODEWORDS = 1 << 15


@dataclasses.dataclass(frozen=True)
class TokensMeta:
    """What must be equal for tokens to mean the same.

    Example
    -------
    >>> meta = TokensMeta("mini", "1f", 48000, 320, 4, 1024)
    >>> meta.check_same(dataclasses.replace(meta, num_codebooks=2), "here")
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.APCodecError: the tokens in here have \
num_codebooks 4, not 2: use the model that made them, or another folder
    """

    model_id: str
    weights_sha256: str
    sample_rate: int
    hop_length: int
    num_codebooks: int
    codebook_size: int
    #: Version of the folder's layout that this code writes and reads.
    format_version: int = 1

    @classmethod
    def of(cls, codec: APCodec, num_codebooks: int | None = None) -> TokensMeta:
        """Describe the tokens of a codec, by default of all codebooks."""
        if codec.codebook_size > _MOST_CODEWORDS:
            raise ConfigurationError(
                f"the model has {codec.codebook_size} codewords, but tokens "
                f"are stored in 16 bits, of which {_MOST_CODEWORDS} fit"
            )
        return cls(
            codec.model_id,
            codec.weights_sha256,
            codec.sample_rate,
            codec.hop_length,
            check_num_codebooks(num_codebooks, codec.num_codebooks),
            codec.codebook_size,
        )

    def check_same(self, other: TokensMeta, folder: AnyPath) -> None:
        """Refuse other tokens if they differ in anything."""
        for field in dataclasses.fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            if ours != theirs:
                raise APCodecError(
                    f"the tokens in {folder} have {field.name} {ours}, not "
                    f"{theirs}: use the model that made them, or another "
                    "folder"
                )


def read_meta(folder: AnyPath) -> TokensMeta:
    """Read the ``tokens_meta.json`` of a folder."""
    path = Path(folder) / META_FILE
    try:
        return TokensMeta(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise APCodecError(
            f"{path} is missing or damaged: make the tokens with `apcodec "
            "tokens`, in a folder of their own"
        ) from error


def claim_folder(folder: AnyPath, meta: TokensMeta) -> None:
    """Mark a folder as that of one model's tokens; refuse that of another."""
    folder = Path(folder)
    if (folder / META_FILE).exists():
        read_meta(folder).check_same(meta, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / META_FILE, dataclasses.asdict(meta))
