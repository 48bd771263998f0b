"""Code files with several systems, score them, and write the tables.

::

    python -m speechbrain_apcodec.evaluation.report MANIFEST OUT_DIR

writes ``per_file.csv`` (a row for each file and system), ``means.md`` (a
table for each group of files, and the use of the codebooks) and a
spectrogram picture for each group. Started again after an interruption, or
with a newer model, it reuses the rows that would come out the same.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from speechbrain_apcodec import DEFAULT_MODEL, __version__
from speechbrain_apcodec.evaluation.scores import (
    METRICS,
    choose_metrics,
    score,
)
from speechbrain_apcodec.evaluation.systems import codec_system, peer_system
from speechbrain_apcodec.evaluation.tables import (
    codebook_table,
    means_table,
    read_rows,
    write_rows,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.codebooks import (
    count_tokens,
    usage_and_perplexity,
)
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    AudioFileError,
    ConfigurationError,
)
from speechbrain_apcodec.utils.figures import save_spectrogram_rows

# A recording whose band reaches this share of Nyquist counts as full-band.
FULL_BAND_SHARE = 0.9


def evaluate_files(files, systems, sample_rate, chosen, csv_path, groups=None):
    """Code and score every file with every system.

    The distances over the spectrum go up to Nyquist in a group whose files
    are all full-band, else up to each file's own ``band_hz``.

    Arguments
    ---------
    files : dict
        Manifest: id to ``{"wav": path, "num_samples": int, "band_hz": int}``;
        mono audio at ``sample_rate``. Without ``band_hz``, a file counts as
        full-band.
    systems : list of System
        What to compare.
    sample_rate : int
        In Hz.
    chosen : dict
        Name to ``Metric``.
    csv_path : str or pathlib.Path
        Written after every file. Rows that it already holds are reused if
        file, system and metrics are the same.
    groups : dict, optional
        Id to name of the group whose mean it enters; default: one group.

    Returns
    -------
    list of dict
        A row for each file and system: ``group``, ``id``, ``system``,
        ``settings`` (what the row depends on, hashed), ``seconds``,
        ``band_hz`` (up to which it was scored), ``kbps``, ``lag`` and the
        metrics.

    Raises
    ------
    AudioFileError
        If a file cannot be read, or is not mono at ``sample_rate``.
    """
    groups = groups or dict.fromkeys(files, "all files")
    bands = _scored_bands(files, sample_rate, groups)
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
        if settings.get(key) == row["settings"]:
            table[key] = {**row, "group": groups[row["id"]]}
    for name, entry in tqdm(files.items(), desc="evaluation", unit="file"):
        missing = [s for s in systems if (name, s.name) not in table]
        if not missing:
            continue
        wav = _read_mono(entry["wav"], sample_rate)
        for system in missing:
            decoded, kbps = system.code(wav)
            table[name, system.name] = {
                "group": groups[name],
                "id": name,
                "system": system.name,
                "settings": settings[name, system.name],
                "seconds": len(wav) / sample_rate,
                "band_hz": bands[name] or sample_rate / 2,
                "kbps": kbps,
                **score(wav, decoded, sample_rate, chosen, bands[name]),
            }
        write_rows(csv_path, [table[key] for key in settings if key in table])
    rows = [table[key] for key in settings]
    write_rows(csv_path, rows)
    return rows


def measure_codebooks(files, model, num_codebooks=None):
    """Measure how much of each codebook a set of files uses.

    Arguments
    ---------
    files : dict
        Manifest, as in :func:`evaluate_files`.
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
    for entry in tqdm(files.values(), desc="codebooks", unit="file"):
        wav = _read_mono(entry["wav"], model.sample_rate)
        tokens.append(model.encode(wav[None], None, num_codebooks)[0][0].cpu())
    tokens = torch.cat(tokens)
    usage, perplexity = usage_and_perplexity(
        count_tokens(tokens, model.codebook_size)
    )
    return usage, perplexity, len(tokens)


def groups_by_speaker(files, train_files):
    """Part files by whether the training has heard their speaker.

    Arguments
    ---------
    files : dict
        Manifest of the files to score, with ``speaker``.
    train_files : dict
        Manifest of the training, with ``speaker``.

    Returns
    -------
    dict
        Id to a name such as ``"known speaker (kathleen)"``.

    Example
    -------
    >>> files = {"a": {"speaker": "x"}, "b": {"speaker": "y"}}
    >>> groups_by_speaker(files, {"c": {"speaker": "x"}})
    {'a': 'known speaker (x)', 'b': 'unseen speaker (y)'}
    """
    heard = {entry["speaker"] for entry in train_files.values()}
    parts = {"known": set(), "unseen": set()}
    kinds = {}
    for name, entry in files.items():
        kinds[name] = "known" if entry["speaker"] in heard else "unseen"
        parts[kinds[name]].add(entry["speaker"])
    titles = {}
    for kind, speakers in parts.items():
        few = len(speakers) <= 3
        who = ", ".join(sorted(speakers)) if few else str(len(speakers))
        titles[kind] = f"{kind} speaker{'s'[: len(speakers) > 1]} ({who})"
    return {name: titles[kind] for name, kind in kinds.items()}


def save_examples(out_dir, files, systems, sample_rate, groups):
    """Draw the first file of each group as every system decodes it.

    Arguments
    ---------
    out_dir : str or pathlib.Path
        Gets ``spectrograms_1.png`` and so on.
    files : dict
        Manifest, as in :func:`evaluate_files`.
    systems : list of System
        What to compare.
    sample_rate : int
        In Hz.
    groups : dict
        Id to name of its group.
    """
    first = {}
    for name, group in groups.items():
        first.setdefault(group, name)
    for number, (group, name) in enumerate(first.items(), start=1):
        wav = _read_mono(files[name]["wav"], sample_rate)
        rows = {"original": wav}
        for system in systems:
            rows[system.name] = system.code(wav)[0]
        save_spectrogram_rows(
            Path(out_dir) / f"spectrograms_{number}.png",
            rows,
            sample_rate,
            title=f"{group}: {name}",
        )


def main(arguments=None):
    """Evaluate a model on a manifest from the command line.

    Arguments
    ---------
    arguments : list of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit code: 0, or 2 with one line on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        print(_run(options))
    except APCodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m speechbrain_apcodec.evaluation.report",
        description="Score a model's decoded files beside other codecs'.",
    )
    parser.add_argument("manifest", help="JSON manifest of the files")
    parser.add_argument("out_dir", help="folder for tables and pictures")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[DEFAULT_MODEL],
        metavar="[NAME=]MODEL",
        help="exported models, folders or hub ids, and what to call them "
        "(default: the model inside the package)",
    )
    parser.add_argument(
        "--num-codebooks",
        type=int,
        nargs="+",
        default=[None],
        help="score the model at these numbers of codebooks (default: all)",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        default=["opus6", "opus12"],
        help="other codecs (default: opus6 opus12)",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        help=f"of {', '.join(METRICS)} (default: all that are installed)",
    )
    parser.add_argument(
        "--train-manifest",
        help="part the files by whether their speaker is in this manifest",
    )
    return parser


def _run(options):
    """Evaluate and return the report's text."""
    from speechbrain_apcodec.inference import APCodec

    files = _read_manifest(options.manifest)
    groups = dict.fromkeys(files, "all files")
    if options.train_manifest:
        train_files = _read_manifest(options.train_manifest)
        groups = groups_by_speaker(files, train_files)
    chosen, left_out = choose_metrics(options.metrics)
    models = {}
    for argument in options.model:
        name, _, source = argument.rpartition("=")
        models[name or "APCodec"] = APCodec.from_hparams(source)
    if len(models) < len(options.model):
        raise ConfigurationError(
            "several models need names: --model old=FOLDER new=FOLDER"
        )
    rates = {model.sample_rate for model in models.values()}
    if len(rates) > 1:
        raise ConfigurationError(
            f"the models have different sampling rates, {sorted(rates)}"
        )
    (sample_rate,) = rates
    systems = [
        codec_system(model, books, name)
        for name, model in models.items()
        for books in options.num_codebooks
    ]
    systems += [peer_system(name, sample_rate) for name in options.peers]

    out_dir = Path(options.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    rows = evaluate_files(
        files,
        systems,
        sample_rate,
        chosen,
        out_dir / "per_file.csv",
        groups,
    )
    text = means_table(rows, chosen) + "\n"
    for name, model in models.items():
        text += codebook_table(
            *measure_codebooks(files, model), model.codebook_size, name
        )
    if left_out:
        text += (
            f"\nNot measured for want of a package: {', '.join(left_out)}; "
            "`pip install 'speechbrain_apcodec[eval]'`.\n"
        )
    with atomic_path(out_dir / "means.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    save_examples(out_dir, files, systems, sample_rate, groups)
    return text


def _read_manifest(path):
    """Read a JSON manifest that names at least one file."""
    try:
        files = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as a JSON manifest: {error}"
        ) from error
    if not isinstance(files, dict) or not files:
        raise ConfigurationError(f"{path} names no audio file")
    return files


def _read_mono(path, sample_rate):
    """Read a file that is what its manifest promises, as ``[T]``."""
    wav, rate = read_audio(path)
    if rate != sample_rate or len(wav) != 1:
        raise AudioFileError(
            f"{path} has {len(wav)} channels at {rate} Hz, not 1 at "
            f"{sample_rate} Hz: prepare the manifest at the model's rate"
        )
    return wav[0]


def _scored_bands(files, sample_rate, groups):
    """Return id to the highest frequency scored, None for all of them."""
    nyquist = sample_rate / 2
    narrow = {
        groups[name]
        for name, entry in files.items()
        if entry.get("band_hz", nyquist) < FULL_BAND_SHARE * nyquist
    }
    return {
        name: entry.get("band_hz", nyquist) if groups[name] in narrow else None
        for name, entry in files.items()
    }


def _fingerprint(entry, system, chosen, band, sample_rate):
    """Hash everything that a row's figures depend on."""
    parts = (
        __version__,
        entry["wav"],
        entry.get("num_samples"),
        system.identity,
        sorted(chosen),
        band,
        sample_rate,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
