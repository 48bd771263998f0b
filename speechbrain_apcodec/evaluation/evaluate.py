"""Code recordings with several systems and score the results.

Each pair of file and system makes a row of figures. The rows are stored in a
CSV file after every recording: started again after an interruption, or with a
newer model, an evaluation computes only the rows that would differ.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from tqdm import tqdm

from speechbrain_apcodec import __version__
from speechbrain_apcodec.evaluation.means import Row
from speechbrain_apcodec.evaluation.recordings import (
    Recordings,
    english_text,
    read_mono,
    scored_bands,
)
from speechbrain_apcodec.evaluation.scores import Metrics, score
from speechbrain_apcodec.evaluation.systems import System
from speechbrain_apcodec.evaluation.tables import read_rows, write_rows
from speechbrain_apcodec.utils.audio_writing import write_audio
from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)
from speechbrain_apcodec.utils.types import AnyPath, Wav

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec

_T = TypeVar("_T")

#: To be raised when rows get other columns, or figures another meaning.
_ROWS_VERSION = 3
#: A listener compares seconds, not hours.
EXCERPT_SECONDS = 20


def evaluate_files(
    files: Recordings,
    systems: Sequence[System],
    sample_rate: int,
    chosen: Metrics,
    csv_path: AnyPath,
    groups: dict[str, str] | None = None,
    examples: Collection[str] = (),
) -> list[Row]:
    """Code and score every file with every system, at ``sample_rate``.

    Spectral distances go up to Nyquist in a group whose files are all
    full-band, else up to each file's own ``band_hz``. Without ``groups`` (id
    to name) there is one group. The CSV file is written after every file;
    rows in it are reused if file, system and metrics are the same. The
    decoded sounds of ``examples``, ids, are stored at :func:`sound_path`.
    """
    groups = groups or dict.fromkeys(files, "all files")
    folder = Path(csv_path).parent
    bands = scored_bands(files, sample_rate, groups)
    settings = {
        (name, system.name): _fingerprint(
            entry, system, chosen, bands[name], sample_rate
        )
        for name, entry in files.items()
        for system in systems
    }
    table = {}
    for row in read_rows(csv_path):
        key = row["id"], row["system"]
        stored = row["id"] not in examples or sound_path(folder, row).exists()
        if settings.get(key) == row["settings"] and stored:
            table[key] = {**row, "group": groups[row["id"]]}
    for name, entry in _progress(files.items(), "evaluation"):
        missing = [s for s in systems if (name, s.name) not in table]
        if not missing:
            continue
        wav = read_mono(entry, sample_rate)
        for system in missing:
            started = time.perf_counter()
            decoded, kbps = system.code(wav)
            elapsed = time.perf_counter() - started
            seconds = len(wav) / sample_rate
            values = score(
                wav,
                decoded,
                sample_rate,
                chosen,
                bands[name],
                english_text(entry),
            )
            row = {
                "group": groups[name],
                "id": name,
                "system": system.name,
                "settings": settings[name, system.name],
                "seconds": seconds,
                "band_hz": float(bands[name] or sample_rate / 2),
                "kbps": kbps,
                "rtf": elapsed / seconds,
                **{key: float(value) for key, value in values.items()},
            }
            if name in examples:
                write_excerpt(sound_path(folder, row), decoded, sample_rate)
            table[name, system.name] = row
        write_rows(csv_path, [table[key] for key in settings if key in table])
    rows = [table[key] for key in settings]
    write_rows(csv_path, rows)
    return rows


def sound_path(folder: AnyPath, row: Row) -> Path:
    """Name the file with the decoded sound of a row.

    Its settings are in the name: a row that would differ has another file.

    Example
    -------
    >>> row = {"id": "a/b c", "system": "Opus 6 kbps", "settings": "01ab"}
    >>> sound_path("out", row).as_posix()
    'out/sounds/a-b-c_Opus-6-kbps_01ab.flac'
    """
    words = [re.sub(r"[^\w.]+", "-", row[key]) for key in ("id", "system")]
    # File systems allow names of 255 bytes.
    name = "_".join(word[:40] for word in words)
    return Path(folder, "sounds", f"{name}_{row['settings']}.flac")


def write_excerpt(path: Path, wav: Wav, sample_rate: int) -> None:
    """Write the first seconds of a waveform, 16 bits, for a listener."""
    path.parent.mkdir(exist_ok=True)
    write_audio(path, wav[: EXCERPT_SECONDS * sample_rate], sample_rate)


def measure_codebooks(
    files: Recordings, model: APCodec
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Measure how much of each codebook a set of files uses.

    Returns usage and perplexity, ``[K]`` each, and the number of token frames
    counted: fewer than about ten times the codebook's size say little.
    """
    tokens = torch.cat(
        [
            model.encode(read_mono(entry, model.sample_rate)[None])[0][0].cpu()
            for entry in _progress(files.values(), "codebooks")
        ]
    )
    usage, perplexity = usage_and_perplexity(
        count_tokens(tokens, model.codebook_size)
    )
    return usage, perplexity, len(tokens)


def _fingerprint(
    entry: dict[str, Any],
    system: System,
    chosen: Metrics,
    band: float | None,
    sample_rate: int,
) -> str:
    """Hash everything that a row depends on."""
    file = Path(entry["wav"]).stat()
    parts = (
        __version__,
        _ROWS_VERSION,
        entry["wav"],
        file.st_size,
        file.st_mtime_ns,
        system.identity,
        sorted(chosen),
        english_text(entry),
        band,
        sample_rate,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _progress(items: Iterable[_T], task: str) -> Iterable[_T]:
    """Show a progress bar, on terminals only."""
    return tqdm(items, task, unit="file", leave=False, disable=None)
