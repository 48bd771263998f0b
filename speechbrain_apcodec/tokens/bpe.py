"""Byte-pair encoding of tokens: shorter sequences, and the way back.

Frequent runs of tokens of the first codebook or codebooks become one id, as
SentencePiece makes words of letters. Each token is written as one character
of a private plane of Unicode, so that SentencePiece sees plain text and
decoding is exact.

Paper: https://arxiv.org/abs/2310.14580

Authors
 * speechbrain_apcodec contributors, 2026
"""

import io
from collections.abc import Iterable, Iterator

import sentencepiece
import torch
from torch import Tensor

from speechbrain_apcodec.tokens.flattening import flatten, unflatten
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath

# Plane 15 of Unicode is for private use: 65,534 characters without meaning.
_FIRST_CHARACTER = 0xF0000
_CHARACTERS = 65534

# SentencePiece's id of an unknown piece; no token becomes one.
_UNKNOWN = 0


class AcousticBPE:
    """Learned merges: ``encode`` applies them, ``decode`` undoes them.

    Arguments
    ---------
    path : str or pathlib.Path
        The SentencePiece model that ``learn`` wrote.
    codebook_size : int
        Codewords of a codebook, C.
    num_codebooks : int
        Number of codebooks that are merged, from the first on.

    Raises
    ------
    APCodecError
        If the file is no such model, or was learned on other codebooks.

    Example
    -------
    >>> import tempfile
    >>> from pathlib import Path
    >>> tokens = torch.tensor([3, 1, 4, 1, 5] * 20)[:, None]
    >>> path = Path(tempfile.mkdtemp()) / "bpe.model"
    >>> bpe = AcousticBPE.learn([tokens], path, 20, codebook_size=8)
    >>> ids = bpe.encode(tokens)
    >>> torch.equal(bpe.decode(ids), tokens)
    True
    >>> bpe.compression_ratio([tokens]) == 100 / len(ids)
    True
    """

    def __init__(
        self, path: AnyPath, codebook_size: int, num_codebooks: int = 1
    ) -> None:
        self.codebook_size = codebook_size
        self.num_codebooks = num_codebooks
        self.processor = sentencepiece.SentencePieceProcessor()
        try:
            self.processor.load(str(path))
        except (OSError, RuntimeError) as error:
            raise APCodecError(
                f"{path} is no SentencePiece model: learn one first"
            ) from error
        pieces = map(self.processor.id_to_piece, range(len(self.processor)))
        single = {piece for piece in pieces if len(piece) == 1}
        if single != set(_characters(range(num_codebooks * codebook_size))):
            raise APCodecError(
                f"{path} was not learned on {num_codebooks} codebook(s) of "
                f"{codebook_size} codewords: learn the merges on these tokens"
            )

    @classmethod
    def learn(
        cls,
        sequences: Iterable[Tensor],
        path: AnyPath,
        vocabulary_size: int,
        codebook_size: int,
        num_codebooks: int = 1,
    ) -> "AcousticBPE":
        """Learn the most frequent merges.

        Arguments
        ---------
        sequences : iterable of integers [frames, codebooks]
            Further codebooks are ignored.
        path : str or pathlib.Path
            Where the SentencePiece model is written.
        vocabulary_size : int
            Ids in all: one unknown, ``num_codebooks * codebook_size`` single
            tokens, and the merges.
        codebook_size : int
            Codewords of a codebook, C.
        num_codebooks : int
            Number of codebooks to merge, from the first on.

        Returns
        -------
        AcousticBPE

        Raises
        ------
        APCodecError
            If the vocabulary is too small for the single tokens, or the
            tokens do not have so many merges.
        """
        symbols = num_codebooks * codebook_size
        if not symbols < vocabulary_size or symbols > _CHARACTERS:
            raise ConfigurationError(
                f"vocabulary_size {vocabulary_size} must be larger than "
                f"num_codebooks * codebook_size, {symbols}, and that at most "
                f"{_CHARACTERS}"
            )

        def sentences() -> Iterator[str]:
            # Each single token once, so that all of them have an id.
            yield from _characters(range(symbols))
            for tokens in sequences:
                yield _text(tokens, num_codebooks, codebook_size)

        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=sentences(),
                model_writer=model,
                model_type="bpe",
                vocab_size=vocabulary_size,
                character_coverage=1.0,
                max_sentence_length=1 << 30,  # longer ones would be left out
                # Tokens are no words: neither normalise nor split them.
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                split_by_whitespace=False,
                split_by_unicode_script=False,
                split_by_number=False,
                unk_id=_UNKNOWN,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise APCodecError(
                f"no {vocabulary_size} ids can be learned on these tokens "
                f"({reason}): give more tokens or a smaller vocabulary_size"
            ) from error
        with atomic_path(path) as temporary:
            temporary.write_bytes(model.getvalue())
        return cls(path, codebook_size, num_codebooks)

    @property
    def vocabulary_size(self) -> int:
        """Ids in all; 0 is never used."""
        return len(self.processor)

    def encode(self, tokens: Tensor) -> Tensor:
        """Apply the merges.

        Arguments
        ---------
        tokens : integers [frames, codebooks]
            Without padding.

        Returns
        -------
        int64 [length]
            From 1 to ``vocabulary_size - 1``.

        Raises
        ------
        APCodecError
            If there are too few codebooks, or ids that are no tokens.
        """
        text = _text(tokens, self.num_codebooks, self.codebook_size)
        return torch.tensor(self.processor.encode(text), dtype=torch.int64)

    def decode(self, ids: Tensor) -> Tensor:
        """Undo the merges.

        Arguments
        ---------
        ids : integers [length]

        Returns
        -------
        int64 [frames, codebooks]
            Of the codebooks that were merged.

        Raises
        ------
        APCodecError
            If ids are out of range, or hold no whole frames of tokens.
        """
        if ((ids <= _UNKNOWN) | (ids >= self.vocabulary_size)).any():
            raise APCodecError(
                f"ids must be from 1 to {self.vocabulary_size - 1}"
            )
        text = "".join(map(self.processor.id_to_piece, ids.tolist()))
        flat = torch.tensor(
            [ord(character) - _FIRST_CHARACTER for character in text],
            dtype=torch.int64,
        )
        return unflatten(flat[None], self.num_codebooks, self.codebook_size)[0]

    def compression_ratio(self, sequences: Iterable[Tensor]) -> float:
        """Measure how many tokens an id stands for.

        Arguments
        ---------
        sequences : iterable of integers [frames, codebooks]

        Returns
        -------
        float
        """
        tokens = ids = 0
        for sequence in sequences:
            tokens += len(sequence) * self.num_codebooks
            ids += len(self.encode(sequence))
        return tokens / max(1, ids)


def _text(tokens: Tensor, num_codebooks: int, codebook_size: int) -> str:
    """Write the tokens of one utterance as characters."""
    tokens = torch.as_tensor(tokens)
    if tokens.dim() != 2 or tokens.shape[1] < num_codebooks:
        raise APCodecError(
            f"tokens must be [frames, codebooks] with at least "
            f"{num_codebooks} codebook(s), not {list(tokens.shape)}"
        )
    tokens = tokens[None, :, :num_codebooks].long()
    if ((tokens < 0) | (tokens >= codebook_size)).any():
        raise APCodecError(
            f"tokens must be from 0 to {codebook_size - 1}: take padding and "
            "special ids out before merging"
        )
    return "".join(_characters(flatten(tokens, codebook_size)[0].tolist()))


def _characters(symbols: Iterable[int]) -> list[str]:
    return [chr(_FIRST_CHARACTER + symbol) for symbol in symbols]
