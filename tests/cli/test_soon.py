"""Help and wrong paths are answered before anything heavy is imported."""

import resource
import subprocess
import sys

import pytest

from speechbrain_apcodec.files.bitstream import ApcHeader, write_apc
from speechbrain_apcodec.utils.audio import write_audio
from tests.support.signals import quiet_noise

#: Seconds of processor time; PyTorch and SpeechBrain alone take over two.
MOST = 0.6

RUN = """
import sys
from speechbrain_apcodec.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(sorted({"torch", "speechbrain"} & sys.modules.keys()))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording, its tokens, a file that is neither, and nothing else."""
    folder = tmp_path_factory.mktemp("soon")
    write_audio(folder / "a.wav", quiet_noise(1, 320), 48000)
    (folder / "text.wav").write_text("no tokens")
    header = ApcHeader("tiny@00", 48000, 48000, 320, 320, 4, 8, 1, "PCM_16")
    write_apc(folder / "a.apc", header, [[[0, 1, 2, 3]]])
    return folder


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("--help", 0, ""),
        ("encode --help", 0, ""),
        ("encode nope.wav x.apc", 2, "nope.wav does not exist"),
        ("encode a.wav x.apc --model nope", 2, "there is no folder nope"),
        ("encode a.wav a.apc", 2, "a.apc exists"),
        ("decode nope.apc x.wav", 2, "nope.apc does not exist"),
        ("decode text.wav x.wav", 2, "text.wav is no .apc file"),
        ("decode a.apc a.wav", 2, "a.wav exists"),
        ("decode a.apc x.txt", 2, "suffix"),
        ("roundtrip nope.wav x.wav", 2, "nope.wav does not exist"),
        ("roundtrip a.wav x.txt", 2, "suffix"),
        ("info nope.apc", 2, "nope.apc does not exist"),
        ("info nope", 2, "there is no folder nope"),
        ("losses nope.wav", 2, "nope.wav does not exist"),
        ("say hello a.wav --model x", 2, "a.wav exists"),
    ],
)
def test_answers_come_soon(folder, command, code, words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < MOST
