"""Sentences and the tokens of their speech, as a model of speech takes them.

In a training YAML::

    tokenizer: !new:sentencepiece.SentencePieceProcessor
    make_train_data: !name:speechbrain_apcodec.training.text.make_text_dataset
        tokenizer: !ref <tokenizer>
        make_tokens: !name:speechbrain_apcodec.corpus.dataset.token_dataset
            index: !ref <train_manifest>
    make_train_sampler:
        !name:speechbrain_apcodec.training.text.BucketBatchSampler
        frames_per_batch: !ref <frames_per_batch>
        num_buckets: !ref <num_buckets>
        seed: !ref <seed>
        epoch_counter: !ref <epoch_counter>

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
import tempfile
from pathlib import Path

import numpy as np
from speechbrain.dataio.sampler import DynamicBatchSampler
from speechbrain.tokenizers.SentencePiece import SentencePiece

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.text import (
    BOS_ID,
    EOS_ID,
    encode_text,
    normalize_text,
)


def train_tokenizer(sentences, path, num_pieces, model_type, phonemes=None):
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
        Most pieces, of which ``char`` takes as many as there are characters.
    model_type : str
        ``char``, ``unigram`` or ``bpe``.
    phonemes : str, optional
        See ``utils.text.normalize_text``.

    Raises
    ------
    ConfigurationError
        If the text does not have so many pieces, or more characters.
    """
    # SpeechBrain takes a model that it finds for its own, whatever text that
    # was made of, and SentencePiece reads no path with a space.
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


def make_text_dataset(tokenizer, make_tokens, phonemes=None):
    """Make a data set of sentences and tokens.

    Arguments
    ---------
    tokenizer : sentencepiece.SentencePieceProcessor
        From ``train_tokenizer``.
    make_tokens : callable
        Makes a DynamicItemDataset with ``tokens``, ``text`` and
        ``num_frames``, such as ``corpus.dataset.token_dataset``.
    phonemes : str, optional
        See ``utils.text.normalize_text``.

    Returns
    -------
    speechbrain.dataio.dataset.DynamicItemDataset
        Items with ``id``, ``text_ids`` (int64 [pieces]) and ``tokens``
        (int64 [frames, codebooks]).
    """
    dataset = make_tokens()
    # A partial can be sent to loader processes that are not forked.
    dataset.add_dynamic_item(
        functools.partial(encode_text, tokenizer, phonemes=phonemes),
        takes="text",
        provides="text_ids",
    )
    dataset.set_output_keys(["id", "text_ids", "tokens"])
    return dataset


class BucketBatchSampler(DynamicBatchSampler):
    """SpeechBrain's batches of similar lengths, following the epoch counter.

    An epoch's batches follow from the seed and its number alone.

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
        Read whenever an epoch begins.
    """

    def __init__(
        self, dataset, frames_per_batch, num_buckets, seed, epoch_counter
    ):
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

    def __iter__(self):
        self.set_epoch(self.epoch_counter.current)
        return super().__iter__()
