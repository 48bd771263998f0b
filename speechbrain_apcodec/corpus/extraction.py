"""The tokens of a whole corpus, by any number of processes.

Each process takes every n-th batch. A batch leaves one ``.npy`` file for each
recording and then a record of their checksums: what has a record is done,
whoever is killed, and everything else is encoded when the same command runs
again. Files appear whole or not at all. At the end one process compares every
file with its record and writes the list that data sets are made from.

Below the output folder::

    tokens_meta.json        the model; another one is refused
    p225/p225_001.npy       int16 [frames, codebooks]
    train.json              SpeechBrain's manifest of train.csv's tokens
    train_bad_files.txt     what could not be read, if anything
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

import dataclasses
import hashlib
import io
import json
import math
import shutil
import uuid
from pathlib import Path

import numpy as np
import torch
from speechbrain.utils.distributed import (
    ddp_barrier,
    if_main_process,
    is_distributed_initialized,
    run_on_main,
)
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from speechbrain_apcodec.corpus import BATCH_SECONDS
from speechbrain_apcodec.corpus.batches import (
    batch_key,
    list_recordings,
    make_batches,
)
from speechbrain_apcodec.corpus.meta import META_FILE, TokensMeta, claim_folder
from speechbrain_apcodec.utils.atomic import atomic_path, write_json
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import APCodecError, AudioFileError

_BATCHES = ".batches"
_UNFINISHED = f"{_BATCHES}/unfinished"


@dataclasses.dataclass(frozen=True)
class Extracted:
    """What an extraction made.

    Arguments
    ---------
    index : pathlib.Path
        SpeechBrain manifest of the tokens.
    num_utterances : int
        Recordings in it.
    num_frames : int
        Their token frames.
    seconds : float
        Their length.
    bad_files : list of str
        One line for each recording that was left out.
    """

    index: Path
    num_utterances: int
    num_frames: int
    seconds: float
    bad_files: list


def extract_tokens(
    codec,
    recordings,
    out_folder,
    num_codebooks=None,
    batch_seconds=BATCH_SECONDS,
    num_workers=0,
):
    """Encode all recordings of a manifest or folder.

    Arguments
    ---------
    codec : speechbrain_apcodec.inference.APCodec
        Loaded from an exported model.
    recordings : str or pathlib.Path
        A folder of audio, or a CSV or JSON manifest as training takes it.
    out_folder : str or pathlib.Path
        Where the tokens are written; all processes must see it.
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
        no recording can be encoded, or a token file is not what was written.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams()  # doctest: +SKIP
    >>> extract_tokens(codec, "train.csv", "tokens").index  # doctest: +SKIP
    PosixPath('tokens/train.json')
    """
    out_folder = Path(out_folder)
    meta = TokensMeta.of(codec, num_codebooks)
    listed = run_on_main(_prepare, [recordings, out_folder, meta])
    claim_folder(out_folder, meta)  # each process has its own model
    batches = make_batches(listed, int(batch_seconds * codec.sample_rate))
    rank, world_size = 0, 1
    if is_distributed_initialized():
        rank = torch.distributed.get_rank()
        world_size = torch.distributed.get_world_size()
    pending = [
        batch
        for batch in batches[rank::world_size]
        if not _is_done(out_folder, batch)
    ]
    _encode_batches(codec, pending, out_folder, meta, num_workers)
    ddp_barrier()
    name = _index_name(recordings)
    return run_on_main(_finish, [out_folder, name, listed, batches, meta])


def _prepare(recordings, out_folder, meta):
    """List the recordings, and tidy up after a kill."""
    listed = list_recordings(recordings, meta.sample_rate)
    _check_nothing_is_lost(recordings, listed, out_folder)
    claim_folder(out_folder, meta)
    shutil.rmtree(out_folder / _UNFINISHED, ignore_errors=True)
    (out_folder / _UNFINISHED).mkdir(parents=True)
    return listed


def _check_nothing_is_lost(recordings, listed, out_folder):
    """Refuse to write over the manifest, or files that are not ours."""
    index = out_folder / f"{_index_name(recordings)}.json"
    if index.exists() and index.samefile(recordings):
        raise APCodecError(
            f"{index} is the list of the recordings, and the list of their "
            "tokens would replace it: name another folder"
        )
    if (out_folder / META_FILE).exists():
        return
    for path in (
        index,
        *(_tokens_path(out_folder, item.name) for item in listed),
    ):
        if path.exists():
            raise APCodecError(
                f"{path} is there already, and no `apcodec tokens` wrote it: "
                "name another folder"
            )


def _index_name(recordings):
    path = Path(recordings)
    return "tokens" if path.is_dir() else path.stem


def _record_path(out_folder, batch):
    key = batch_key(batch)
    return out_folder / _BATCHES / key[:2] / f"{key}.json"


def _read_record(out_folder, batch):
    """Return the entries of a batch by name; empty if it is not done."""
    try:
        path = _record_path(out_folder, batch)
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _tokens_path(out_folder, name):
    return out_folder / f"{name}.npy"


def _is_done(out_folder, batch):
    """Tell whether all files are there; bad ones are tried once more."""
    record = _read_record(out_folder, batch)
    return all(
        "sha256" in record.get(item.name, ())
        and _tokens_path(out_folder, item.name).is_file()
        for item in batch
    )


class _Audio(Dataset):
    """Batches of waveforms, read where the loader wants it."""

    def __init__(self, batches, normalizer):
        self.batches = batches
        self.normalizer = normalizer

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return [self._read(item) for item in self.batches[index]]

    def _read(self, item):
        """Return float [samples], or why there is none."""
        try:
            wav, sample_rate = read_audio(item.source)
        except AudioFileError as error:
            # Nothing in the output tells where the corpus lies.
            return str(error).replace(item.source, item.name)
        return self.normalizer(wav.T, sample_rate)


def _encode_batches(codec, batches, out_folder, meta, num_workers):
    loader = DataLoader(
        _Audio(batches, codec.audio_normalizer),
        batch_size=None,
        num_workers=num_workers,
    )
    seconds = [
        sum(item.num_samples for item in batch) / meta.sample_rate
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
            _encode_batch(codec, batch, wavs, out_folder, meta)
            progress.update(done)


def _encode_batch(codec, batch, wavs, out_folder, meta):
    """Write the tokens of a batch, and then its record."""
    record_path = _record_path(out_folder, batch)
    record_path.unlink(missing_ok=True)
    record = {
        item.name: {"error": wav}
        for item, wav in zip(batch, wavs, strict=True)
        if isinstance(wav, str)
    }
    items = [item for item in batch if item.name not in record]
    wavs = [wav for wav in wavs if not isinstance(wav, str)]
    if items:
        lengths = torch.tensor([len(wav) for wav in wavs])
        padded = torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)
        # In float32, the lengths of long recordings would be rounded.
        relative = lengths.double() / padded.shape[1]
        tokens, _ = codec.encode(padded, relative, meta.num_codebooks)
        tokens = tokens.cpu().numpy().astype(np.int16)
        for item, own, num_samples in zip(
            items, tokens, lengths.tolist(), strict=True
        ):
            num_frames = math.ceil(num_samples / meta.hop_length)
            record[item.name] = {
                "num_samples": num_samples,
                "num_frames": num_frames,
                "sha256": _write_tokens(
                    out_folder, item.name, own[:num_frames]
                ),
            }
    write_json(record_path, record)


def _write_tokens(out_folder, name, tokens):
    """Write an array whole or not at all; return its file's SHA-256."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(tokens))
    path = _tokens_path(out_folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not beside its place: what a kill leaves is found and removed at once.
    unfinished = out_folder / _UNFINISHED / uuid.uuid4().hex
    unfinished.write_bytes(buffer.getvalue())
    unfinished.replace(path)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _finish(out_folder, name, listed, batches, meta):
    """Verify every file, and write the manifest of the tokens."""
    entries, wrong = {}, []
    for batch in batches:
        record = _read_record(out_folder, batch)
        entries.update(record)
        faulty = [
            item.name
            for item in batch
            if "error" not in record.get(item.name, ())
            and not _is_intact(out_folder, item.name, record, meta)
        ]
        if faulty:
            # So that the batch is encoded anew.
            _record_path(out_folder, batch).unlink(missing_ok=True)
            wrong.extend(faulty)
    if wrong:
        raise APCodecError(
            f"{len(wrong)} of {len(listed)} token files are not what was "
            f"written, such as {wrong[0]}.npy: run the same command again, "
            "which makes them anew"
        )
    bad_files = [
        entries[item.name]["error"]
        for item in listed
        if "error" in entries[item.name]
    ]
    bad_list = out_folder / f"{name}_bad_files.txt"
    bad_list.unlink(missing_ok=True)
    if bad_files:
        with atomic_path(bad_list) as temporary:
            text = "\n".join(bad_files) + "\n"
            temporary.write_text(
                text, encoding="utf-8", errors="backslashreplace"
            )
    index = {
        item.id: {
            **item.columns,
            "tokens": f"{{data_root}}/{item.name}.npy",
            "num_frames": entries[item.name]["num_frames"],
            "num_samples": entries[item.name]["num_samples"],
        }
        for item in listed
        if "error" not in entries[item.name]
    }
    if not index:
        raise APCodecError(
            f"none of {len(listed)} recordings can be encoded (complete list: "
            f"{bad_list}): {bad_files[0]}"
        )
    write_json(out_folder / f"{name}.json", index)
    shutil.rmtree(out_folder / _UNFINISHED, ignore_errors=True)
    num_samples = sum(entry["num_samples"] for entry in index.values())
    return Extracted(
        index=out_folder / f"{name}.json",
        num_utterances=len(index),
        num_frames=sum(entry["num_frames"] for entry in index.values()),
        seconds=num_samples / meta.sample_rate,
        bad_files=bad_files,
    )


def _is_intact(out_folder, name, record, meta):
    """Compare a file with its record: bytes, lengths and values."""
    try:
        content = _tokens_path(out_folder, name).read_bytes()
        entry = record[name]
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            return False
        tokens = np.load(io.BytesIO(content))
    except (OSError, KeyError, ValueError):
        return False
    num_frames = math.ceil(entry["num_samples"] / meta.hop_length)
    return (
        tokens.dtype == np.int16
        and tokens.shape == (num_frames, meta.num_codebooks)
        and num_frames == entry["num_frames"]
        and bool(((tokens >= 0) & (tokens < meta.codebook_size)).all())
    )
