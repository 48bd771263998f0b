"""Code recordings with several systems and score what comes back.

Every file and system makes a row of figures. The rows are kept in a CSV file
after every recording: started again after an interruption, or with a newer
model, an evaluation does only what would come out differently.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import hashlib
import re
import time
from pathlib import Path

import torch
from tqdm import tqdm

from speechbrain_apcodec import __version__
from speechbrain_apcodec.evaluation.recordings import (
    english_text,
    read_mono,
    scored_bands,
)
from speechbrain_apcodec.evaluation.scores import score
from speechbrain_apcodec.evaluation.tables import read_rows, write_rows
from speechbrain_apcodec.utils.audio import write_audio
from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)

#: Raise it when rows get other columns or figures another meaning.
ROWS_VERSION = 3
#: A listener compares seconds, not hours.
EXCERPT_SECONDS = 20


def evaluate_files(
    files,
    systems,
    sample_rate,
    chosen,
    csv_path,
    groups=None,
    examples=(),
):
    """Code and score every file with every system.

    The distances over the spectrum go up to Nyquist in a group whose files
    are all full-band, else up to each file's own ``band_hz``.

    Arguments
    ---------
    files : dict
        Id to ``{"wav": path, "band_hz": int}``, as ``list_recordings`` gives
        them. Without ``band_hz``, a file counts as full-band.
    systems : list of System
        What to compare.
    sample_rate : int
        At which to code and compare, in Hz.
    chosen : dict
        Name to ``Metric``.
    csv_path : str or pathlib.Path
        Written after every file. Rows that it already holds are reused if
        file, system and metrics are the same.
    groups : dict, optional
        Id to name of the group whose mean it enters; default: one group.
    examples : list of str
        Ids of files whose decoded sounds are kept beside the CSV file, at
        :func:`sound_path`, to be looked at and listened to.

    Returns
    -------
    list of dict
        A row for each file and system: ``group``, ``id``, ``system``,
        ``settings`` (what the row depends on, hashed), ``seconds``,
        ``band_hz`` (up to which it was scored), ``kbps``, ``rtf`` (seconds
        to code and decode one second), ``lag`` and the metrics.

    Raises
    ------
    AudioFileError
        If a file cannot be read.
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
        heard = row["id"] not in examples or sound_path(folder, row).exists()
        if settings.get(key) == row["settings"] and heard:
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


def sound_path(folder, row):
    """Name the file with the decoded sound of a row.

    Arguments
    ---------
    folder : str or pathlib.Path
        The evaluation's.
    row : dict
        With ``id``, ``system`` and ``settings``: a row that would come out
        differently has another file.

    Returns
    -------
    pathlib.Path

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


def write_excerpt(path, wav, sample_rate):
    """Write the beginning of a waveform, 16 bits, for a listener.

    Arguments
    ---------
    path : pathlib.Path
        A ``.flac`` file; its folder is made if there is none.
    wav : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    """
    path.parent.mkdir(exist_ok=True)
    write_audio(path, wav[: EXCERPT_SECONDS * sample_rate], sample_rate)


def measure_codebooks(files, model, num_codebooks=None):
    """Measure how much of each codebook a set of files uses.

    Arguments
    ---------
    files : dict
        As in :func:`evaluate_files`.
    model : speechbrain_apcodec.inference.APCodec
        A loaded model.
    num_codebooks : int, optional
        How many of its codebooks to use; default: all.

    Returns
    -------
    usage : torch.Tensor
        Share of entries used at least once, ``[K]``.
    perplexity : torch.Tensor
        ``[K]``.
    num_frames : int
        Token frames counted. Fewer than some ten times the codebook's size
        say little.
    """
    tokens = []
    for entry in _progress(files.values(), "codebooks"):
        wav = read_mono(entry, model.sample_rate)
        tokens.append(model.encode(wav[None], None, num_codebooks)[0][0].cpu())
    tokens = torch.cat(tokens)
    usage, perplexity = usage_and_perplexity(
        count_tokens(tokens, model.codebook_size)
    )
    return usage, perplexity, len(tokens)


def _fingerprint(entry, system, chosen, band, sample_rate):
    """Hash everything that a row's figures depend on."""
    file = Path(entry["wav"]).stat()
    parts = (
        __version__,
        ROWS_VERSION,
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


def _progress(items, task):
    """Show a bar of the files done, on terminals only."""
    return tqdm(items, task, unit="file", leave=False, disable=None)
