"""Two processes on the CPU train one codec, distilled from a teacher."""

import torch

from tests.tiny_model import write_tiny_model
from tests.training.tiny_run import (
    arguments,
    checkpoints,
    history,
    run_process,
    write_corpus,
)

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]

# An epoch of 12 files has 3 steps of 2 x 2 items.
OPTIONS = ["--ckpt_interval_steps=2", "--distributed_backend=gloo"]
OVERRIDES = {
    "warmup_steps": 1,
    "discriminator_start": 2,
    "restart_every": 2,
    "quantizer_dropout": 0.5,
}


def run_on_two(folder, manifest, *options, epochs=2, **environment):
    output_folder = folder / "output"
    overrides = {**OVERRIDES, "number_of_epochs": epochs}
    done = run_process(
        arguments(
            manifest,
            output_folder,
            *OPTIONS,
            *options,
            yaml="mini_streaming_distilled.yaml",
            teacher_model=str(manifest.parent / "teacher"),
            **overrides,
        ),
        TORCHRUN,
        DUMP_FOLDER=str(folder),
        **environment,
    )
    return done, output_folder


def assert_ranks_agree(folder):
    first, second = (torch.load(folder / f"rank{rank}.pt") for rank in (0, 1))
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    return first


def test_train_stop_and_resume(tmp_path):
    manifest = write_corpus(tmp_path / "data")
    # Wider than the student: projections are trained on both ranks.
    write_tiny_model(manifest.parent / "teacher", channels=12)
    whole = tmp_path / "whole"
    whole.mkdir()
    done, output = run_on_two(whole, manifest)
    assert done.returncode == 0, done.stderr
    expected = assert_ranks_agree(whole)
    log = (output / "log.txt").read_text(encoding="utf-8")
    assert "Step 1: codebooks initialised" in log
    assert "Step 3: restarted" in log
    lines = history(output)
    train = [line for line in lines if line["stage"] == "train"]
    assert [line["step"] for line in train] == [1, 2, 3, 4, 5, 6]
    assert "mpd_discriminator" in train[2]
    assert all(line["distillation_blocks"] > 0 for line in train)
    assert not expected["teacher_trains"]
    assert expected["projections"]
    # The latents and the tokens of both ranks: 6 steps of 2 items each and
    # 7 frames an item.
    assert len(expected["pool"]) == 6 * 2 * 2 * 7

    # Killed on the first rank; torchrun ends the other.
    killed = tmp_path / "killed"
    killed.mkdir()
    done, output = run_on_two(killed, manifest, KILL_AFTER_STEP="3")
    assert done.returncode != 0
    assert len(checkpoints(output)) == 1
    done, _ = run_on_two(killed, manifest)
    assert done.returncode == 0, done.stderr
    resumed = assert_ranks_agree(killed)
    assert history(output) == lines
    torch.testing.assert_close(resumed, expected, rtol=0, atol=0)

    # It goes on, and stops within an epoch where it is told to.
    limit = "--optimizer_step_limit=8"
    done, _ = run_on_two(killed, manifest, limit, epochs=4)
    assert done.returncode == 0, done.stderr
    assert_ranks_agree(killed)
    train = [line for line in history(output) if line["stage"] == "train"]
    assert [line["step"] for line in train] == [1, 2, 3, 4, 5, 6, 7, 8]


def observe_half(rank, rendezvous, folder):
    from tests.training.test_codebook_health import make_latents

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2
    )
    save(
        folder / f"health{rank}.pt",
        lambda step: make_latents(step)[2 * rank : 2 * rank + 2],
        seed=rank,
    )
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def save(path, latents, seed):
    """Warm up, initialise and restart, and save the weights."""
    from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
    from speechbrain_apcodec.training.codebook_health import CodebookHealth

    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(
        8, num_codebooks=3, codebook_size=64, codebook_dim=8
    )
    torch.manual_seed(seed)
    health = CodebookHealth(quantizer, warmup_steps=1, restart_every=1)
    health.observe(latents(0), None)
    assert health.maintain(1).initialized
    tokens = quantizer.encode(latents(1))
    health.observe(latents(1), tokens)
    done = health.maintain(2)
    torch.save(
        {
            "weights": quantizer.state_dict(),
            "restarted": done.num_restarted,
            "pool": health.pool,
        },
        path,
    )


def test_codebooks_see_the_latents_of_all_ranks(tmp_path):
    from tests.training.test_codebook_health import make_latents

    torch.multiprocessing.spawn(
        observe_half, (str(tmp_path / "rendezvous"), tmp_path), nprocs=2
    )
    save(tmp_path / "alone.pt", make_latents, seed=7)
    first, second, alone = (
        torch.load(tmp_path / name)
        for name in ("health0.pt", "health1.pt", "alone.pt")
    )
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    # One process that sees both halves does the same.
    torch.testing.assert_close(first, alone, rtol=0, atol=0)
    assert sum(first["restarted"]) > 0
