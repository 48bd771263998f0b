"""Pictures: what they show, and that they appear whole or not at all."""

import math

import pytest
import torch

from speechbrain_apcodec.utils import figures


def tone(frequency, sample_rate=16000, seconds=0.5, amplitude=1.0):
    time = torch.arange(int(seconds * sample_rate)) / sample_rate
    return amplitude * torch.sin(2 * math.pi * frequency * time)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000])
def test_level_and_place_of_a_tone(sample_rate):
    wav = tone(1000, sample_rate, amplitude=0.1)
    decibels, seconds = figures.spectrogram_decibels(wav, sample_rate)
    middle = decibels[:, decibels.shape[1] // 2]
    peak = middle.argmax() * sample_rate / 2 / (len(middle) - 1)
    assert abs(peak - 1000) <= sample_rate / 2 / (len(middle) - 1)
    assert middle.max() == pytest.approx(-20, abs=1.5)
    assert seconds == 0.5


@pytest.mark.parametrize("samples", [0, 1, 100, 400000])
def test_any_length_gives_a_picture_of_bounded_width(samples):
    decibels, _ = figures.spectrogram_decibels(torch.ones(samples), 16000)
    assert 1 <= decibels.shape[1] <= figures.MAX_COLUMNS + 1
    assert torch.isfinite(decibels).all()


def test_a_broken_waveform_can_still_be_drawn():
    wav = tone(1000)
    wav[100] = math.nan
    wav[200] = math.inf
    image = figures.spectrogram_image(wav, 16000)
    assert torch.isfinite(image).all()


def test_image_has_low_frequencies_at_the_bottom():
    image = figures.spectrogram_image(tone(1000), 16000)
    brightness = image.sum(dim=0).mean(dim=1)
    assert brightness.argmax() > 0.8 * len(brightness)
    assert image.min() >= 0 and image.max() <= 1


def test_rows_share_scales_and_reach_nyquist():
    rows = {
        "original": tone(1000),
        "decoded": tone(1000, seconds=0.4, amplitude=0.1),
    }
    figure = figures.spectrogram_rows_figure(rows, 16000)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
    assert titles == ["original", "decoded"]
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert images[0].get_clim() == images[1].get_clim()
    assert images[0].get_extent() == pytest.approx((0, 0.5, 0, 8))
    assert images[1].get_extent() == pytest.approx((0, 0.4, 0, 8))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, 0.5)


@pytest.mark.parametrize("count", [0, figures.MAX_ROWS + 1])
def test_too_few_or_many_rows_are_refused(count):
    rows = {str(index): tone(1000) for index in range(count)}
    with pytest.raises(ValueError, match="1 to 12 spectrograms"):
        figures.spectrogram_rows_figure(rows, 16000)


def test_curves_are_grouped_by_quantity():
    history = {
        "train/mel": [(step, 2.0 - step / 1000) for step in range(1000)],
        "valid/mel": [(500, 1.6), (999, 1.1)],
        "train/perplexity/1": [(0, 1.0), (1000, 900.0)],
        "train/perplexity/2": [(0, 1.0), (1000, 800.0)],
        "lr": [(0, 1e-3), (1000, 9e-4)],
    }
    figure = figures.loss_curves_figure(history)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["mel", "perplexity", "lr"]
    mel, perplexity, rate = figure.axes
    # The long curve is drawn twice: as it is, and its running mean.
    labels = [text.get_text() for text in mel.get_legend().get_texts()]
    assert labels == ["train", "valid"]
    assert len(mel.lines) == 3
    labels = [text.get_text() for text in perplexity.get_legend().get_texts()]
    assert labels == ["train 1", "train 2"]
    assert perplexity.get_yscale() == "log"
    assert mel.get_yscale() == rate.get_yscale() == "linear"


def test_running_mean_follows_a_line_and_skips_gaps():
    values = [float(index) for index in range(9)]
    assert figures._running_mean(values, 3)[1:-1] == values[1:-1]
    values[4] = math.nan
    assert figures._running_mean(values, 3)[4] == 4.0


def test_values_that_are_not_finite_are_gaps():
    points = [(0, 1.0), (1, math.nan), (2, math.inf), (3, 0.5)]
    (axes,) = figures.loss_curves_figure({"train/mel": points}).axes
    drawn = axes.lines[0].get_ydata()
    assert [math.isnan(value) for value in drawn] == [False, True, True, False]


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="history is empty"):
        figures.loss_curves_figure({})


def test_pictures_are_files(tmp_path):
    figures.save_spectrogram_rows(
        tmp_path / "rows.png", {"a tone": tone(500)}, 16000, title="a row"
    )
    figures.save_loss_curves(tmp_path / "curves.pdf", {"train/mel": [(0, 1.0)]})
    assert (tmp_path / "rows.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_picture_leaves_the_old_one(tmp_path):
    path = tmp_path / "curves.nonsense"
    path.write_text("old")
    with pytest.raises(ValueError):
        figures.save_loss_curves(path, {"train/mel": [(0, 1.0)]})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
