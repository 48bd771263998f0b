"""Code recordings with several systems, score them, and write the report.

::

    python -m speechbrain_apcodec.evaluation.report MANIFEST OUT_DIR

and ``apcodec eval`` write ``per_file.csv`` (a row for each file and system),
``means.md`` and ``means.png`` (the means of each group of files, and the use
of the codebooks), a spectrogram picture for each group, and ``index.html``, a
page to listen to some of the files. Started again after an interruption, or
with a newer model, they reuse the rows that would come out the same.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

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
from speechbrain_apcodec.evaluation.means import format_mean, group_means
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
from speechbrain_apcodec.utils.errors import APCodecError, ConfigurationError
from speechbrain_apcodec.utils.figures import MAX_ROWS, save_spectrogram_rows
from speechbrain_apcodec.utils.utterances import read_utterances

#: Recordings on the listening page.
NUM_EXAMPLES = 8


def write_report(
    reference,
    out_dir,
    models=(DEFAULT_MODEL,),
    peers=(),
    num_codebooks=(None,),
    metrics=None,
    train_manifest=None,
    device="cpu",
):
    """Evaluate models and peers on recordings and write all about it.

    Arguments
    ---------
    reference : str or pathlib.Path
        Folder, manifest or audio file; see ``recordings.list_recordings``.
    out_dir : str or pathlib.Path
        Folder to write, made if missing. What it has from an earlier
        evaluation is reused.
    models : list of str
        ``[NAME=]MODEL``: exported models, folders or hub ids.
    peers : list of str
        Other codecs; see ``systems.peer_system``.
    num_codebooks : list of int or None
        Score each model at these numbers of codebooks; None: all.
    metrics : list of str, optional
        Keys of ``METRICS``; default: all that are installed.
    train_manifest : str or pathlib.Path, optional
        Part the recordings by whether their speaker is in it.
    device : str
        Where the models compute.

    Returns
    -------
    str
        The report, as ``means.md`` has it.

    Raises
    ------
    APCodecError
        If an argument is wrong, or something needed is missing; mostly
        before anything is written.
    """
    _check_nothing_is_lost(Path(out_dir))
    # A folder may be evaluated into itself, but not what came of it.
    found = find_recordings(reference, without=[Path(out_dir, "sounds")])
    chosen, left_out = choose_metrics(metrics)
    models = _load_models(models, device)
    (sample_rate,) = {model.sample_rate for model in models.values()}
    systems = [
        codec_system(model, books, name)
        for name, model in models.items()
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
    examples = choose_examples(groups, NUM_EXAMPLES)

    out_dir = Path(out_dir)
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
    for name, model in models.items():
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
        for name, model in models.items()
    }
    facts["compared with"] = ", ".join(names[len(names) - len(peers) :])
    facts["recordings"] = f"{len(page)} of {len(files)}"
    write_listening_page(
        out_dir / "index.html", "Listening page", facts, page, means
    )
    return text


def _check_nothing_is_lost(out_dir):
    """Refuse a folder in which somebody else has files of our names."""
    if (out_dir / "per_file.csv").exists():
        return  # read later, and refused if it is not ours
    for name in (
        "means.md",
        "means.png",
        "index.html",
        "sounds",
        "spectrograms",
    ):
        if (out_dir / name).exists():
            raise ConfigurationError(
                f"{out_dir / name} is there already, and no evaluation wrote "
                "it: name another folder"
            )


def _without_transcripts(chosen, reference, named):
    """Leave out the metrics that need what no recording has."""
    left = {key: one for key, one in chosen.items() if not one.transcript}
    if named and len(left) < len(chosen):
        raise ConfigurationError(
            f"word error rates need a manifest with a column `text`, in "
            f"English, but {reference} has none"
        )
    return left


def _load_models(arguments, device):
    """Load models, by what they are to be called."""
    from speechbrain_apcodec.inference import APCodec

    models = {}
    for argument in arguments:
        name, source = re.fullmatch(r"(?:([^=/\\]+)=)?(.*)", argument).groups(
            "APCodec"
        )
        models[name] = APCodec.from_hparams(
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


def _example(out_dir, name, entry, rows, means, sample_rate):
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


def _save_spectrograms(out_dir, page, groups):
    """Draw the first recording of each group as every system decodes it."""
    first = {}
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
    options = vars(_parser().parse_args(arguments))
    try:
        print(write_report(**options))
    except APCodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m speechbrain_apcodec.evaluation.report",
        description="Score a model's decoded files beside other codecs'.",
    )
    parser.add_argument(
        "reference", metavar="manifest", help="JSON manifest of the files"
    )
    parser.add_argument("out_dir", help="folder for tables and pictures")
    parser.add_argument(
        "--model",
        dest="models",
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


if __name__ == "__main__":
    sys.exit(main())
