"""The recipe's script in a process that may be killed, or be one of two.

``KILL_AFTER_STEP=N`` kills it with SIGKILL once step N is in the record.
``DUMP_FOLDER=PATH`` saves what each rank has at the end of the training.
``RECIPE_FOLDER=PATH`` runs another recipe than the codec's.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

import torch

from speechbrain_apcodec.training.brain import CodecBrain
from speechbrain_apcodec.training.history import History
from tests.training.tiny_run import RECIPE as CODEC_RECIPE

recipe = Path(os.environ.get("RECIPE_FOLDER", CODEC_RECIPE))
kill_after = int(os.environ.get("KILL_AFTER_STEP", -1))
dump_folder = os.environ.get("DUMP_FOLDER")
append = History.append
on_evaluate_start = CodecBrain.on_evaluate_start


def append_and_die(self, stage, step, stats):
    append(self, stage, step, stats)
    if stage == "train" and step == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)


def dump(brain):
    state = {
        "codec": brain.codec.state_dict(),
        "discriminators": {
            key.removeprefix("module."): value
            for key, value in brain.modules.discriminators.state_dict().items()
        },
        "ema": brain.ema.module.state_dict(),
        "pool": brain.health.pool,
        "counts": brain.health.counts,
    }
    if brain.distillation is not None:
        teacher = brain.distillation.teacher
        state["projections"] = brain.distillation.projections.state_dict()
        state["teacher_trains"] = teacher.training or any(
            p.requires_grad for p in teacher.parameters()
        )
    torch.save(state, Path(dump_folder) / f"rank{brain.rank}.pt")


def dump_and_start(self, *args, **kwargs):
    dump(self)
    on_evaluate_start(self, *args, **kwargs)


History.append = append_and_die
if dump_folder:
    # Before the evaluation, which loads a checkpoint on all ranks.
    CodecBrain.on_evaluate_start = dump_and_start
sys.path.insert(0, str(recipe))
sys.argv[0] = str(recipe / "train.py")
runpy.run_path(sys.argv[0], run_name="__main__")
if torch.distributed.is_initialized():
    sys.exit("the process group was left open")
