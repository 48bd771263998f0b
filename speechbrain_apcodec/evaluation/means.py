"""The means of an evaluation's rows.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """The means of one figure, for each system.

    Arguments
    ---------
    key : str
        Its name in the rows.
    title : str
        What it is; an arrow says which way is better.
    digits : int
        Decimals to print.
    means : dict
        System to float, NaN where there is none.
    left_out : int
        Files that do not enter, since not every system has a number there.
    scope : str
        Which band it covers, where that matters.

    Example
    -------
    >>> Column("lsd", "LSD ↓", 3, {"A": 1.0}, scope="to 8 kHz").heading
    'LSD to 8 kHz ↓'
    """

    key: str
    title: str
    digits: int
    means: dict
    left_out: int = 0
    scope: str = ""

    @property
    def heading(self):
        """The title with the scope in it."""
        if not self.scope:
            return self.title
        words, arrow = self.title.rsplit(" ", 1)
        return f"{words} {self.scope} {arrow}"


@dataclass(frozen=True)
class GroupMeans:
    """What the rows of one group of files come to.

    Arguments
    ---------
    name : str
        Of the group.
    num_files : int
        How many files it has.
    seconds : float
        How long they are together.
    bands : tuple of float
        Lowest and highest frequency up to which its files were scored, Hz.
    scope : str
        The same in words.
    systems : list of str
        In the order of the rows.
    tables : list of list of Column
        First that of all metrics of one figure, then one for each metric of
        several parts.
    """

    name: str
    num_files: int
    seconds: float
    bands: tuple
    scope: str
    systems: list
    tables: list


def group_means(rows, chosen):
    """Take the means of each group and system.

    A metric's mean is taken over the files for which every system has a
    number, so that all systems are judged by the same files. The real-time
    factor is that of all files together, a word error rate that of all their
    words.

    Arguments
    ---------
    rows : list of dict
        From ``evaluate_files``.
    chosen : dict
        Name to ``Metric``.

    Returns
    -------
    list of GroupMeans

    Example
    -------
    >>> from speechbrain_apcodec.evaluation.scores import choose_metrics
    >>> row = {"group": "all", "id": "a", "seconds": 2.0, "band_hz": 8000.0}
    >>> row = {**row, "system": "A", "kbps": 6.0, "rtf": 0.5, "lsd": 1.0}
    >>> group, = group_means([row], choose_metrics(["lsd"])[0])
    >>> {column.heading: column.means["A"] for column in group.tables[0]}
    {'kbps': 6.0, 'real-time factor ↓': 0.5, 'LSD to 8 kHz ↓': 1.0}
    """
    groups = []
    for name in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == name]
        groups.append(_one_group(name, members, chosen))
    return groups


def format_mean(mean, digits):
    """Write a mean; a dash where there is none.

    Arguments
    ---------
    mean : float
        Maybe NaN.
    digits : int
        Decimals.

    Returns
    -------
    str

    Example
    -------
    >>> format_mean(1.25, 1), format_mean(math.nan, 1)
    ('1.2', '–')
    """
    return "–" if math.isnan(mean) else f"{mean:.{digits}f}"


def _one_group(name, rows, chosen):
    """Take the means of one group of files."""
    names = list(dict.fromkeys(row["id"] for row in rows))
    by_system = {}
    for row in rows:
        by_system.setdefault(row["system"], {})[row["id"]] = row
    first = by_system[rows[0]["system"]]
    bands = sorted(row["band_hz"] for row in first.values())
    seconds = sum(row["seconds"] for row in first.values())
    scope = f"to {bands[0] / 1000:g} kHz"
    if bands[0] != bands[-1]:
        scope = "in band"

    def column(key, title, digits, scope="", weight=None):
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


def _headings(row, chosen, scope):
    """Return what ``column`` takes, for each table's columns.

    The first table holds the metrics of one figure, each metric of several
    parts has the next one.
    """
    single, parted = [], []
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


def _mean(values, weights):
    """Return the weighted mean, NaN of nothing."""
    products = (v * w for v, w in zip(values, weights, strict=True))
    return sum(products) / sum(weights) if values else math.nan
