"""Code recordings with several systems, score them, and write the report.

``apcodec eval`` writes ``per_file.csv`` (a row for each file and system),
``means.md`` and ``means.png`` (the means of each group of files, and the use
of the codebooks), a spectrogram picture for each group, and ``index.html``, a
page to listen to some of the files. Started again after an interruption, or
with a newer model, it reuses the rows that would not change.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.evaluation.charts import save_means
from speechbrain_apcodec.evaluation.evaluate import (
    EXCERPT_SECONDS,
    evaluate_files,
    measure_codebooks,
    sound_path,
    write_excerpt,
)
from speechbrain_apcodec.evaluation.listening import (
    Example,
    Sound,
    write_listening_page,
)
from speechbrain_apcodec.evaluation.means import (
    GroupMeans,
    Row,
    format_mean,
    group_means,
)
from speechbrain_apcodec.evaluation.recordings import (
    choose_examples,
    describe_conversions,
    describe_recordings,
    english_text,
    find_recordings,
    groups_by_speaker,
    read_mono,
)
from speechbrain_apcodec.evaluation.scores import (
    METRICS,
    Metrics,
    choose_metrics,
    how_to_get,
)
from speechbrain_apcodec.evaluation.systems import codec_system, peer_system
from speechbrain_apcodec.evaluation.tables import (
    codebook_table,
    means_table,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.figures import MAX_ROWS, save_spectrogram_rows
from speechbrain_apcodec.utils.types import AnyPath
from speechbrain_apcodec.utils.utterances import read_utterances

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec

#: Recordings on the listening page.
_NUM_EXAMPLES = 8


def write_report(
    reference: AnyPath,
    out_dir: AnyPath,
    models: Sequence[str] = (DEFAULT_MODEL,),
    peers: Sequence[str] = (),
    num_codebooks: Sequence[int | None] = (None,),
    metrics: Collection[str] | None = None,
    train_manifest: AnyPath | None = None,
    device: str = "cpu",
) -> str:
    """Evaluate models and peers on recordings and write the report.

    Arguments
    ---------
    reference : str or pathlib.Path
        Folder, manifest or audio file; see ``recordings.find_recordings``.
    out_dir : str or pathlib.Path
        Folder to write, made if missing. Rows of an earlier evaluation in it
        are reused.
    models : list of str
        ``[NAME=]MODEL``: exported models, folders or hub ids.
    peers : list of str
        Other codecs; see ``systems.peer_system``.
    num_codebooks : list of int or None
        Score each model at these numbers of codebooks; None: all.
    metrics : list of str, optional
        Keys of ``METRICS``; default: all that are installed.
    train_manifest : str or pathlib.Path, optional
        Group the recordings by whether their speaker is in it.
    device : str
        Where the models compute.

    Returns
    -------
    str
        The report, the text of ``means.md``.

    Raises
    ------
    APCodecError
        If an argument is wrong, or something needed is missing; mostly
        before anything is written.
    """
    out_dir = Path(out_dir)
    _check_nothing_is_lost(out_dir)
    # A folder may be evaluated into itself, but not the sounds written.
    found = find_recordings(reference, without=[out_dir / "sounds"])
    chosen, left_out = choose_metrics(metrics)
    loaded = _load_models(models, device)
    (sample_rate,) = {model.sample_rate for model in loaded.values()}
    systems = [
        codec_system(model, books, name)
        for name, model in loaded.items()
        for books in num_codebooks
    ]
    systems += [peer_system(name, sample_rate) for name in peers]
    names = [system.name for system in systems]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            f"two systems have the same name, of {', '.join(names)}: "
            "name each of them once"
        )
    files = describe_recordings(found)
    if not any(map(english_text, files.values())):
        chosen = _without_transcripts(chosen, reference, metrics)
        left_out = [key for key in left_out if not METRICS[key].transcript]
    groups = dict.fromkeys(files, "all files")
    if train_manifest:
        groups = groups_by_speaker(files, read_utterances(train_manifest))
    examples = choose_examples(groups, _NUM_EXAMPLES)

    out_dir.mkdir(parents=True, exist_ok=True)
    rows = evaluate_files(
        files,
        systems,
        sample_rate,
        chosen,
        out_dir / "per_file.csv",
        groups,
        examples,
    )
    text = means_table(rows, chosen) + "\n"
    text += (
        "Real-time factor: seconds that it took here to code and decode one "
        "second, the models on "
        f"{device}; a peer's includes starting its programs.\n\n"
    )
    conversions = describe_conversions(files, sample_rate)
    text += f"{conversions}\n\n" if conversions else ""
    for name, model in loaded.items():
        text += codebook_table(
            *measure_codebooks(files, model), model.codebook_size, name
        )
    if left_out:
        text += (
            f"\nNot measured for want of a package: {how_to_get(left_out)}.\n"
        )
    with atomic_path(out_dir / "means.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    means = group_means(rows, chosen)
    save_means(out_dir / "means.png", means)
    page = [
        _example(out_dir, name, files[name], rows, means, sample_rate)
        for name in examples
    ]
    _save_spectrograms(out_dir, page, groups)
    facts = {
        name: f"{model.model_id}, {model.bitrate() / 1000:g} kbps at "
        f"{sample_rate / 1000:g} kHz"
        for name, model in loaded.items()
    }
    facts["compared with"] = ", ".join(names[len(names) - len(peers) :])
    facts["recordings"] = f"{len(page)} of {len(files)}"
    write_listening_page(
        out_dir / "index.html", "Listening page", facts, page, means
    )
    return text


def _check_nothing_is_lost(out_dir: Path) -> None:
    """Refuse a folder in which somebody else has files of our names."""
    if (out_dir / "per_file.csv").exists():
        return  # read later, and refused if it is not ours
    ours = "means.md", "means.png", "index.html", "sounds", "spectrograms"
    for name in ours:
        if (out_dir / name).exists():
            raise ConfigurationError(
                f"{out_dir / name} is there already, and no evaluation wrote "
                "it: name another folder"
            )


def _without_transcripts(
    chosen: Metrics, reference: AnyPath, named: Collection[str] | None
) -> Metrics:
    """Leave out the metrics that need a text, which no recording has."""
    left = {key: one for key, one in chosen.items() if not one.transcript}
    if named and len(left) < len(chosen):
        raise ConfigurationError(
            f"word error rates need a manifest with a column `text`, in "
            f"English, but {reference} has none"
        )
    return left


def _load_models(arguments: Sequence[str], device: str) -> dict[str, APCodec]:
    """Load models, by the names that they are given."""
    from speechbrain_apcodec.inference import APCodec

    models = {}
    for argument in arguments:
        ((name, source),) = re.findall(r"^(?:([^=/\\]+)=)?(.*)$", argument)
        models[name or "APCodec"] = APCodec.from_hparams(
            source=source, run_opts={"device": device}
        )
    if len(models) < len(arguments):
        raise ConfigurationError(
            "several models need names: --model old=FOLDER new=FOLDER"
        )
    rates = {model.sample_rate for model in models.values()}
    if len(rates) > 1:
        raise ConfigurationError(
            f"the models have different sampling rates, {sorted(rates)}"
        )
    return models


def _example(
    out_dir: Path,
    name: str,
    entry: dict[str, Any],
    rows: Iterable[Row],
    means: Sequence[GroupMeans],
    sample_rate: int,
) -> Example:
    """Gather a recording, and what each system made of it, for the page."""
    rows = [row for row in rows if row["id"] == name]
    (group,) = (mean for mean in means if mean.name == rows[0]["group"])
    original = sound_path(out_dir, {**rows[0], "system": "original"})
    write_excerpt(original, read_mono(entry, sample_rate), sample_rate)
    sounds = [Sound("original", original)]
    for row in rows:
        figures = {}
        for column in group.tables[0]:
            if column.scope:
                band = f"to {row['band_hz'] / 1000:g} kHz"
                column = replace(column, scope=band)
            mean = format_mean(row[column.key], column.digits)
            figures[column.heading] = mean
        path = sound_path(out_dir, row)
        sounds.append(Sound(row["system"], path, figures))
    seconds = rows[0]["seconds"]
    length = f"{seconds:.1f} s"
    if seconds > EXCERPT_SECONDS:
        length = f"first {EXCERPT_SECONDS} of {length}"
    note = f"{group.name}, {length}" if len(means) > 1 else length
    return Example(name, note, sounds)


def _save_spectrograms(
    out_dir: Path, page: Iterable[Example], groups: dict[str, str]
) -> None:
    """Draw the first recording of each group as every system decodes it."""
    first: dict[str, Example] = {}
    for example in page:
        first.setdefault(groups[example.name], example)
    for number, (group, example) in enumerate(first.items(), start=1):
        rows = {}
        for sound in example.sounds[:MAX_ROWS]:
            wav, sample_rate = read_audio(sound.path)
            rows[sound.label.replace("$", r"\$")] = wav[0]
        save_spectrogram_rows(
            out_dir / f"spectrograms_{number}.png",
            rows,
            sample_rate,
            # Matplotlib takes what stands between dollars for formulas.
            title=f"{group}: {example.name}".replace("$", r"\$"),
        )
