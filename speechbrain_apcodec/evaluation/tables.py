"""Rows of figures as CSV, and their means as Markdown.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.evaluation.means import (
    GroupMeans,
    Row,
    group_means,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

    from speechbrain_apcodec.evaluation.scores import Metrics
    from speechbrain_apcodec.utils.types import AnyPath


def means_table(rows: Sequence[Row], chosen: Metrics) -> str:
    """Write the means of each group and system as Markdown.

    The text below a table says how many files are left out of a mean.

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


def codebook_table(
    usage: torch.Tensor,
    perplexity: torch.Tensor,
    num_frames: int,
    codebook_size: int,
    name: str,
) -> str:
    """Write what ``measure_codebooks`` found of a model as Markdown.

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
    pairs = zip(usage.tolist(), perplexity.tolist(), strict=True)
    table = markdown_table(
        ["codebook", "entries used", f"perplexity (of {codebook_size})"],
        (
            [str(number), f"{100 * share:.1f} %", f"{spread:.1f}"]
            for number, (share, spread) in enumerate(pairs, start=1)
        ),
    )
    return (
        f"### codebooks of {name}: {num_frames} token frames of all files\n\n"
        f"{table}\n"
    )


def markdown_table(headings: Sequence[str], rows: Iterable[list[str]]) -> str:
    """Write a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in [headings, *rows]]
    lines.insert(1, "| --- " * len(headings) + "|")
    return "\n".join(lines)


def read_rows(csv_path: AnyPath) -> list[Row]:
    """Read the rows of an earlier evaluation, none if there is no file.

    All columns but those of text become floats. Raises a
    ``ConfigurationError`` if the file is something else.
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


def write_rows(csv_path: AnyPath, rows: Sequence[Row]) -> None:
    """Write one or more rows, with the columns of the first, as CSV."""
    with (
        atomic_path(csv_path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _foreign(csv_path: AnyPath) -> ConfigurationError:
    """Say that a file is not ours."""
    return ConfigurationError(
        f"{csv_path} is no table of an earlier evaluation: "
        "remove it or name another folder"
    )


def _group_section(group: GroupMeans) -> str:
    """Write the tables of one group of files."""
    many = group.num_files > 1
    lines = [
        f"### {group.name}: {group.num_files} file{'s'[:many]}, "
        f"{group.seconds / 60:.2f} minutes"
    ]
    for columns in group.tables:
        table = markdown_table(
            ["system", *(column.heading for column in columns)],
            (
                [system, *(column.cell(system) for column in columns)]
                for system in group.systems
            ),
        )
        lines += ["", table]
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
