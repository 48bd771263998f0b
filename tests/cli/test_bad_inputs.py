"""What a user may get wrong: a table of commands, and what comes of each.

A row is a command line, its exit code, words of the one line that is printed,
and the folder that is left, if any: everything else is as it was. A tiny
model lies in ``MODEL``.
"""

import csv
import shutil
import struct
import subprocess
import sys

import numpy
import pytest
import soundfile

from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.files.packets import PacketWriter, StreamHeader

#: Files of every row: see ``world``.
AUDIO_FAULTS = {
    "nothing.wav": "does not exist",
    "folder": "is a folder",
    "empty.wav": "is an empty file",
    "text.wav": "is not an audio file",
    "headless.wav": "holds no samples",
    "nan.wav": "holds NaN or infinite samples",
    "integers.wav": "16-bit integers",
    "half.wav": "is truncated",
    "half.aiff": "is truncated",
    "half.au": "is truncated",
    "half.w64": "is truncated",
    "half.caf": "is truncated",
    "half.flac": "is damaged",
    "half.ogg": "is truncated",
    "half.mp3": "is truncated",
    "two.ogg": "several recordings",
    "two.flac": "several recordings",
    "rate.wav": "sampling rate of 1000000000 Hz",
}
APC_FAULTS = {
    "nothing.apc": "does not exist",
    "folder": "is a folder",
    "empty.apc": "is no .apc file",
    "speech.wav": "is no .apc file",
    "half.apc": "is truncated",
    "long.apc": "is too long",
    "flipped.apc": "is damaged",
    "version9.apc": "update speechbrain_apcodec",
}
MODEL_FAULTS = [
    "nothing",
    "folder",
    "model-half-weights",
    "model-no-weights",
    "model-text-config",
    "model-binary-config",
]
TRAINING = "train AudioFolder/mini --data_folder=data --output_folder=run"
DAMAGED = "train AudioFolder/mini --output_folder=run --split_unit=file"
VOICE = "train AudioFolder/tts_mini --output_folder=run --tokens="

# (command line, exit code, words of the message[, new folder])
ROWS = [
    *(
        (command.format(name), 2, [name, words])
        for command in ("encode {} out.apc", "roundtrip {} out.wav")
        for name, words in AUDIO_FAULTS.items()
        if (command, name) != ("encode {} out.apc", "folder")
    ),
    *(
        (f"losses {name}", 2, [name, AUDIO_FAULTS[name]])
        for name in ("nothing.wav", "folder", "empty.wav", "text.wav")
        + ("headless.wav", "nan.wav", "half.wav")
    ),
    *(
        (command.format(name), 2, [name, words])
        for command in ("decode {} out.wav", "info {}")
        for name, words in APC_FAULTS.items()
        if name != "folder"  # of tokens, or a model
    ),
    *(
        (f"encode speech.wav out.apc --model {name}", 2, name)
        for name in MODEL_FAULTS
    ),
    ("info nothing", 2, "nothing"),
    # Places where nothing may be written.
    ("encode speech.wav speech.apc", 2, "--force"),
    ("encode speech.wav -o other.wav", 2, "named .apc"),
    ("encode speech.wav -o other.wav --force", 2, "named .apc"),
    ("encode speech.wav nowhere/out.apc", 2, "nowhere is not a folder"),
    ("encode speech.wav -o other.wav/out.apc", 2, "is not a folder"),
    ("encode speech.wav data/a.wav -o out.apc", 2, "cannot go into out.apc"),
    ("encode data -o -", 2, "cannot go into standard output"),
    ("encode folder", 2, "folder holds no file to code"),
    ("encode no*.wav", 2, "no file matches no*.wav"),
    (f"encode speech.wav {'a' * 252}.apc", 2, "File name too long"),
    ("decode speech.apc other.wav", 2, "--force"),
    ("decode speech.apc -o speech.apc --force", 2, "input itself"),
    ("decode half.aps out.wav", 2, ["half.aps", "cut off"]),
    ("decode flipped.aps out.wav", 2, ["flipped.aps", "damaged"]),
    ("decode empty.aps out.wav", 2, ["empty.aps", "no samples"]),
    ("info half.aps", 2, ["half.aps", "cut off"]),
    ("decode speech.apc out.txt", 2, "suffix"),
    ("decode speech.apc out", 2, "suffix"),
    ("decode other-model.apc out.wav", 2, "decode with the model"),
    ("roundtrip speech.wav speech.wav --force", 2, "input itself"),
    ("roundtrip speech.wav other.wav", 2, "--force"),
    ("roundtrip speech.wav out.txt", 2, "suffix"),
    # Settings that cannot be.
    ("encode speech.wav out.apc --codebooks 9", 2, "codebooks"),
    ("encode speech.wav out.apc --codebooks 0", 2, "--codebooks"),
    ("encode speech.wav out.apc --codebooks=-1", 2, "--codebooks"),
    ("encode speech.wav out.apc --codebooks two", 2, "--codebooks"),
    ("encode speech.wav out.apc --codebooks 1.5", 2, "--codebooks"),
    ("encode speech.wav out.apc --device none", 2, "none"),
    ("encode speech.wav", 2, "speech.apc exists"),
    ("decode speech.apc", 2, "speech.wav exists"),
    ("encode", 2, "the following arguments are required"),
    ("no-such-command", 2, "invalid choice"),
    # Folders and manifests.
    ("tokens nothing.csv out", 2, "nothing.csv"),
    ("tokens folder out", 2, "folder"),
    ("tokens text.csv out", 2, "text.csv"),
    ("tokens data other.wav", 2, "other.wav"),
    ("tokens data out --codebooks 9", 2, "codebooks"),
    ("tokens data out --model nothing", 2, "nothing"),
    ("tokens twice.csv out", 2, "2 recordings have the id 'a'"),
    ("eval nothing out", 2, "nothing"),
    ("eval folder out", 2, "no audio file"),
    ("eval damaged out", 2, "is truncated"),
    ("eval data out --metrics mos", 2, "no metric 'mos'"),
    ("eval data out --against mp3", 2, "no peer 'mp3'"),
    ("eval data out --device none", 2, "none"),
    ("eval data out --codebooks 9", 2, "9"),
    ("eval data out --codebooks 1 1", 2, "same name"),
    ("eval data out --train-manifest folder", 2, "manifest"),
    ("export nothing out", 2, "nothing"),
    ("export folder out", 2, "folder"),
    ("export --onnx folder out", 2, "folder"),
    ("convert --encoder text.wav --decoder text.wav out", 2, "text.wav"),
    ("convert --encoder nothing --decoder nothing out", 2, "nothing"),
    ("push folder me/model --dry-run", 2, "folder"),
    ("say hello out.wav --model folder", 2, "folder"),
    ("demo other.wav", 2, "other.wav"),
    # Trainings.
    ("train NoSuchRecipe/mini", 2, "NoSuchRecipe/mini"),
    ("train text.yaml", 2, "text.yaml"),
    (f"{TRAINING} --batch_size=0", 2, "batch_size is 0"),
    (f"{TRAINING} --number_of_epochs=abc", 2, "number_of_epochs"),
    (f"{TRAINING} --learning_rate=-1", 2, "learning_rate"),
    (f"{TRAINING} --no_such_setting=1", 2, "no_such_setting"),
    (f"{TRAINING} --device=none", 2, "none"),
    # The folder of the run has the log, which says the same.
    (f"{VOICE}nothing --codec_model=MODEL", 2, "nothing", "run"),
    (f"{DAMAGED} --data_folder=damaged", 2, "half.wav", "run"),
    (f"{DAMAGED} --data_folder=nothing", 2, "nothing", "run"),
]


@pytest.fixture(scope="module")
def world(tiny_model_folder, tmp_path_factory):
    """A folder with whatever the rows name."""
    folder = tmp_path_factory.mktemp("world")
    for name in ("folder", "data", "damaged"):
        (folder / name).mkdir()
    noise = numpy.random.default_rng(0).normal(0, 0.1, 24000)
    for name in ("speech.wav", "other.wav", "data/a.wav", "data/b.wav"):
        soundfile.write(folder / name, noise, 48000)
    _write_faulty_audio(folder, noise)
    for name in ("half.wav", "a.wav", "b.wav"):
        shutil.copy(folder / "half.wav", folder / "damaged" / name)
    model = folder / "MODEL"
    shutil.copytree(tiny_model_folder, model)
    apc = folder / "speech.apc"
    wav = str(folder / "speech.wav")
    assert main(["encode", wav, str(apc), "--model", str(model)]) == 0
    _write_faulty_apc(folder, apc.read_bytes())
    _write_faulty_aps(folder)
    _write_faulty_models(folder, model)
    (folder / "text.csv").write_text("no table\n")
    (folder / "text.yaml").write_text("a: [\n")
    with (folder / "twice.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["id", "path"], ["a", "data/a.wav"], ["a", "data/b.wav"]]
        )
    return folder


def _write_faulty_audio(folder, noise):
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no audio")
    soundfile.write(folder / "headless.wav", noise[:0], 48000)
    for name, factor in {"nan.wav": numpy.nan, "integers.wav": 32768}.items():
        path = folder / name
        soundfile.write(path, factor * noise, 48000, subtype="FLOAT")
    for kind in ("wav", "aiff", "au", "w64", "caf", "flac", "ogg", "mp3"):
        path = folder / f"half.{kind}"
        soundfile.write(path, noise, 48000, format=kind.upper())
        data = path.read_bytes()
        if kind in ("ogg", "flac"):
            (folder / f"two.{kind}").write_bytes(2 * data)
        path.write_bytes(data[: len(data) // 2])
    data = bytearray((folder / "speech.wav").read_bytes())
    struct.pack_into("<I", data, 24, 1_000_000_000)
    (folder / "rate.wav").write_bytes(data)


def _write_faulty_apc(folder, data):
    flipped, version, other = (bytearray(data) for _ in range(3))
    flipped[len(data) // 2] ^= 1
    version[4] = 9
    for name, content in {
        "empty.apc": b"",
        "half.apc": data[: len(data) // 2],
        "long.apc": data + b"\0",
        "flipped.apc": flipped,
        "version9.apc": version,
        "other-model.apc": _of_another_model(other),
    }.items():
        (folder / name).write_bytes(content)


def _write_faulty_aps(folder):
    header = StreamHeader("tiny@00", 48000, 320, 8, 1)
    for name in ("half", "flipped", "empty"):
        with (folder / f"{name}.aps").open("wb") as file:
            writer = PacketWriter(file, header)
            if name != "empty":
                writer.write(numpy.arange(8)[:, None])
            writer.end(320 * writer.num_frames)
    path = folder / "half.aps"
    path.write_bytes(path.read_bytes()[:-1])
    path = folder / "flipped.aps"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _of_another_model(data):
    from speechbrain_apcodec.files.bitstream import pack_apc, read_apc

    header, tokens = read_apc(bytes(data))
    fields = {**vars(header), "model_id": "other@0123456789abcdef"}
    return pack_apc(type(header)(**fields), tokens)


def _write_faulty_models(folder, model):
    for name in MODEL_FAULTS:
        if name.startswith("model-"):
            shutil.copytree(model, folder / name)
    weights = folder / "model-half-weights" / "codec.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (folder / "model-no-weights" / "codec.safetensors").unlink()
    for name, content in {"text": b"{", "binary": b"\xff\xfe\x00"}.items():
        broken = folder / f"model-{name}-config"
        (broken / "config.json").write_bytes(content)
        (broken / "hyperparams.yaml").write_bytes(content)


_WITH_MODEL = {"encode", "decode", "roundtrip", "tokens", "losses", "eval"}


def _words(command, folder):
    """Split a command line; one that needs a model gets the tiny one."""
    words = command.split()
    if words[0] in _WITH_MODEL and "--model" not in words:
        words += ["--model", str(folder / "MODEL")]
    return words


def _run(words):
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def content_of(folder):
    """From the path of every file and folder to what is in it."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_the_table_is_long():
    assert len(ROWS) == len({command for command, *_ in ROWS}) >= 60


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_row(world, monkeypatch, capsys, row):
    command, code, words, *left = row
    monkeypatch.chdir(world)
    before = content_of(world)
    if left:
        # A training that comes so far logs, and does so for good.
        done = subprocess.run(
            [sys.executable, "-m", "speechbrain_apcodec", *command.split()],
            capture_output=True,
            text=True,
        )
        ended, errors = done.returncode, done.stderr.splitlines()[-1]
    else:
        ended = _run(_words(command, world))
        shown, errors = capsys.readouterr()
        assert shown == "" or command.split()[0] not in _WITH_MODEL
    assert ended == code
    for text in [words] if isinstance(words, str) else words:
        assert text in errors
    # argparse prints the usage first.
    said = [line for line in errors.splitlines() if line[:1] not in "u "]
    assert len(said) == 1, errors
    assert "error: " in said[0]
    for folder in left:
        shutil.rmtree(world / folder)
    assert content_of(world) == before
