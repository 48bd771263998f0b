"""Pictures: spectrograms side by side, and curves of a training run.

Matplotlib is imported when the first picture is drawn, and only its
``Figure`` objects are used: no window, no global state, nothing to close.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.types import AnyPath, Wav

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A curve's (step, value), and a run's curves by name.
Points: TypeAlias = Sequence[tuple[float, float]]
History: TypeAlias = Mapping[str, Points]

DYNAMIC_RANGE = 90.0  # dB below the loudest point; darker is one black
_WINDOW_SECONDS = 0.032  # resolves the harmonics of a low voice
MAX_COLUMNS = 1200  # more than a picture's width in pixels helps nobody
MAX_ROWS = 12
_RAW_POINTS = 60  # longer curves are drawn faint, their running mean on top


def spectrogram_decibels(wav: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    """Return the power spectrogram in dB, and the waveform's seconds.

    A full-scale sine has 0 dB; [bins, frames] reach from 0 Hz to Nyquist, and
    down to -140 dB. The window lasts about 32 ms. Long recordings get a longer
    hop, so that a picture costs the same for a word and for an hour.
    """
    wav = torch.as_tensor(wav).detach().float().cpu().reshape(-1)
    # A model that diverged shall be seen, not crash the run that draws it.
    wav = torch.nan_to_num(wav, nan=0.0, posinf=0.0, neginf=0.0)
    n_fft = 2 ** round(math.log2(_WINDOW_SECONDS * sample_rate))
    hop_length = max(n_fft // 4, math.ceil(wav.numel() / MAX_COLUMNS))
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(
        torch.nn.functional.pad(wav, (n_fft // 2, n_fft // 2)),
        n_fft,
        hop_length,
        window=window,
        center=False,
        return_complex=True,
    )
    amplitude = spectrum.abs() * 2 / window.sum()
    decibels = 20 * torch.log10(amplitude.clamp_min(1e-7))
    return decibels, wav.numel() / sample_rate


def spectrogram_image(wav: Wav, sample_rate: int) -> Tensor:
    """Colour a spectrogram: float [3, bins, frames] from 0 to 1.

    Low frequencies are at the bottom, as ``SummaryWriter.add_image`` wants it.
    """
    from matplotlib import colormaps

    decibels, _ = spectrogram_decibels(wav, sample_rate)
    level = (decibels - decibels.max()) / DYNAMIC_RANGE + 1
    colours = colormaps["magma"](level.clamp(0, 1).flip(0).numpy())
    return torch.from_numpy(colours[..., :3]).float().permute(2, 0, 1)


def spectrogram_rows_figure(
    rows: Mapping[str, Wav], sample_rate: int, title: str | None = None
) -> Figure:
    """Draw labelled spectrograms above each other, on the same scales."""
    from matplotlib.figure import Figure

    if not 1 <= len(rows) <= MAX_ROWS:
        raise ValueError(
            f"a picture holds 1 to {MAX_ROWS} spectrograms, not {len(rows)}"
        )
    pictures = {
        label: spectrogram_decibels(wav, sample_rate)
        for label, wav in rows.items()
    }
    loudest = max(decibels.max().item() for decibels, _ in pictures.values())
    longest = max(seconds for _, seconds in pictures.values())
    figure = Figure(
        figsize=(10, 0.8 + 2.6 * len(rows)), dpi=120, layout="constrained"
    )
    grid = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, (decibels, seconds)) in zip(
        grid, pictures.items(), strict=True
    ):
        image = axes.imshow(
            decibels.numpy(),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=loudest - DYNAMIC_RANGE,
            vmax=loudest,
            extent=(0, max(seconds, 1e-3), 0, sample_rate / 2000),
        )
        axes.set_title(label, loc="left", fontsize=10)
        axes.set_ylabel("frequency [kHz]")
        axes.set_xlim(0, max(longest, 1e-3))
        axes.set_facecolor("black")
    grid[-1].set_xlabel("time [s]")
    figure.colorbar(
        image, ax=list(grid), label="level [dB]", pad=0.01, aspect=50
    )
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def save_spectrogram_rows(
    path: AnyPath,
    rows: Mapping[str, Wav],
    sample_rate: int,
    title: str | None = None,
) -> None:
    """Save :func:`spectrogram_rows_figure`; the suffix chooses the format."""
    _save(path, spectrogram_rows_figure(rows, sample_rate, title))


def loss_curves_figure(history: History, title: str | None = None) -> Figure:
    """Draw every quantity of a training run in a grid of small panels.

    Names read ``STAGE/QUANTITY`` or ``STAGE/QUANTITY/PART``: the quantity
    chooses the panel, stage and part the curve in it. ``train/mel`` and
    ``valid/mel`` share a panel, and so do ``train/perplexity/1`` to
    ``train/perplexity/4``. Values that are not finite are drawn as gaps.
    """
    from matplotlib.figure import Figure

    panels: dict[str, list[tuple[str, str, Points]]] = {}
    for name, points in history.items():
        stage, quantity, part = _parse_name(name)
        panels.setdefault(quantity, []).append((stage, part, points))
    if not panels:
        raise ValueError("no curves to draw: the history is empty")
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(
        figsize=(4.4 * columns, 0.4 + 2.7 * rows),
        dpi=120,
        layout="constrained",
    )
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes in grid[len(panels) :]:
        axes.remove()
    for axes, (quantity, curves) in zip(grid, panels.items(), strict=False):
        _draw_panel(axes, quantity, curves)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def save_loss_curves(
    path: AnyPath, history: History, title: str | None = None
) -> None:
    """Save :func:`loss_curves_figure`; the suffix chooses the format."""
    _save(path, loss_curves_figure(history, title))


def save_attention(
    path: AnyPath, attention: Tensor, pieces: Tensor, title: str | None = None
) -> None:
    """Save a picture of where a model looked in the text.

    The attention is float [steps, pieces], and each row has the sum 1; a line
    shows which piece each step said, int64 [steps].
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        attention.detach().float().cpu().T.numpy(),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
    )
    axes.plot(pieces.cpu().numpy(), color="white", linewidth=0.8)
    axes.set_xlabel("step")
    axes.set_ylabel("piece of text")
    figure.colorbar(image, ax=axes, label="attention", pad=0.01)
    if title:
        figure.suptitle(title, fontsize=11)
    _save(path, figure)


def _parse_name(name: str) -> tuple[str, str, str]:
    """Split ``stage/quantity/part``; a lone word is the quantity."""
    if "/" not in name:
        return "", name, ""
    stage, quantity = name.split("/", 1)
    quantity, _, part = quantity.partition("/")
    return stage, quantity, part


def _draw_panel(
    axes: Axes, quantity: str, curves: Sequence[tuple[str, str, Points]]
) -> None:
    """Draw one quantity: a colour for each part, dashes for validation."""
    parts = list(dict.fromkeys(part for _, part, _ in curves))
    stages = list(dict.fromkeys(stage for stage, _, _ in curves))
    finite: list[float] = []
    for stage, part, points in curves:
        steps = [step for step, _ in points]
        values = [
            float(value) if math.isfinite(value) else math.nan
            for _, value in points
        ]
        finite.extend(value for value in values if not math.isnan(value))
        index = parts.index(part) if len(parts) > 1 else stages.index(stage)
        style: dict[str, Any] = {
            "color": f"C{index % 10}",
            "linestyle": "--" if stage in ("valid", "test") else "-",
            "marker": "o" if len(points) < _RAW_POINTS // 2 else None,
            "markersize": 3,
            "linewidth": 1.3,
            "label": f"{stage} {part}".strip() or quantity,
        }
        if len(points) > _RAW_POINTS:
            axes.plot(steps, values, color=style["color"], alpha=0.25, lw=0.6)
            values = _running_mean(values, len(values) // _RAW_POINTS * 2 + 1)
        axes.plot(steps, values, **style)
    if finite and min(finite) > 0 and max(finite) > 20 * min(finite):
        axes.set_yscale("log")
    axes.set_title(quantity, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.margins(x=0.02)
    if len(curves) > 1 or curves[0][0]:
        axes.legend(fontsize=7, ncols=2 if len(curves) > 4 else 1)


def _running_mean(values: Sequence[float], width: int) -> list[float]:
    """Return the centred mean of the finite values around each point."""
    reach = width // 2
    means = []
    for index in range(len(values)):
        near = [
            value
            for value in values[max(0, index - reach) : index + reach + 1]
            if not math.isnan(value)
        ]
        means.append(sum(near) / len(near) if near else math.nan)
    return means


def _save(path: AnyPath, figure: Figure) -> None:
    """Write the figure whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
