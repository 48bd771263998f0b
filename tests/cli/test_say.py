"""The commands around a voice: export, say and eval-tts."""

import csv

import pytest
import torch

from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.evaluation import recognition
from speechbrain_apcodec.utils.audio import read_audio, write_audio


def call(capsys, *arguments):
    code = main([*map(str, arguments)])
    return code, *capsys.readouterr()


def test_export_and_say(tiny_voice_folder, tiny_voice, tmp_path, capsys):
    run, voice = tiny_voice_folder.parent / "run", tmp_path / "voice"
    code, out, _ = call(capsys, "export", run, voice)
    assert code == 0 and "apcodec say" in out
    wav = tmp_path / "bee.wav"
    code, out, _ = call(
        capsys, "say", "A bee.", wav, "--model", voice, "--seed", 2
    )
    assert code == 0 and "48000 Hz" in out
    wanted = tiny_voice.synthesize("A bee.", seed=2)
    heard, _ = read_audio(wav)
    torch.testing.assert_close(heard[0], wanted.clamp(-1, 1), rtol=0, atol=1e-4)
    again = tmp_path / "again.wav"
    call(capsys, "say", "A bee.", again, "--model", voice, "--temperature", 0)
    wanted = tiny_voice.synthesize("A bee.", temperature=0)
    assert read_audio(again)[0].shape[1] == len(wanted)


def test_faults_are_one_line(tiny_voice_folder, tmp_path, capsys):
    wav = tmp_path / "a.wav"
    code, _, error = call(capsys, "say", " ", wav, "--model", tiny_voice_folder)
    assert code == 2 and error.count("\n") == 1 and not wav.exists()
    code, _, error = call(capsys, "say", "A.", wav, "--model", tmp_path / "no")
    assert code == 2 and "there is no folder" in error
    with pytest.raises(SystemExit):
        main(["say", "A.", str(wav), "--model", "m", "--temperature", "-1"])


def test_eval_tts(tiny_voice_folder, tmp_path, capsys, monkeypatch):
    class Deaf(recognition.Recognizer):
        def __init__(self):
            pass

        def transcribe(self, wav, sample_rate):
            return "a bee"

    monkeypatch.setattr(recognition, "Recognizer", Deaf)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "text"])
        for name, split in (("a", "test"), ("b", "test"), ("c", "train")):
            path = tmp_path / f"{name}.wav"
            write_audio(path, 0.1 * torch.randn(1, 3000), 48000)
            writer.writerow([path.name, split, "A bee can."])
    code, out, _ = call(
        capsys,
        *("eval-tts", tmp_path / "list.csv", tmp_path / "out"),
        *("--model", tiny_voice_folder),
    )
    assert code == 0
    assert out.count("33.3 % of 6 words wrong") == 3
    assert (tmp_path / "out" / "errors.md").is_file()
