"""The command line: what it writes, what it says, and how it fails."""

import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy
import pytest
import torch

from speechbrain_apcodec.cli import train
from speechbrain_apcodec.cli.main import COMMANDS, main
from speechbrain_apcodec.files.bitstream import read_apc
from speechbrain_apcodec.utils.audio import (
    read_audio,
    read_audio_info,
    write_audio,
)
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.golden_weights import golden_losses
from tests.installed import ROOT

INFO_SOON = """
import sys, time
from speechbrain_apcodec.cli.main import main
time.sleep(0.2)
sys.exit(main(["info", sys.argv[1]]))
"""


@pytest.fixture
def speech(tmp_path):
    """A stereo recording of 0.1 s at 44.1 kHz, 24 bits."""
    path = tmp_path / "in.wav"
    generator = torch.Generator().manual_seed(0)
    wav = 0.2 * torch.randn(2, 4410, generator=generator)
    write_audio(path, wav, 44100, "PCM_24")
    return path


def run_python(code):
    """Run code in a Python that has imported nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_comes_without_torch_or_numpy():
    shown = run_python(
        "import sys\n"
        "from speechbrain_apcodec.cli.main import COMMANDS, main\n"
        "for command in [[], *([name] for name in COMMANDS)]:\n"
        "    try:\n"
        "        main([*command, '--help'])\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0\n"
        "assert not {'torch', 'numpy'} & sys.modules.keys()\n"
    )
    for name in COMMANDS:
        assert f"usage: apcodec {name}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_a_working_example(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = capsys.readouterr().out
    example = shown.partition("For example:\n")[2].splitlines()[0]
    command, *arguments = example.split("  ")[1].split()
    assert command == "apcodec"
    assert arguments[0] == name
    assert "Authors" not in shown


def test_encode_then_decode_restores_the_file(call, speech, tmp_path):
    apc, decoded = tmp_path / "a.apc", tmp_path / "out.wav"
    code, shown, errors = call("encode", speech, apc)
    assert (code, errors) == (0, "")
    header, _ = read_apc(apc)
    assert f"{apc.stat().st_size} bytes" in shown
    assert f"{header.bitrate / 1000:.2f} kbps" in shown
    code, shown, errors = call("decode", apc, decoded)
    assert (code, errors) == (0, "")
    assert "0.10 s, 44100 Hz, 2 channel(s)" in shown
    assert read_audio_info(decoded) == read_audio_info(speech)


def test_roundtrip_writes_what_decode_writes(call, speech, tmp_path):
    call("encode", speech, tmp_path / "a.apc", "--codebooks", 1)
    call("decode", tmp_path / "a.apc", tmp_path / "two.wav")
    code, shown, _ = call(
        "roundtrip", speech, tmp_path / "one.wav", "--codebooks", 1
    )
    assert code == 0
    assert "coded at 3.00 kbps" in shown  # two channels of 1.5
    one, two = (tmp_path / name for name in ("one.wav", "two.wav"))
    assert torch.equal(read_audio(one)[0], read_audio(two)[0])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "apcodec: interrupted\n"),
        (
            PermissionError(13, "Permission denied", "out.wav"),
            2,
            "apcodec: error: out.wav: Permission denied: "
            "check its permissions\n",
        ),
        (
            OSError(28, "No space left on device"),
            2,
            "apcodec: error: standard output: No space left on device: "
            "free some space, or write to another disk\n",
        ),
    ],
)
def test_interruptions_have_no_traceback(
    call, speech, tmp_path, monkeypatch, error, code, line
):
    def fail(*_):
        raise error

    monkeypatch.setattr("speechbrain_apcodec.files.coding.roundtrip_file", fail)
    assert call("roundtrip", speech, tmp_path / "out.wav") == (code, "", line)


def test_a_reader_that_has_enough_is_no_error(speech, call, tmp_path):
    call("encode", speech, tmp_path / "a.apc")
    done = subprocess.run(
        # The reader ends before the first line is written.
        f"'{sys.executable}' -c '{INFO_SOON}' '{tmp_path}/a.apc' | :",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


def test_info_describes_a_model(call, tiny_model, tiny_model_folder):
    code, shown, errors = call("info")
    assert (code, errors) == (0, "")
    facts = dict(line.split("  ", 1) for line in shown.splitlines())
    facts = {name: value.strip() for name, value in facts.items()}
    assert facts["parameters"] == f"{tiny_model.num_parameters:,}"
    assert facts["model"] == "tiny"
    assert facts["bitrate"] == "6 kbps"
    assert facts["frames"].startswith("150 per second")
    assert tiny_model.weights_sha256 in facts["weights"]
    assert call("info", tiny_model_folder, model="elsewhere")[1] == shown


def test_info_describes_an_apc_file_without_a_model(call, speech, tmp_path):
    call("encode", speech, tmp_path / "a.apc")
    code, shown, _ = call("info", tmp_path / "a.apc", model="elsewhere")
    assert code == 0
    header, _ = read_apc(tmp_path / "a.apc")
    for fact in (header.model_id, "4410 samples", "44100 Hz", "PCM_24"):
        assert fact in shown


def test_losses_prints_json_with_the_golden_keys(call, tmp_path):
    generator = torch.Generator().manual_seed(0)
    wav = 0.1 * torch.randn(7960, generator=generator)
    write_audio(tmp_path / "a.wav", wav, 48000, "FLOAT")
    code, shown, errors = call("losses", tmp_path / "a.wav")
    assert (code, errors) == (0, "")
    losses = json.loads(shown)
    assert losses.keys() == golden_losses().keys()
    assert all(numpy.isfinite(list(losses.values())))


def test_demo_writes_tokens_audio_and_picture(call, tmp_path):
    folder = tmp_path / "new" / "demo"
    code, shown, errors = call("demo", folder)
    assert (code, errors) == (0, "")
    assert {path.name for path in folder.iterdir()} == {
        "original.wav",
        "decoded.wav",
        "tokens.apc",
        "tokens.npy",
        "spectrograms.png",
        "spectrograms",
        "index.html",
    }
    again, _, errors = call("demo", folder)
    assert again == 2
    assert "--force" in errors
    info = read_audio_info(folder / "original.wav")
    assert read_audio_info(folder / "decoded.wav") == info
    header, tokens = read_apc(folder / "tokens.apc")
    assert header.num_samples == info.num_samples
    saved = numpy.load(folder / "tokens.npy")
    assert saved.dtype == numpy.int16
    assert numpy.array_equal(saved, tokens[0])
    for word in ("6.00 kbps", "LSD", "mel distance", "times real time"):
        assert word in shown


def record_calls(monkeypatch, target):
    """Replace a function; return the list of its calls."""
    calls = []
    monkeypatch.setattr(
        target, lambda *args, **kwargs: calls.append((args, kwargs))
    )
    return calls


def test_convert_passes_the_files_on(monkeypatch, capsys):
    calls = record_calls(
        monkeypatch, "speechbrain_apcodec.release.convert.convert"
    )
    command = "convert --encoder e --decoder d --discriminators x out"
    assert main(command.split()) == 0
    options = {"discriminators": "x", "name": None, "force": False}
    assert calls == [(("e", "d", "out"), options)]
    assert "--model out" in capsys.readouterr().out


def test_export_passes_its_options_on(monkeypatch):
    calls = record_calls(
        monkeypatch, "speechbrain_apcodec.release.export.export"
    )
    assert main(["export", "run", "out", "--name", "mini", "--half"]) == 0
    options = {"half": True, "discriminators": False, "force": False}
    assert calls == [(("run", "out"), {"name": "mini", **options})]


def test_export_of_graphs(monkeypatch, capsys):
    calls = record_calls(
        monkeypatch, "speechbrain_apcodec.onnx.export.export_onnx"
    )
    assert main(["export", "--onnx", "model", "out"]) == 0
    assert calls == [(("model", "out", False), {})]
    assert "ONNXCodec.from_folder('out')" in capsys.readouterr().out
    for option in ("--half", "--discriminators", "--name mini", "--codec c"):
        command = f"export --onnx model out {option}"
        assert main(command.split()) == 2
        assert "leave it out with --onnx" in capsys.readouterr().err
    assert len(calls) == 1


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    """A recipes folder with one recipe that writes down its arguments."""
    folder = tmp_path / "recipes" / "Corpus" / "codec"
    folder.mkdir(parents=True)
    (tmp_path / "hparams").mkdir()
    (tmp_path / "hparams" / "mini.yaml").touch()
    (folder / "corpus_prepare_of_test.py").write_text("WORD = 'prepared'\n")
    (folder / "train.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from corpus_prepare_of_test import WORD\n"
        "if __name__ == '__main__':\n"
        "    Path('called.txt').write_text('|'.join([WORD, *sys.argv]))\n"
    )
    monkeypatch.setattr(train, "_recipes", lambda: tmp_path / "recipes")
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return folder


def test_train_runs_the_script_of_the_recipe(recipes, tmp_path):
    assert main(["train", "Corpus/mini", "--seed", "7", "--debug"]) == 0
    assert (tmp_path / "called.txt").read_text().split("|") == [
        "prepared",
        str(recipes / "train.py"),
        str(tmp_path / "hparams" / "mini.yaml"),
        "--seed",
        "7",
        "--debug",
    ]


def test_a_traceback_of_training_is_not_hidden(recipes):
    (recipes / "train.py").write_text("raise OSError(28, 'disk full')\n")
    with pytest.raises(OSError, match="disk full"):
        main(["train", "Corpus/mini"])


def test_a_wrong_configuration_lists_all(recipes, capsys):
    assert main(["train", "Corpus/maxi"]) == 2
    errors = capsys.readouterr().err
    assert "Corpus/maxi: for DATASET/NAME choose" in errors
    assert "DATASET from Corpus and NAME from mini\n" in errors


@pytest.mark.parametrize(
    ("dataset", "name", "task"),
    [("VCTK", "mini", "codec"), ("LJSpeech", "tts", "TTS/apcodec_tokens")],
)
def test_the_recipes_of_the_repository_are_found(dataset, name, task):
    script, yaml = train.find_recipe(f"{dataset}/{name}")
    assert script == ROOT / "recipes" / dataset / task / "train.py"
    assert yaml == ROOT / "hparams" / f"{name}.yaml"


def test_a_voice_is_trained_where_there_is_text():
    with pytest.raises(ConfigurationError, match="from AudioFolder, LJSpeech "):
        train.find_recipe("VCTK/tts")


def test_train_lists_what_each_configuration_is(recipes, tmp_path, capsys):
    path = tmp_path / "hparams" / "mini.yaml"
    path.write_text(
        "# A small codec:\n# of a test.\n#\n# It is long.\n\n# Seed\nseed: 7\n"
    )
    assert main(["train", "--list"]) == 0
    assert capsys.readouterr().out == (
        "DATASET: Corpus\nNAME:\nmini  A small codec: of a test.\n"
    )
    assert main(["train"]) == 2
    assert "`apcodec train --list`" in capsys.readouterr().err


def test_train_shows_the_keys_of_a_configuration(recipes, tmp_path, capsys):
    (tmp_path / "hparams" / "base.yaml").write_text(
        "# All of it.\n\nrate: 48000  # Hz\n\n# Steps\nepochs: 9\n"
    )
    (tmp_path / "hparams" / "mini.yaml").write_text(
        "# A small codec.\ninclude:\n    - base.yaml\n\nepochs: 3\n"
    )
    dataset = recipes / "hparams"
    dataset.mkdir()
    (dataset / "dataset.yaml").write_text("data_folder: !PLACEHOLDER\n")
    assert main(["train", "Corpus/mini", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Corpus/mini: A small codec.\n")
    keys = "\n\nrate: 48000  # Hz\n\n# Steps\nepochs: 3\n"
    assert shown.endswith(f"{keys}data_folder: !PLACEHOLDER\n")
    assert "All of it" not in shown
    assert not (tmp_path / "called.txt").exists()


def test_every_configuration_says_what_it_is(capsys):
    assert main(["train", "--list"]) == 0
    datasets, _, *lines = capsys.readouterr().out.splitlines()
    assert datasets == "DATASET: AudioFolder, LJSpeech, LibriTTS, VCTK"
    assert len(lines) > 15
    for line in lines:
        assert len(line.split()) > 4, line


def test_the_shell_may_ask_for_completion(monkeypatch):
    """The parser is handed over, and not a line is run."""

    class Answered(Exception):  # noqa: N818 (no error)
        pass

    def autocomplete(parser):
        raise Answered(parser.prog)

    library = SimpleNamespace(autocomplete=autocomplete)
    monkeypatch.setitem(sys.modules, "argcomplete", library)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    with pytest.raises(Answered, match="apcodec"):
        main(["demo"])


def test_no_trace_is_left_in_the_caller(call):
    filters = list(warnings.filters)
    call("info")
    assert warnings.filters == filters


def test_version_and_missing_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
