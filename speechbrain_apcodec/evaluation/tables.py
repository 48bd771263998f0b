"""Rows of figures as CSV, and their means as Markdown.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import csv
from pathlib import Path

from speechbrain_apcodec.evaluation.means import format_mean, group_means
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import ConfigurationError


def means_table(rows, chosen):
    """Write the means of each group and system as Markdown.

    How many files could not enter a mean is said below the table.

    Arguments
    ---------
    rows : list of dict
        From ``evaluate_files``.
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
    >>> row = {**row, "kbps": 6.0, "rtf": 0.5}
    >>> rows = [{**row, "system": "A", "lsd": 1.0}]
    >>> rows.append({**row, "system": "B", "lsd": 2.0})
    >>> print(means_table(rows, choose_metrics(["lsd"])[0]))
    ### all: 1 file, 0.03 minutes
    <BLANKLINE>
    | system | kbps | real-time factor ↓ | LSD to 8 kHz ↓ |
    | --- | --- | --- | --- |
    | A | 6.00 | 0.500 | 1.000 |
    | B | 6.00 | 0.500 | 2.000 |
    <BLANKLINE>
    """
    return "\n".join(map(_group_section, group_means(rows, chosen)))


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

    Raises
    ------
    ConfigurationError
        If the file is something else.
    """
    texts = {"id", "group", "system", "settings"}
    if not Path(csv_path).exists():
        return []
    try:
        with Path(csv_path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not texts <= set(reader.fieldnames or ()):
                raise _foreign(csv_path)
            rows = [
                {
                    key: value if key in texts else float(value)
                    for key, value in row.items()
                }
                for row in reader
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise _foreign(csv_path) from error
    return rows


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


def _foreign(csv_path):
    """Say that a file is not ours."""
    return ConfigurationError(
        f"{csv_path} is no table of an earlier evaluation: "
        "remove it or name another folder"
    )


def _group_section(group):
    """Write the tables of one group of files."""
    many = group.num_files > 1
    lines = [
        f"### {group.name}: {group.num_files} file{'s'[:many]}, "
        f"{group.seconds / 60:.2f} minutes"
    ]
    for columns in group.tables:
        headings = " | ".join(column.heading for column in columns)
        lines += ["", f"| system | {headings} |"]
        lines.append("| --- " * (1 + len(columns)) + "|")
        for system in group.systems:
            cells = [
                format_mean(column.means[system], column.digits)
                for column in columns
            ]
            lines.append(f"| {system} | {' | '.join(cells)} |")
    low, high = group.bands
    if low != high:
        lines += [
            "",
            "In band: up to each file's own real band, "
            f"{low / 1000:g} to {high / 1000:g} kHz.",
        ]
    left_out = [
        f"{column.heading} {column.left_out}"
        for columns in group.tables
        for column in columns
        if 0 < column.left_out < group.num_files
    ]
    if left_out:
        lines += [
            "",
            f"Of {group.num_files} files, left out of a mean because the "
            "metric finds nothing to judge (too short, silent, or no English "
            f"transcript): {'; '.join(left_out)}.",
        ]
    return "\n".join(lines) + "\n"
