"""The means of an evaluation's rows.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from speechbrain_apcodec.evaluation.scores import Metrics

Row: TypeAlias = dict[str, Any]
"""The figures of one file and system: ``group``, ``id`` and ``system``;
``settings``, a hash of what the row depends on; ``seconds``; ``band_hz``, up
to which it was scored; ``kbps``; ``rtf``, seconds to code and decode one
second; ``lag``; and the metrics."""


@dataclass(frozen=True)
class Column:
    """The means of one metric, for each system."""

    key: str  # in the rows
    title: str  # an arrow says which way is better
    digits: int  # decimals to print
    means: dict[str, float]  # of each system, NaN where there is none
    left_out: int = 0  # files without a number for every system
    scope: str = ""  # the band, where that matters

    @property
    def heading(self) -> str:
        """The title with the scope in it."""
        if not self.scope:
            return self.title
        words, arrow = self.title.rsplit(" ", 1)
        return f"{words} {self.scope} {arrow}"

    def cell(self, system: str) -> str:
        """Write the mean of a system."""
        return format_mean(self.means[system], self.digits)


@dataclass(frozen=True)
class GroupMeans:
    """The means of one group of files."""

    name: str
    num_files: int
    seconds: float  # total duration
    bands: tuple[float, float]  # lowest and highest scored up to, Hz
    scope: str  # the same in words
    systems: list[str]  # in the order of the rows
    #: First that of all metrics of one figure, then one for each metric of
    #: several parts.
    tables: list[list[Column]]


def group_means(rows: Sequence[Row], chosen: Metrics) -> list[GroupMeans]:
    """Compute the means of each group and system.

    The mean of a metric is over the files for which every system has a
    number, so that all systems are judged by the same files. The real-time
    factor is that of all files together, a word error rate that of all their
    words.
    """
    return [
        _one_group(name, [row for row in rows if row["group"] == name], chosen)
        for name in dict.fromkeys(row["group"] for row in rows)
    ]


def format_mean(mean: float, digits: int) -> str:
    """Write a mean with so many decimals; a dash for NaN.

    Example
    -------
    >>> format_mean(1.25, 1), format_mean(math.nan, 1)
    ('1.2', '–')
    """
    return "–" if math.isnan(mean) else f"{mean:.{digits}f}"


def _one_group(name: str, rows: Sequence[Row], chosen: Metrics) -> GroupMeans:
    """Compute the means of one group of files."""
    names = list(dict.fromkeys(row["id"] for row in rows))
    by_system: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_system.setdefault(row["system"], {})[row["id"]] = row
    first = by_system[rows[0]["system"]]
    bands = sorted(row["band_hz"] for row in first.values())
    seconds = sum(row["seconds"] for row in first.values())
    scope = f"to {bands[0] / 1000:g} kHz"
    if bands[0] != bands[-1]:
        scope = "in band"

    def column(
        key: str,
        title: str,
        digits: int,
        scope: str = "",
        weight: str | None = None,
    ) -> Column:
        judged = [
            name
            for name in names
            if all(math.isfinite(of[name][key]) for of in by_system.values())
        ]
        means = {
            system: _mean(
                [of[name][key] for name in judged],
                [of[name][weight] if weight else 1 for name in judged],
            )
            for system, of in by_system.items()
        }
        left_out = len(names) - len(judged)
        return Column(key, title, digits, means, left_out, scope)

    kbps = column("kbps", "kbps", 2)
    speed = {
        system: sum(row["rtf"] * row["seconds"] for row in of.values())
        / seconds
        for system, of in by_system.items()
    }
    single, *parted = (
        [column(*head) for head in heads]
        for heads in _headings(rows[0], chosen, scope)
    )
    single = [Column("rtf", "real-time factor ↓", 3, speed), *single]
    return GroupMeans(
        name=name,
        num_files=len(names),
        seconds=seconds,
        bands=(bands[0], bands[-1]),
        scope=scope,
        systems=list(by_system),
        tables=[[kbps, *columns] for columns in (single, *parted)],
    )


def _headings(
    row: Row, chosen: Metrics, scope: str
) -> list[list[tuple[Any, ...]]]:
    """Return the arguments of ``column``, for each column of each table.

    The first table holds the metrics of one figure; each metric of several
    parts has a table of its own.
    """
    single: list[tuple[Any, ...]] = []
    parted: list[list[tuple[Any, ...]]] = []
    for name, metric in chosen.items():
        if name in row:
            band = scope if metric.banded else ""
            weight = "words" if metric.transcript else None
            single.append((name, metric.heading, metric.digits, band, weight))
            continue
        parted.append(
            [
                (key, metric.heading.format(part), metric.digits)
                for key in row
                for start, _, part in [key.partition(" ")]
                if start == name and part
            ]
        )
    return [single, *filter(None, parted)]


def _mean(values: Sequence[float], weights: Iterable[float]) -> float:
    """Return the weighted mean, NaN of nothing."""
    products = [v * w for v, w in zip(values, weights, strict=True)]
    return sum(products) / sum(weights) if values else math.nan
