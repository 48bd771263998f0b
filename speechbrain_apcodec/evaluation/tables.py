"""Rows of figures as CSV, and their means as Markdown.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import csv
import math
from pathlib import Path

from speechbrain_apcodec.utils.atomic import atomic_path


def means_table(rows, chosen):
    """Write the means of each group and system as Markdown.

    A metric's mean is taken over the files for which every system has a
    number, so that all systems are judged by the same files; how many were
    left out is said below the table.

    Arguments
    ---------
    rows : list of dict
        From :func:`evaluate_files`.
    chosen : dict
        Name to ``Metric``.

    Returns
    -------
    str
        One section for each group.

    Example
    -------
    >>> from speechbrain_apcodec.evaluation.scores import choose_metrics
    >>> row = {"group": "all", "id": "a", "seconds": 2.0, "band_hz": 8000.0}
    >>> rows = [{**row, "system": "A", "kbps": 6.0, "lsd": 1.0}]
    >>> rows.append({**row, "system": "B", "kbps": 6.0, "lsd": 2.0})
    >>> print(means_table(rows, choose_metrics(["lsd"])[0]))
    ### all: 1 file, 0.03 minutes
    <BLANKLINE>
    | system | kbps | LSD to 8 kHz ↓ |
    | --- | --- | --- |
    | A | 6.00 | 1.000 |
    | B | 6.00 | 2.000 |
    <BLANKLINE>
    """
    sections = []
    for group in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == group]
        sections.append(_group_section(group, members, chosen))
    return "\n".join(sections)


def codebook_table(usage, perplexity, num_frames, codebook_size, name):
    """Write :func:`measure_codebooks` as Markdown.

    Arguments
    ---------
    usage : torch.Tensor
        ``[K]``.
    perplexity : torch.Tensor
        ``[K]``.
    num_frames : int
        Token frames counted.
    codebook_size : int
        Number of entries.
    name : str
        What the model is called.

    Returns
    -------
    str
        A table with a row for each codebook.

    Example
    -------
    >>> import torch
    >>> half = torch.tensor([0.5])
    >>> print(codebook_table(half, 256 * half, 9000, 1024, "mini"))
    ### codebooks of mini: 9000 token frames of all files
    <BLANKLINE>
    | codebook | entries used | perplexity (of 1024) |
    | --- | --- | --- |
    | 1 | 50.0 % | 128.0 |
    <BLANKLINE>
    """
    lines = [
        f"### codebooks of {name}: {num_frames} token frames of all files",
        "",
        f"| codebook | entries used | perplexity (of {codebook_size}) |",
        "| --- | --- | --- |",
    ]
    pairs = zip(usage.tolist(), perplexity.tolist(), strict=True)
    for number, (share, spread) in enumerate(pairs, start=1):
        lines.append(f"| {number} | {100 * share:.1f} % | {spread:.1f} |")
    return "\n".join(lines) + "\n"


def read_rows(csv_path):
    """Read the rows of an earlier evaluation.

    Arguments
    ---------
    csv_path : str or pathlib.Path
        May be missing.

    Returns
    -------
    list of dict
        Text columns as str, all others as float.
    """
    texts = ("id", "group", "system", "settings")
    if not Path(csv_path).exists():
        return []
    with Path(csv_path).open(newline="", encoding="utf-8") as file:
        return [
            {
                key: value if key in texts else float(value)
                for key, value in row.items()
            }
            for row in csv.DictReader(file)
        ]


def write_rows(csv_path, rows):
    """Write rows, all with the same columns in any order, as CSV.

    Arguments
    ---------
    csv_path : str or pathlib.Path
        Written whole or not at all.
    rows : list of dict
        At least one.
    """
    columns = dict.fromkeys(["group", *rows[0]])
    with (
        atomic_path(csv_path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _group_section(group, rows, chosen):
    """Write the tables of one group of files."""
    names = list(dict.fromkeys(row["id"] for row in rows))
    by_system = {}
    for row in rows:
        by_system.setdefault(row["system"], {})[row["id"]] = row
    first = by_system[rows[0]["system"]]
    bands = sorted(row["band_hz"] for row in first.values())
    minutes = sum(row["seconds"] for row in first.values()) / 60
    scope = f"to {bands[0] / 1000:g} kHz"
    if bands[0] != bands[-1]:
        scope = "in band"

    lines = [
        f"### {group}: {len(names)} file{'s'[: len(names) > 1]}, "
        f"{minutes:.2f} minutes"
    ]
    left_out = []
    for columns in _column_sets(rows[0], chosen, scope):
        headings = " | ".join(heading for _, heading, _ in columns)
        lines += ["", f"| system | kbps | {headings} |"]
        lines.append("| --- " * (2 + len(columns)) + "|")
        judged = {
            key: [
                name
                for name in names
                if all(
                    math.isfinite(of[name][key]) for of in by_system.values()
                )
            ]
            for key, _, _ in columns
        }
        for system, of in by_system.items():
            kbps = _mean([of[name]["kbps"] for name in names])
            cells = [system, f"{kbps:.2f}"]
            for key, _, digits in columns:
                mean = _mean([of[name][key] for name in judged[key]])
                cells.append("–" if math.isnan(mean) else f"{mean:.{digits}f}")
            lines.append("| " + " | ".join(cells) + " |")
        left_out += [
            f"{heading} {len(names) - len(judged[key])}"
            for key, heading, _ in columns
            if 0 < len(judged[key]) < len(names)
        ]
    if scope == "in band":
        lines += [
            "",
            "In band: up to each file's own real band, "
            f"{bands[0] / 1000:g} to {bands[-1] / 1000:g} kHz.",
        ]
    if left_out:
        lines += [
            "",
            f"Of {len(names)} files, left out of a mean because they are too "
            f"short or empty for the metric: {'; '.join(left_out)}.",
        ]
    return "\n".join(lines) + "\n"


def _column_sets(row, chosen, scope):
    """Return key in the row, heading and decimals of each table's columns.

    The first table holds the metrics of one figure, each metric of several
    parts has the next one.
    """
    single, parted = [], []
    for name, metric in chosen.items():
        if name in row:
            heading = metric.heading
            if metric.banded:
                words, arrow = heading.rsplit(" ", 1)
                heading = f"{words} {scope} {arrow}"
            single.append((name, heading, metric.digits))
            continue
        parts = [key for key in row if key.startswith(f"{name} ")]
        parted.append(
            [
                (
                    key,
                    metric.heading.format(key.removeprefix(f"{name} ")),
                    metric.digits,
                )
                for key in parts
            ]
        )
    return [columns for columns in (single, *parted) if columns]


def _mean(values):
    """Return the mean, NaN of nothing."""
    return sum(values) / len(values) if values else math.nan
