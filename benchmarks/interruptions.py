"""Kill commands at random moments, or fill the disk, and see what is left.

Each command runs once undisturbed. Then it is killed (SIGKILL) at a random
moment of that time, and run again; and it runs where files may not grow
beyond a random size, and again where they may. Under a final name there must
never be anything else than what the undisturbed run wrote, and the second run
has to end with just that::

    python -m benchmarks.interruptions MODEL interruptions.json --count 50

With ``--disk FOLDER``, on a small file system of its own such as a tmpfs, it
is filled instead, but for a random rest.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy
import soundfile
import torch

# The commands would import them, each anew.
import speechbrain_apcodec.corpus.extraction
import speechbrain_apcodec.files.coding
import speechbrain_apcodec.release.export
import speechbrain_apcodec.training.recorded_brain  # noqa: F401
from speechbrain_apcodec.cli.main import main as apcodec
from speechbrain_apcodec.utils.atomic import read_json, write_json
from tests.training.tiny_run import TINY

#: A training that takes seconds.
TRAINING = TINY | {
    "data_folder": "data",
    "output_folder": "out",
    "cache_folder": "cache",
    "split_unit": "file",
    "number_of_epochs": 1,
    "valid_batch_size": 2,
    "warmup_steps": 1,
    "discriminator_start": 3,
    "num_prepare_jobs": 1,
}

#: From a command to its arguments; each writes ``out`` or ``out.*``.
COMMANDS = {
    "encode": "encode speech.wav out.apc --model MODEL",
    "decode": "decode speech.apc out.wav --model MODEL",
    "tokens": "tokens data out --model MODEL --batch-seconds 1",
    "export": "export MODEL out",
    "train": " ".join(
        [
            "train AudioFolder/mini",
            *(
                f"--{key}={json.dumps(value, separators=(',', ':'))}"
                for key, value in TRAINING.items()
            ),
            "--ckpt_interval_minutes=0 --ckpt_interval_steps=1"
            " --noprogressbar --device=cpu",
        ]
    ),
}

#: How a command is disturbed.
KINDS = ("killed", "full")


def write_inputs(folder, model):
    """Write what the commands read.

    Arguments
    ---------
    folder : pathlib.Path
        Where they will run.
    model : pathlib.Path
        Folder of a tiny model.
    """
    (folder / "data").mkdir(parents=True)
    shutil.copytree(model, folder / "MODEL")
    rng = numpy.random.default_rng(0)
    for number in range(8):
        wav = rng.normal(0, 0.1, 24000)
        soundfile.write(folder / "data" / f"{number}.wav", wav, 48000)
    wav = rng.normal(0, 0.1, (96_000, 2))
    soundfile.write(folder / "speech.wav", wav, 48000)
    command = "encode speech.wav speech.apc --model MODEL"
    ended = run(command, folder)
    if ended.code != 0:
        raise RuntimeError(ended.said)


@dataclass
class Ended:
    """How a command ended: exit code (less than 0: signal), and its time."""

    code: int
    seconds: float
    said: str


def run(command, folder, kill_after=None, most_bytes=None):
    """Run a command in a process of its own.

    Arguments
    ---------
    command : str
        Of ``COMMANDS``.
    folder : pathlib.Path
        Where.
    kill_after : float, optional
        Seconds.
    most_bytes : int, optional
        Most bytes of any file.

    Returns
    -------
    Ended
    """
    start = time.monotonic()
    # Not where the disk may be full.
    with tempfile.TemporaryFile() as said:
        process = os.fork()  # what is imported need not be so once more
        if process == 0:
            _be_the_command(command, folder, said.fileno(), most_bytes)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        said.seek(0)
        return Ended(
            os.waitstatus_to_exitcode(status),
            time.monotonic() - start,
            said.read().decode(errors="replace"),
        )


def _be_the_command(command, folder, said, most_bytes):
    code = 1
    try:
        os.chdir(folder)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
        if most_bytes is not None:
            limits = most_bytes, resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        code = apcodec(command.split())
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def final_files(folder):
    """Read what stands under a final name.

    Arguments
    ---------
    folder : pathlib.Path
        Where a command ran.

    Returns
    -------
    dict
        From names to contents. Of a training these are the lines of its
        record; its checkpoints are loaded, so that a damaged one raises.
    """
    found = {}
    for path in sorted([*folder.glob("out.*"), *folder.glob("out/**/*")]):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and "unfinished" not in str(name):
            found[str(name)] = path.read_bytes()
    if "out/hyperparams.yaml" not in found or "out/config.json" in found:
        return found
    for name in found:
        checkpoint = (folder / name).parent
        is_whole = (checkpoint / "CKPT.yaml").exists()
        if is_whole and found[name][:2] == b"PK":
            torch.load(folder / name, weights_only=False, map_location="cpu")
    history = found.get("out/history.jsonl", b"").decode().splitlines(True)
    return {f"line {number:03}": line for number, line in enumerate(history)}


def disturb(name, inputs, expected, folder, **disturbance):
    """Disturb a command, and run it again.

    Arguments
    ---------
    name : str
        Of ``COMMANDS``.
    inputs : pathlib.Path
        From ``write_inputs``.
    expected : dict
        The ``final_files`` of an undisturbed run.
    folder : pathlib.Path
        Where to run; is removed.
    **disturbance : object
        For ``run``; or ``free_bytes``, which are left on the disk.

    Returns
    -------
    str
        ``undisturbed``, ``absent``, ``in part`` or ``complete`` by what
        stood under final names, or what is ``WRONG``.
    """
    shutil.copytree(inputs, folder)
    filler, free_bytes = None, disturbance.pop("free_bytes", None)
    try:
        if free_bytes is not None:
            filler = fill(folder.parent, free_bytes)
        ended = run(COMMANDS[name], folder, **disturbance)
        if filler is not None:
            filler.unlink()
        found = final_files(folder)
        wrong = {key for key in found if found[key] != expected.get(key)}
        if wrong:
            return f"WRONG: {sorted(wrong)[0]} is damaged"
        if ended.code not in (0, 2, -signal.SIGKILL):
            return f"WRONG: exit code {ended.code}, {ended.said[-300:]}"
        if ended.code == 2 and "error: " not in ended.said.splitlines()[-1]:
            return f"WRONG: {ended.said[-300:]}"
        if ended.code == 0:
            return "undisturbed" if found == expected else "WRONG: incomplete"
        again = run(COMMANDS[name], folder)
        was_complete = found == expected and "exists" in again.said
        if again.code != 0 and not (was_complete or name == "export"):
            return f"WRONG: then exit code {again.code}, {again.said[-300:]}"
        if final_files(folder) != expected:
            return "WRONG: then something else"
        if found == expected:
            return "complete"
        return "in part" if found else "absent"
    finally:
        if filler is not None:
            filler.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def fill(disk, free_bytes):
    """Fill a file system but for some bytes; return the file that does."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = shutil.disk_usage(disk).free - free_bytes
        if free > 0:
            os.posix_fallocate(file.fileno(), 0, free)
    return filler


def interrupt(
    model, count, names=tuple(COMMANDS), seed=0, disk=None, kinds=KINDS
):
    """Disturb commands ``count`` times each way.

    Arguments
    ---------
    model : pathlib.Path
        Folder of a tiny model.
    count : int
        How often.
    names : list of str
        Of ``COMMANDS``.
    seed : int
        Of the moments and sizes.
    disk : pathlib.Path, optional
        Small file system that is filled; default: files may not grow.
    kinds : list of str
        Of ``KINDS``.

    Returns
    -------
    dict
        From a command and a disturbance to how often each outcome was.
    """
    rng = numpy.random.default_rng(seed)
    figures = {}
    with tempfile.TemporaryDirectory() as root:
        inputs = Path(root) / "inputs"
        write_inputs(inputs, model)
        for name in names:
            whole = Path(root) / name
            shutil.copytree(inputs, whole)
            undisturbed = run(COMMANDS[name], whole)
            if undisturbed.code != 0:
                raise RuntimeError(undisturbed.said)
            expected = final_files(whole)
            sizes = [path.stat().st_size for path in whole.glob("out*/**/*")]
            sizes += [path.stat().st_size for path in whole.glob("out*")]
            shutil.rmtree(whole)
            for kind in kinds:
                outcomes = Counter()
                for number in range(count):
                    folder = Path(root) / f"{name}-{number}"
                    if kind == "killed":
                        seconds = rng.uniform(0, undisturbed.seconds)
                        disturbance = {"kill_after": seconds}
                    elif disk is None:
                        most = int(rng.uniform(0, max(sizes)))
                        disturbance = {"most_bytes": most}
                    else:
                        folder = disk / folder.name
                        free = int(rng.uniform(0, sum(sizes)))
                        disturbance = {"free_bytes": free}
                    outcome = disturb(
                        name, inputs, expected, folder, **disturbance
                    )
                    outcomes[outcome] += 1
                place = kind if disk is None else f"{kind} disk"
                figures[f"{name}, {place}"] = dict(sorted(outcomes.items()))
                print(f"{name}, {kind}:", dict(outcomes), flush=True)
    return figures


def main():
    """Disturb all of them, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--disk", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures = interrupt(
        arguments.model,
        arguments.count,
        arguments.commands,
        arguments.seed,
        arguments.disk,
        arguments.kinds,
    )
    if arguments.output.exists():
        figures = read_json(arguments.output) | figures
    write_json(arguments.output, dict(sorted(figures.items())))


if __name__ == "__main__":
    main()
