"""The record of a run."""

import math

import pytest
import torch

from speechbrain_apcodec.training.history import History, Window


def make_window():
    window = Window()
    window.add({"loss": torch.tensor(0.1), "rare": 4.0})
    window.add({"loss": torch.tensor(0.7)})
    # Codewords 0 and 1 alternate; the second codebook is used by half.
    tokens = torch.tensor([[[0, 3], [1, -1], [0, 3], [1, -1]]])
    window.count(tokens, codebook_size=4)
    return window


def test_means_usage_and_perplexity():
    means = make_window().means()
    assert means == pytest.approx(
        {
            "loss": 0.4,
            "rare": 4.0,
            "usage_1": 0.5,
            "perplexity_1": 2.0,
            "usage_2": 0.25,
            "perplexity_2": 1.0,
        }
    )


def test_window_survives_a_checkpoint_exactly():
    window = make_window()
    restored = Window.from_state(window.state()).to("cpu")
    for each in (window, restored):
        each.add({"loss": torch.tensor(1 / 3)})
        each.count(torch.tensor([[[2, 2]]]), codebook_size=4)
    assert restored.means() == window.means()


@pytest.mark.parametrize(
    ("in_epoch", "kept"),
    [
        (False, [("train", 1), ("train", 2), ("valid", 2)]),
        (True, [("train", 1), ("train", 2)]),
    ],
)
def test_resume_drops_what_will_be_repeated(tmp_path, in_epoch, kept):
    history = History(tmp_path)
    lines = [("train", 1), ("train", 2), ("valid", 2), ("test", 2)]
    for stage, step in [*lines, ("train", 3)]:
        history.append(stage, step, {"loss": float(step)})
    with history.file.open("a") as stream:
        stream.write('{"stage": "train", "st')
    history.resume(2, in_epoch)
    text = history.file.read_text()
    assert text.endswith("}\n")
    assert text.count("\n") == len(kept)
    curves = history.curves()
    found = [
        (name.split("/")[0], step)
        for name, curve in curves.items()
        for step, _ in curve
    ]
    assert found == kept


def test_curves_share_a_panel_by_part(tmp_path):
    history = History(tmp_path)
    assert history.curves() == {}
    history.append("train", 5, {"usage_1": 0.5, "usage_2": 1.0, "mel_mae": 2.0})
    assert history.curves() == {
        "train/usage/1": [(5, 0.5)],
        "train/usage/2": [(5, 1.0)],
        "train/mel_mae": [(5, 2.0)],
    }


@pytest.mark.parametrize(
    ("later", "lines", "expected"),
    [
        (1.0, 20, True),
        (0.9, 20, False),
        (math.nan, 20, True),
        (1.0, 19, False),  # it is told at every 20th line alone
    ],
)
def test_a_term_that_falls_no_more_is_noticed(tmp_path, later, lines, expected):
    history = History(tmp_path)
    for value in 20 * [1.0] + lines * [later]:
        history.append("train", 1, {"loss": value})
    assert history.is_on_plateau("loss") is expected


def test_pictures_and_sounds(tmp_path):
    history = History(tmp_path)
    history.append("train", 1, {"loss": 1.0})
    history.append("train", 2, {"loss": 0.5})
    time = torch.arange(8000) / 16000
    wav = 0.5 * torch.sin(2 * math.pi * 440 * time)
    history.draw(wav, 0.5 * wav, 16000, step=2)
    for name in ("curves.png", "spectrograms.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    for name in ("original.wav", "decoded.wav"):
        assert (tmp_path / name).stat().st_size > 2 * 8000
