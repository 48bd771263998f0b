"""The benchmarks measure what they say, on networks that take no time."""

from argparse import Namespace
from functools import partial

import pytest
import torch

import benchmarks.systems
from benchmarks.measure import Table, build
from benchmarks.speed import COLUMNS, draw, measure_offline
from benchmarks.training_step import Step, literal_step
from tests.benchmarks.test_literal import SMALL, WAV

CPU = partial(torch.autocast, "cpu", torch.bfloat16, enabled=False)


def test_steps_of_all_kinds_move_the_weights_alike():
    parts = build(names=("codec", "discriminators", "loss"), **SMALL)
    before = torch.cat([p.flatten() for p in parts[0].parameters()]).detach()
    moved = []
    for make in (Step, partial(Step, fused=False, thrifty=False)):
        step = make(parts, CPU)
        step(WAV.repeat(2, 1))
        weights = [p.flatten() for p in step.codec.parameters()]
        moved.append(torch.cat(weights).detach() - before)
    assert moved[0].abs().max() > 1e-5
    # AdamW's first step is the sign of a gradient, which may be nothing.
    alike = (moved[0] - moved[1]).abs() < 1e-6
    assert alike.float().mean() > 0.99
    literal_step(parts, CPU)(WAV.repeat(2, 1))


@pytest.mark.filterwarnings("ignore")
def test_offline_rows_are_complete(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmarks.systems, "build", partial(build, **SMALL))
    names = ["literal", "APCodec", "APCodec, bf16"]
    arguments = Namespace(device="cpu", systems=names, rounds=1, scale=0.1)
    monkeypatch.setattr("benchmarks.measure.PRODUCT_SIZE", 64)
    table = Table(tmp_path / "speed.csv", COLUMNS, keys=4)
    measure_offline(table, arguments, threads=1, batch=2)
    measure_offline(table, arguments, threads=1, batch=1)
    for batch in (1, 2):
        for name in names:
            for direction in ("encode", "decode", "encoder", "decoder"):
                assert table.has(1, batch, name, direction)
    row = next(r for r in table if r["system"] == "APCodec")
    audio, seconds = float(row["seconds of audio"]), float(row["median (s)"])
    speed = float(row["times real time"])
    assert speed == pytest.approx(audio / seconds, rel=1e-2)
    achieved = float(row["GMAC/s of audio"]) * speed
    assert float(row["achieved GMAC/s"]) == pytest.approx(achieved, rel=1e-2)
    draw(table, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 1000
