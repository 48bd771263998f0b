"""Pictures of an evaluation: its means, and single spectrograms.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain_apcodec.evaluation.means import (
    Column,
    GroupMeans,
    format_mean,
)
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.figures import (
    DYNAMIC_RANGE,
    spectrogram_decibels,
)
from speechbrain_apcodec.utils.types import Wav

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS_PER_ROW = 4
_GREY = "#808080"  # readable on white and on black


def means_figure(groups: Sequence[GroupMeans]) -> Figure:
    """Draw a panel for each metric, with a bar for each system and group."""
    from matplotlib.figure import Figure

    systems = groups[0].systems
    panels = {
        column.key: column for columns in groups[0].tables for column in columns
    }
    columns = min(_PANELS_PER_ROW, len(panels))
    rows = math.ceil(len(panels) / columns)
    height = 0.9 + 0.28 * len(systems) * max(1, 0.8 * len(groups))
    figure = Figure(
        figsize=(0.9 + 3.2 * columns, 0.5 + height * rows),
        dpi=120,
        layout="constrained",
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.reshape(-1)[len(panels) :]:
        axes.remove()
    for axes, key in zip(grid.reshape(-1), panels, strict=False):
        _draw_panel(axes, panels[key], groups)
    grid[0, 0].set_yticks(range(len(systems)), systems)
    grid[0, 0].invert_yaxis()  # the first system on top
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(groups),
        fontsize=9,
        frameon=False,
    )
    return figure


def save_means(path: Path, groups: Sequence[GroupMeans]) -> None:
    """Save :func:`means_figure` as a picture."""
    with atomic_path(path) as temporary:
        means_figure(groups).savefig(temporary)


def save_spectrogram(
    path: Path, wav: Wav, sample_rate: int, loudest: float
) -> None:
    """Draw a spectrogram for a page that may be light or dark.

    ``loudest`` is the level of the brightest colour in dB: pictures that
    share it can be compared.
    """
    from matplotlib.figure import Figure

    decibels, seconds = spectrogram_decibels(wav, sample_rate)
    figure = Figure(figsize=(3.4, 1.9), dpi=200, layout="constrained")
    axes = figure.subplots()
    axes.imshow(
        decibels.numpy(),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=loudest - DYNAMIC_RANGE,
        vmax=loudest,
        extent=(0, max(seconds, 1e-3), 0, sample_rate / 2000),
    )
    axes.set_ylabel("frequency [kHz]", color=_GREY, fontsize=8)
    axes.set_xlabel("time [s]", color=_GREY, fontsize=8)
    axes.tick_params(colors=_GREY, labelsize=8)
    axes.spines[:].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, transparent=True)


def _draw_panel(
    axes: Axes, panel: Column, groups: Sequence[GroupMeans]
) -> None:
    """Draw the bars of one metric, each with its number."""
    thickness = 0.8 / len(groups)
    for index, group in enumerate(groups):
        means = next(
            column.means
            for columns in group.tables
            for column in columns
            if column.key == panel.key
        )
        values = [means[system] for system in groups[0].systems]
        offset = (index - (len(groups) - 1) / 2) * thickness
        bars = axes.barh(
            [number + offset for number in range(len(values))],
            [0 if math.isnan(value) else value for value in values],
            height=0.9 * thickness,
            color=f"C{index}",
            label=f"{group.name}, spectra {group.scope}",
        )
        axes.bar_label(
            bars,
            [format_mean(value, panel.digits) for value in values],
            padding=3,
            fontsize=8,
        )
    axes.set_title(panel.title, fontsize=10)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.25)
    axes.tick_params(labelsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3, linewidth=0.5)
    axes.set_axisbelow(True)
