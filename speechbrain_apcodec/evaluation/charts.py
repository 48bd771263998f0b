"""Pictures of an evaluation: its means, and single spectrograms.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

from speechbrain_apcodec.evaluation.means import format_mean
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.figures import (
    DYNAMIC_RANGE,
    spectrogram_decibels,
)

PANELS_A_ROW = 4
GREY = "#808080"  # to be read on white and on black


def means_figure(groups):
    """Draw a panel for each figure: a bar for each system and group.

    Arguments
    ---------
    groups : list of GroupMeans
        From ``means.group_means``.

    Returns
    -------
    matplotlib.figure.Figure

    Example
    -------
    >>> from speechbrain_apcodec.evaluation.means import Column, GroupMeans
    >>> columns = [Column("stoi", "STOI ↑", 2, {"A": 0.9, "B": math.nan})]
    >>> group = GroupMeans(
    ...     "all", 1, 2.0, (8e3, 8e3), "to 8 kHz", ["A", "B"], [columns]
    ... )
    >>> [axes.get_title() for axes in means_figure([group]).axes]
    ['STOI ↑']
    """
    from matplotlib.figure import Figure

    systems = groups[0].systems
    panels = {
        column.key: column for columns in groups[0].tables for column in columns
    }
    columns = min(PANELS_A_ROW, len(panels))
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


def save_means(path, groups):
    """Save :func:`means_figure` as a picture.

    Arguments
    ---------
    path : str or pathlib.Path
        Its suffix chooses the format.
    groups : list of GroupMeans
        From ``means.group_means``.
    """
    with atomic_path(path) as temporary:
        means_figure(groups).savefig(temporary)


def save_spectrogram(path, wav, sample_rate, loudest):
    """Draw one spectrogram for a page that may be light or dark.

    Arguments
    ---------
    path : str or pathlib.Path
        A ``.png`` file.
    wav : torch.Tensor
        Waveform ``[T]``.
    sample_rate : int
        In Hz.
    loudest : float
        Level of the brightest colour, dB: pictures that share it can be
        compared.
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
    axes.set_ylabel("frequency [kHz]", color=GREY, fontsize=8)
    axes.set_xlabel("time [s]", color=GREY, fontsize=8)
    axes.tick_params(colors=GREY, labelsize=8)
    axes.spines[:].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, transparent=True)


def _draw_panel(axes, panel, groups):
    """Draw the bars of one figure, each with its number."""
    thickness = 0.8 / len(groups)
    for index, group in enumerate(groups):
        means = next(
            column.means
            for columns in group.tables
            for column in columns
            if column.key == panel.key
        )
        values = [means[system] for system in groups[0].systems]
        middle = (index - (len(groups) - 1) / 2) * thickness
        bars = axes.barh(
            [place + middle for place in range(len(values))],
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
