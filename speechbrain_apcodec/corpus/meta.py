"""Which model made the tokens of a folder.

``tokens_meta.json`` lies beside the tokens. Whoever writes there, or reads,
compares it first: tokens of two models are never mixed unnoticed.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
import json
from pathlib import Path

from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError

META_FILE = "tokens_meta.json"

#: Version of the folder's layout that this code writes and reads.
FORMAT_VERSION = 1

# Tokens are stored in 16 bits with a sign.
_MOST_CODEWORDS = 1 << 15


@dataclasses.dataclass(frozen=True)
class TokensMeta:
    """What must be equal for tokens to mean the same.

    Arguments
    ---------
    model_id : str
        Name of the exported model.
    weights_sha256 : str
        SHA-256 of its weight file.
    sample_rate : int
        The codec's, Hz.
    hop_length : int
        Samples per token frame.
    num_codebooks : int
        Tokens per frame, K.
    codebook_size : int
        Tokens are 0 to C - 1.
    format_version : int
        Version of the folder's layout.

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
    format_version: int = FORMAT_VERSION

    @classmethod
    def of(cls, codec, num_codebooks=None):
        """Describe the tokens that a codec makes.

        Arguments
        ---------
        codec : speechbrain_apcodec.inference.APCodec
            Loaded from an exported model.
        num_codebooks : int, optional
            Codebooks used; default: all.

        Returns
        -------
        TokensMeta

        Raises
        ------
        APCodecError
            If the codec has no name, or its codebooks are too large.
        """
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

    def check_same(self, other, place):
        """Make sure that other tokens mean the same.

        Arguments
        ---------
        other : TokensMeta
            What is to be read or written.
        place : str or pathlib.Path
            The folder, for the error.

        Raises
        ------
        APCodecError
            If anything differs.
        """
        for field in dataclasses.fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            if ours != theirs:
                raise APCodecError(
                    f"the tokens in {place} have {field.name} {ours}, not "
                    f"{theirs}: use the model that made them, or another "
                    "folder"
                )


def read_meta(folder):
    """Read what a folder says of its tokens.

    Arguments
    ---------
    folder : str or pathlib.Path
        The folder of ``tokens_meta.json``.

    Returns
    -------
    TokensMeta

    Raises
    ------
    APCodecError
        If it has no such file, or the file is damaged.
    """
    path = Path(folder) / META_FILE
    try:
        return TokensMeta(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise APCodecError(
            f"{path} is missing or damaged: make the tokens with `apcodec "
            "tokens`, in a folder of their own"
        ) from error


def claim_folder(folder, meta):
    """Mark a folder as that of one model's tokens.

    Arguments
    ---------
    folder : str or pathlib.Path
        Made if there is none.
    meta : TokensMeta
        What is to be written there.

    Raises
    ------
    APCodecError
        If it holds other tokens.
    """
    folder = Path(folder)
    if (folder / META_FILE).exists():
        read_meta(folder).check_same(meta, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / META_FILE, dataclasses.asdict(meta))
