"""The tokens of a whole corpus, by any number of processes.

Each process takes every n-th batch. A batch leaves one ``.npy`` file for each
recording and then a record of their checksums: a batch with a record is done,
whatever is killed, and everything else is encoded when the same command runs
again. Files appear whole or not at all. At the end one process compares every
file with its record and writes the manifest that data sets are made from.

Below the output folder::

    tokens_meta.json        the model; another one is refused
    p225/p225_001.npy       int16 [frames, codebooks]
    train.json              SpeechBrain's manifest of train.csv's tokens
    train_bad_files.txt     files that could not be read, if any
    .batches/               the records

Call `extract_tokens` in every process, as `torchrun` starts them. In a
recipe's YAML, to be called after `ddp_init_group`::

    codec: !apply:speechbrain_apcodec.inference.APCodec.from_hparams
        source: my_model
    extract: !name:speechbrain_apcodec.corpus.extraction.extract_tokens
        codec: !ref <codec>
        recordings: train.csv
        out_folder: tokens

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from speechbrain.utils.distributed import (
    ddp_barrier,
    if_main_process,
    is_distributed_initialized,
    run_on_main,
)
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from speechbrain_apcodec.corpus import BATCH_SECONDS
from speechbrain_apcodec.corpus.batches import (
    Recording,
    batch_key,
    list_recordings,
    make_batches,
)
from speechbrain_apcodec.corpus.meta import META_FILE, TokensMeta, claim_folder
from speechbrain_apcodec.utils.atomic import atomic_path, write_json
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import APCodecError, AudioFileError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec
    from speechbrain_apcodec.inference.normalizer import CodecAudioNormalizer

_BATCHES = ".batches"
_UNFINISHED = f"{_BATCHES}/unfinished"

_Batch = list[Recording]
#: By a recording's name: lengths and checksum of its tokens, or an error.
_Record = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Extracted:
    """What an extraction made."""

    #: SpeechBrain's manifest of the tokens.
    index: Path
    num_utterances: int
    num_frames: int
    seconds: float
    #: One line for each recording that was left out.
    bad_files: list[str]


def extract_tokens(
    codec: APCodec,
    recordings: AnyPath,
    out_folder: AnyPath,
    num_codebooks: int | None = None,
    batch_seconds: float = BATCH_SECONDS,
    num_workers: int = 0,
) -> Extracted:
    """Encode all recordings of a manifest or folder.

    Arguments
    ---------
    codec : speechbrain_apcodec.inference.APCodec
        Loaded from an exported model.
    recordings : str or pathlib.Path
        A folder of audio, or a CSV or JSON manifest as training takes it.
    out_folder : str or pathlib.Path
        Folder of the tokens; all processes must see it.
    num_codebooks : int, optional
        Codebooks to use; default: all.
    batch_seconds : float
        Audio encoded at a time, padding included. Another number makes other
        batches, which are encoded anew.
    num_workers : int
        Processes that read audio ahead, for each that encodes; 0 reads in
        the encoding one.

    Returns
    -------
    Extracted

    Raises
    ------
    APCodecError
        If the list cannot be read, the folder holds tokens of another model,
        no recording can be encoded, or a token file differs from its record.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams()  # doctest: +SKIP
    >>> extract_tokens(codec, "train.csv", "tokens").index  # doctest: +SKIP
    PosixPath('tokens/train.json')
    """
    recordings = Path(recordings)
    folder = _Folder(Path(out_folder), TokensMeta.of(codec, num_codebooks))
    name = "tokens" if recordings.is_dir() else recordings.stem
    listed = run_on_main(_prepare, [recordings, folder, f"{name}.json"])
    # Each process has its own model.
    claim_folder(folder.path, folder.meta)
    batches = make_batches(listed, int(batch_seconds * codec.sample_rate))
    rank, world_size = 0, 1
    if is_distributed_initialized():
        rank = torch.distributed.get_rank()
        world_size = torch.distributed.get_world_size()
    pending = [b for b in batches[rank::world_size] if not folder.is_done(b)]
    _encode_batches(codec, pending, folder, num_workers)
    ddp_barrier()
    return run_on_main(_finish, [folder, name, listed, batches])


@dataclass(frozen=True)
class _Folder:
    """The files of an extraction."""

    path: Path
    meta: TokensMeta

    def tokens_path(self, item: Recording) -> Path:
        return self.path / f"{item.name}.npy"

    def record_path(self, batch: _Batch) -> Path:
        key = batch_key(batch)
        return self.path / _BATCHES / key[:2] / f"{key}.json"

    def read_record(self, batch: _Batch) -> _Record:
        """Read the record of a batch; empty if it is not done."""
        try:
            text = self.record_path(batch).read_text(encoding="utf-8")
            return json.loads(text)
        except (OSError, ValueError):
            return {}

    def is_done(self, batch: _Batch) -> bool:
        """Tell whether all files are there; bad ones are tried once more."""
        record = self.read_record(batch)
        return all(
            "sha256" in record.get(item.name, ())
            and self.tokens_path(item).is_file()
            for item in batch
        )

    def num_frames(self, num_samples: int) -> int:
        return math.ceil(num_samples / self.meta.hop_length)

    def write_tokens(self, item: Recording, tokens: NDArray[Any]) -> str:
        """Write an array whole or not at all; return its file's SHA-256."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(tokens))
        path = self.tokens_path(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        # In one folder, where the leftovers of a kill are found and removed.
        unfinished = self.path / _UNFINISHED / uuid.uuid4().hex
        unfinished.write_bytes(buffer.getvalue())
        unfinished.replace(path)
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    def is_intact(self, item: Recording, record: _Record) -> bool:
        """Compare a file with its record: bytes, lengths and values."""
        try:
            content = self.tokens_path(item).read_bytes()
            entry = record[item.name]
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                return False
            tokens = np.load(io.BytesIO(content))
        except (OSError, KeyError, ValueError):
            return False
        num_frames = self.num_frames(entry["num_samples"])
        return (
            tokens.dtype == np.int16
            and tokens.shape == (num_frames, self.meta.num_codebooks)
            and num_frames == entry["num_frames"]
            and bool(((tokens >= 0) & (tokens < self.meta.codebook_size)).all())
        )


def _prepare(recordings: Path, folder: _Folder, index: str) -> list[Recording]:
    """List the recordings, and tidy up after a kill."""
    listed = list_recordings(recordings, folder.meta.sample_rate)
    own = folder.path / index
    if own.exists() and own.samefile(recordings):
        raise APCodecError(
            f"{own} is the list of the recordings, and the list of their "
            "tokens would replace it: name another folder"
        )
    if not (folder.path / META_FILE).exists():
        for path in (own, *map(folder.tokens_path, listed)):
            if path.exists():
                raise APCodecError(
                    f"{path} is there already, and no `apcodec tokens` wrote "
                    "it: name another folder"
                )
    claim_folder(folder.path, folder.meta)
    shutil.rmtree(folder.path / _UNFINISHED, ignore_errors=True)
    (folder.path / _UNFINISHED).mkdir(parents=True)
    return listed


class _Audio(Dataset[list[Tensor | str]]):
    """Batches of waveforms, float [samples], or reasons why there is none."""

    def __init__(
        self, batches: list[_Batch], normalizer: CodecAudioNormalizer
    ) -> None:
        self.batches = batches
        self.normalizer = normalizer

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[Tensor | str]:
        return [self._read(item) for item in self.batches[index]]

    def _read(self, item: Recording) -> Tensor | str:
        try:
            wav, sample_rate = read_audio(item.source)
        except AudioFileError as error:
            # Nothing in the output tells where the corpus lies.
            return str(error).replace(item.source, item.name)
        return self.normalizer(wav.T, sample_rate)


def _encode_batches(
    codec: APCodec, batches: list[_Batch], folder: _Folder, num_workers: int
) -> None:
    loader = DataLoader(
        _Audio(batches, codec.audio_normalizer),
        batch_size=None,
        num_workers=num_workers,
    )
    seconds = [
        sum(item.num_samples for item in batch) / folder.meta.sample_rate
        for batch in batches
    ]
    # Of the main process: the others have as much to do.
    with tqdm(
        total=sum(seconds),
        desc="tokens",
        bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s of audio "
        "[{elapsed}<{remaining}]",
        disable=not if_main_process(),
    ) as progress:
        for batch, wavs, done in zip(batches, loader, seconds, strict=True):
            _encode_batch(codec, batch, wavs, folder)
            progress.update(done)


def _encode_batch(
    codec: APCodec, batch: _Batch, wavs: list[Tensor | str], folder: _Folder
) -> None:
    """Write the tokens of a batch, and then its record."""
    record_path = folder.record_path(batch)
    record_path.unlink(missing_ok=True)
    record: _Record = {}
    readable: list[tuple[Recording, Tensor]] = []
    for item, wav in zip(batch, wavs, strict=True):
        if isinstance(wav, str):
            record[item.name] = {"error": wav}
        else:
            readable.append((item, wav))
    if readable:
        padded = torch.nn.utils.rnn.pad_sequence(
            [wav for _, wav in readable], batch_first=True
        )
        lengths = torch.tensor([len(wav) for _, wav in readable])
        # In float32, the lengths of long recordings would be rounded.
        relative = lengths.double() / padded.shape[1]
        tokens, _ = codec.encode(padded, relative, folder.meta.num_codebooks)
        arrays = tokens.cpu().numpy().astype(np.int16)
        for (item, wav), array in zip(readable, arrays, strict=True):
            num_frames = folder.num_frames(len(wav))
            record[item.name] = {
                "num_samples": len(wav),
                "num_frames": num_frames,
                "sha256": folder.write_tokens(item, array[:num_frames]),
            }
    write_json(record_path, record)


def _finish(
    folder: _Folder, name: str, listed: list[Recording], batches: list[_Batch]
) -> Extracted:
    """Verify every file, and write the manifest of the tokens."""
    entries: _Record = {}
    wrong: list[Recording] = []
    for batch in batches:
        record = folder.read_record(batch)
        entries.update(record)
        faulty = [
            item
            for item in batch
            if "error" not in record.get(item.name, ())
            and not folder.is_intact(item, record)
        ]
        if faulty:
            # So that the batch is encoded anew.
            folder.record_path(batch).unlink(missing_ok=True)
            wrong.extend(faulty)
    if wrong:
        raise APCodecError(
            f"{len(wrong)} of {len(listed)} token files are not what was "
            f"written, such as {wrong[0].name}.npy: run the same command "
            "again, which makes them anew"
        )
    bad_files, index = [], {}
    for item in listed:
        entry = entries[item.name]
        if "error" in entry:
            bad_files.append(entry["error"])
            continue
        index[item.id] = {
            **item.columns,
            "tokens": f"{{data_root}}/{item.name}.npy",
            "num_frames": entry["num_frames"],
            "num_samples": entry["num_samples"],
        }
    bad_list = folder.path / f"{name}_bad_files.txt"
    bad_list.unlink(missing_ok=True)
    if bad_files:
        with atomic_path(bad_list) as temporary:
            text = "\n".join(bad_files) + "\n"
            temporary.write_text(
                text, encoding="utf-8", errors="backslashreplace"
            )
    if not index:
        raise APCodecError(
            f"none of {len(listed)} recordings can be encoded (complete list: "
            f"{bad_list}): {bad_files[0]}"
        )
    write_json(folder.path / f"{name}.json", index)
    shutil.rmtree(folder.path / _UNFINISHED, ignore_errors=True)
    num_samples = sum(entry["num_samples"] for entry in index.values())
    return Extracted(
        index=folder.path / f"{name}.json",
        num_utterances=len(index),
        num_frames=sum(entry["num_frames"] for entry in index.values()),
        seconds=num_samples / folder.meta.sample_rate,
        bad_files=bad_files,
    )
