"""From audio files in any format to manifests that training can read.

Every source file is read once: mixed to mono, resampled to the codec's rate
and kept as a 32-bit float WAV in a cache folder, so that an epoch reads
nothing but the samples of its crops. A damaged file is reported here by its
name, before the first step of training. The cache can be shared by any number
of runs and configurations; an entry is made again when its source changes.

A manifest is SpeechBrain's JSON, with one entry for each item::

    {"p225_001": {"wav": "cache/p225_001-0f3c.wav", "num_samples": 98304,
                  "band_hz": 24000, "peak": 0.71, "source": "p225_001.flac",
                  "speaker": "p225", "text": "Please call Stella."}}

Call these functions on one process only (`run_on_main`).

Authors
 * speechbrain_apcodec contributors, 2026
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from speechbrain_apcodec.utils.atomic import atomic_path, write_json
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.audio_writing import write_audio
from speechbrain_apcodec.utils.band import measure_band
from speechbrain_apcodec.utils.errors import AudioFileError, ConfigurationError
from speechbrain_apcodec.utils.levels import mix_to_mono, peak_level
from speechbrain_apcodec.utils.resampling import resample
from speechbrain_apcodec.utils.types import AnyPath

logger = get_logger(__name__)

# Part of every cache record: raise it when the stored values or the measure
# of the band change, and old entries are made again.
_CACHE_VERSION = 2


def cache_audio(
    source: AnyPath, cache_folder: AnyPath, sample_rate: int
) -> dict[str, Any]:
    """Keep one file in the cache, at the codec's rate and in mono.

    Beside the WAV lies a record of the source's size and time and of the
    measurements. The record is written last: an interrupted run leaves no
    entry that looks finished.

    Returns ``wav`` (path), ``num_samples``, ``band_hz`` (of the source, no
    higher than half the codec's rate), ``peak`` (absolute) and ``source``.
    """
    source = Path(source).resolve()
    try:
        stat = source.stat()
    except OSError as error:
        raise AudioFileError(
            f"{source} does not exist: check the path"
        ) from error
    fingerprint = {
        "source": str(source),
        "source_bytes": stat.st_size,
        "source_mtime_ns": stat.st_mtime_ns,
        "sample_rate": sample_rate,
        "version": _CACHE_VERSION,
    }
    digest = hashlib.sha256(
        os.fsencode(source) + f"\n{sample_rate}".encode()
    ).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", source.stem)[:60]
    wav_path = Path(cache_folder) / digest[:2] / f"{stem}-{digest[:16]}.wav"
    record_path = wav_path.with_suffix(".json")

    record = _read_record(record_path)
    if not (
        fingerprint.items() <= record.items()
        and wav_path.is_file()
        and wav_path.stat().st_size == record["wav_bytes"]
    ):
        record_path.unlink(missing_ok=True)
        measured = _convert(source, wav_path, sample_rate)
        record = {
            **fingerprint,
            **measured,
            "wav_bytes": wav_path.stat().st_size,
        }
        write_json(record_path, record)
    return {
        "wav": str(wav_path.resolve()),
        "num_samples": record["num_samples"],
        "band_hz": record["band_hz"],
        "peak": record["peak"],
        "source": str(source),
    }


def _read_record(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _convert(source: Path, wav_path: Path, sample_rate: int) -> dict[str, Any]:
    wav, source_rate = read_audio(source)
    mono = mix_to_mono(wav, source)
    # The band is the source's own: after resampling, the filter's edge would
    # be measured instead.
    band_hz = measure_band(mono.numpy(), source_rate)
    mono = resample(mono, source_rate, sample_rate)
    wav_path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(wav_path, mono, sample_rate, "FLOAT")
    return {
        "num_samples": len(mono),
        "band_hz": min(band_hz, sample_rate // 2),
        "peak": peak_level(mono),
    }


def prepare_manifests(
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    save_folder: AnyPath,
    cache_folder: AnyPath,
    sample_rate: int,
    skip_bad_files: bool = False,
    num_jobs: int = 4,
) -> dict[str, Path]:
    """Fill the cache and write one manifest for each split.

    It can be interrupted and started again: finished files are not redone.

    Arguments
    ---------
    splits : dict
        Name of the split -> list of utterances. An utterance is a dict with
        ``id``, ``source`` (path) and any further columns, which are copied
        into the manifest. ``train`` and ``valid`` must not be empty.
    save_folder : str or pathlib.Path
        Folder of ``<split>.json``, and of ``bad_files.txt`` if some files
        cannot be used.
    cache_folder : str or pathlib.Path
        Folder of the resampled audio; runs can share it.
    sample_rate : int
        The codec's rate in Hz.
    skip_bad_files : bool
        Leave damaged files out, naming each in the log, instead of stopping.
    num_jobs : int
        Files converted at the same time.

    Returns
    -------
    dict
        Name of the split -> path of its manifest.

    Raises
    ------
    AudioFileError
        If files cannot be used; all are looked at before it is raised.
    ConfigurationError
        If two utterances share an id, or a split that training needs is
        empty.
    """
    save_folder = Path(save_folder)
    utterances = [item for items in splits.values() for item in items]
    repeated = [
        name
        for name, count in Counter(item["id"] for item in utterances).items()
        if count > 1
    ]
    if repeated:
        raise ConfigurationError(
            f"the id {repeated[0]!r} stands for more than one file "
            f"({len(repeated)} such ids): every file needs its own id"
        )

    def attempt(item: Mapping[str, Any]) -> dict[str, Any] | AudioFileError:
        try:
            return cache_audio(item["source"], cache_folder, sample_rate)
        except AudioFileError as error:
            return error

    executor = ThreadPoolExecutor(max_workers=num_jobs)
    try:
        results = list(
            tqdm(
                executor.map(attempt, utterances),
                total=len(utterances),
                desc=f"audio to {sample_rate} Hz",
                unit="file",
            )
        )
    finally:
        # Ctrl-C must not wait for the thousands of files still queued.
        executor.shutdown(cancel_futures=True)

    bad, measured = [], {}
    for item, result in zip(utterances, results, strict=True):
        if isinstance(result, AudioFileError):
            bad.append(str(result))
        else:
            measured[item["id"]] = result
    _report_bad_files(bad, len(utterances), save_folder, skip_bad_files)

    # SpeechBrain's datasets need the same keys in every item.
    columns = {key for item in utterances for key in item} - {"id", "source"}
    manifests = {}
    for split, items in splits.items():
        content = {
            item["id"]: {
                **{name: item.get(name, "") for name in sorted(columns)},
                # Measurements replace columns of the same name.
                **measured[item["id"]],
            }
            for item in items
            if item["id"] in measured
        }
        if split in ("train", "valid") and not content:
            raise ConfigurationError(
                f"the {split} split holds no usable file: check the data "
                "folder and how it is split"
            )
        manifests[split] = save_folder / f"{split}.json"
        write_json(manifests[split], content)
        logger.info(f"{manifests[split]}: {len(content)} files")
    return manifests


def _report_bad_files(
    bad: list[str], num_files: int, save_folder: Path, skip_bad_files: bool
) -> None:
    list_path = save_folder / "bad_files.txt"
    list_path.unlink(missing_ok=True)
    if not bad:
        return
    save_folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(list_path) as temporary:
        temporary.write_text(
            "\n".join(bad) + "\n", encoding="utf-8", errors="backslashreplace"
        )
    if skip_bad_files:
        for message in bad:
            logger.warning(f"left out: {message}")
        return
    named = "; ".join(bad[:10]) + ("; ..." if len(bad) > 10 else "")
    raise AudioFileError(
        f"{len(bad)} of {num_files} audio files cannot be used (complete "
        f"list: {list_path}); mend or remove them, or set skip_bad_files: "
        f"True to leave them out: {named}"
    )
