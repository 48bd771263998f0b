"""Sentences and the tokens of their speech, as a model of speech takes them.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from speechbrain.dataio.sampler import DynamicBatchSampler
from speechbrain.tokenizers.SentencePiece import SentencePiece
from speechbrain.utils.logger import get_logger

from speechbrain_apcodec.tts.text import (
    BOS_ID,
    EOS_ID,
    encode_text,
    normalize_text,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import NOTICE, ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from speechbrain.dataio.dataset import DynamicItemDataset
    from speechbrain.utils.epoch_loop import EpochCounter

    from speechbrain_apcodec.tokens.patterns import DelayPattern

logger = get_logger(__name__)


def train_tokenizer(
    sentences: Iterable[str],
    path: AnyPath,
    num_pieces: int,
    model_type: str,
    phonemes: str | None = None,
) -> None:
    """Learn the pieces of text with SpeechBrain's SentencePiece.

    The first ids are those of unknown characters, of the beginning and of
    the end of a sentence.

    Arguments
    ---------
    sentences : list of str
        The training's text.
    path : str or pathlib.Path
        The file to write, for ``SentencePieceProcessor.load``.
    num_pieces : int
        Most pieces; ``char`` takes as many as there are characters.
    model_type : str
        ``char``, ``unigram`` or ``bpe``.
    phonemes : str, optional
        See ``tts.text.normalize_text``.

    Raises
    ------
    ConfigurationError
        If the text has fewer pieces, or more characters.
    """
    # SpeechBrain reuses any model that it finds, whatever its text was, and
    # SentencePiece reads no path with a space.
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "sentences.txt"
        lines.write_text(
            "".join(
                f"{normalize_text(line, phonemes)}\n" for line in sentences
            ),
            encoding="utf-8",
        )
        try:
            trained = SentencePiece(
                folder,
                num_pieces,
                model_type=model_type,
                text_file=str(lines),
                bos_id=BOS_ID,
                eos_id=EOS_ID,
            )
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise ConfigurationError(
                f"the text does not have {num_pieces} pieces of the type "
                f"{model_type}: set num_pieces or text_type ({reason})"
            ) from error
        if trained.sp.vocab_size() > num_pieces:
            raise ConfigurationError(
                f"the text has {trained.sp.vocab_size()} characters and "
                f"marks, more than num_pieces {num_pieces}: raise it"
            )
        model = Path(f"{trained.prefix_model_file}.model").read_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(model)


def make_text_dataset(
    tokenizer: SentencePieceProcessor,
    make_tokens: Callable[[], DynamicItemDataset],
    phonemes: str | None = None,
    pattern: DelayPattern | None = None,
    max_steps: int | None = None,
) -> DynamicItemDataset:
    """Make a data set of sentences and tokens.

    Arguments
    ---------
    tokenizer : sentencepiece.SentencePieceProcessor
        From ``train_tokenizer``.
    make_tokens : callable
        Makes a DynamicItemDataset with ``tokens``, ``text`` and
        ``num_frames``, such as ``corpus.dataset.token_dataset``.
    phonemes : str, optional
        See ``tts.text.normalize_text``.
    pattern : speechbrain_apcodec.tokens.patterns.DelayPattern, optional
        How tokens become steps. Sentences with more pieces than their speech
        has steps are then left out: no reading goes through them.
    max_steps : int, optional
        Most steps and pieces of the model; default: any number.

    Returns
    -------
    speechbrain.dataio.dataset.DynamicItemDataset
        Items with ``id``, ``text_ids`` (int64 [pieces]) and ``tokens``
        (int64 [frames, codebooks]).

    Raises
    ------
    ConfigurationError
        If no sentence is left.
    """
    dataset = make_tokens()
    if pattern is not None:
        _leave_out_misfits(dataset, tokenizer, phonemes, pattern, max_steps)
    # A partial can be sent to loader processes that are not forked.
    dataset.add_dynamic_item(
        functools.partial(encode_text, tokenizer, phonemes=phonemes),
        takes="text",
        provides="text_ids",
    )
    dataset.set_output_keys(["id", "text_ids", "tokens"])
    return dataset


def _leave_out_misfits(
    dataset: DynamicItemDataset,
    tokenizer: SentencePieceProcessor,
    phonemes: str | None,
    pattern: DelayPattern,
    max_steps: int | None,
) -> None:
    """Leave out what the model cannot take, with one notice of all."""
    most = max_steps or math.inf
    kept: list[str] = []
    misfits: list[str] = []
    for identity in dataset.data_ids:
        item = dataset.data[identity]
        num_text = len(encode_text(tokenizer, item["text"], phonemes))
        num_groups = -(-item["num_frames"] // pattern.frames_per_step)
        num_steps = pattern.num_steps(item["num_frames"] + 1)
        if num_text <= num_groups and max(num_text, num_steps) <= most:
            kept.append(identity)
        else:
            misfits.append(
                f"{identity} ({num_text} pieces of text, but only "
                f"{num_groups} steps)"
            )
    if misfits:
        logger.log(
            NOTICE,
            f"left out: {len(misfits)} sentences with more text than speech, "
            f"or longer than max_steps {max_steps}: " + ", ".join(misfits),
        )
    if dataset.data_ids and not kept:
        raise ConfigurationError(
            "every sentence has more text than speech, or is longer than "
            f"max_steps {max_steps}, such as {misfits[0]}: see the column "
            "`text`, or set frames_per_step to 1 or another text_type"
        )
    dataset.data_ids = kept


class BucketBatchSampler(DynamicBatchSampler):
    """SpeechBrain's batches of similar lengths, following the epoch counter.

    The batches of an epoch follow from the seed and its number alone.

    Arguments
    ---------
    dataset : speechbrain.dataio.dataset.DynamicItemDataset
        With ``num_frames``.
    frames_per_batch : int
        Most frames of a batch, padding included.
    num_buckets : int
        Kinds of lengths, each with as many items.
    seed : int
        The run's seed.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Read at the beginning of an epoch.
    """

    def __init__(
        self,
        dataset: DynamicItemDataset,
        frames_per_batch: int,
        num_buckets: int,
        seed: int,
        epoch_counter: EpochCounter,
    ) -> None:
        lengths = [
            dataset.data[item]["num_frames"] for item in dataset.data_ids
        ]
        shares = np.arange(1, num_buckets + 1) / num_buckets
        boundaries = np.unique(np.quantile(lengths, shares, method="higher"))
        super().__init__(
            dataset,
            max_batch_length=max(frames_per_batch, max(lengths)),
            lengths_list=lengths,
            bucket_boundaries=boundaries.tolist(),
            shuffle=True,
            batch_ordering="random",
            seed=seed,
        )
        self.epoch_counter = epoch_counter

    def __iter__(self) -> Iterator[list[int]]:
        self.set_epoch(self.epoch_counter.current)
        return super().__iter__()
