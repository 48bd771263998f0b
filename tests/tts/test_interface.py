"""A voice: exported, loaded, and what it refuses to be."""

import json
import shutil

import pytest
import torch

from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.tts import TokenTTS
from speechbrain_apcodec.tts.export import export_tts, is_tts_run
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError
from tests.former_names import with_former_names
from tests.support.tiny_sentences import write_tiny_voice
from tests.tiny_model import write_tiny_model

CPU = {"device": "cpu"}
TEXT = "A bee can dig."


@pytest.fixture
def copied(tiny_voice_folder, tmp_path):
    """A copy of the voice, to be damaged."""
    return shutil.copytree(tiny_voice_folder, tmp_path / "copy")


def write_other_codec(folder):
    """The same sizes, the same name, other weights."""
    return write_tiny_model(
        folder, half=True, num_codebooks=2, codebook_size=32
    )


def test_voice_has_the_average_weights_of_the_run(
    tiny_voice, tiny_voice_folder
):
    run = tiny_voice_folder.parent / "run"
    assert is_tts_run(run)
    (checkpoint,) = (run / "save").glob("CKPT*")
    state = torch.load(checkpoint / "ema.ckpt")
    for name, value in tiny_voice.mods.model.state_dict().items():
        assert torch.equal(value, state[name])
    assert not tiny_voice.mods.model.training


def test_speech_is_the_decoded_tokens(tiny_voice):
    said = tiny_voice.generate([TEXT], seed=3)
    wav = tiny_voice.synthesize(TEXT, seed=3)
    decoded, _ = tiny_voice.codec.decode(said.tokens)
    torch.testing.assert_close(wav, decoded[0])
    frames = int(said.num_frames[0])
    assert frames > 0 and len(wav) == frames * tiny_voice.codec.hop_length


def test_same_seed_same_speech(tiny_voice):
    once, again, other = (
        tiny_voice.synthesize(TEXT, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(once, again)
    assert once.shape != other.shape or not torch.equal(once, other)


def test_a_batch_is_said_as_each_alone(tiny_voice):
    texts = [TEXT, "Get his ink, each fog, can jam a bee.", "A."]
    wavs, lens = tiny_voice.synthesize_batch(texts, temperature=0)
    for text, wav, length in zip(texts, wavs, lens, strict=True):
        alone = tiny_voice.synthesize(text, temperature=0)
        samples = round(float(length) * len(wav))
        assert samples == len(alone)
        torch.testing.assert_close(wav[:samples], alone, rtol=0, atol=1e-5)
        assert (wav[samples:] == 0).all()


def test_file(tiny_voice, tmp_path):
    path = tmp_path / "a.flac"
    seconds = tiny_voice.synthesize_file(TEXT, path, seed=1)
    wav, rate = read_audio(path)
    assert rate == tiny_voice.sample_rate == 48000
    assert wav.shape[1] == round(seconds * rate)
    wanted = tiny_voice.synthesize(TEXT, seed=1).clamp(-1, 1)
    torch.testing.assert_close(wav[0], wanted, rtol=0, atol=1e-4)


def test_voice_reads_what_the_text_sounds_like(tmp_path):
    voice = TokenTTS.from_hparams(
        write_tiny_voice(tmp_path, phonemes="en-us", num_pieces=40),
        run_opts=CPU,
    )
    once, again, other = (
        voice.synthesize(text, temperature=0)
        for text in ("A new sun.", "a knew SON.", "A new moon.")
    )
    assert torch.equal(once, again)
    assert once.shape != other.shape or not torch.equal(once, other)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_text_is_refused(tiny_voice, text):
    with pytest.raises(APCodecError, match="empty"):
        tiny_voice.synthesize(text)


def test_too_much_text_is_refused(tiny_voice):
    with pytest.raises(APCodecError, match="sentence by sentence"):
        tiny_voice.synthesize("bee " * 100)


def test_unknown_characters_are_said_somehow(tiny_voice):
    assert len(tiny_voice.synthesize("2 Bienen: äöü!")) > 0


def test_another_codec_in_the_folder_is_refused(copied):
    shutil.rmtree(copied / "codec")
    write_other_codec(copied / "codec")
    with pytest.raises(CheckpointError, match="would make noise of them"):
        TokenTTS.from_hparams(copied, run_opts=CPU)


def test_a_voice_of_an_earlier_version_speaks_the_same(copied, tiny_voice):
    yaml = copied / "hyperparams.yaml"
    former = with_former_names(yaml.read_text())
    assert "token_transformer" in former and "token_generation" in former
    yaml.write_text(former)
    voice = TokenTTS.from_hparams(copied, run_opts=CPU)
    once, again = (
        speaker.synthesize(TEXT, seed=5) for speaker in (voice, tiny_voice)
    )
    assert torch.equal(once, again)


def test_a_run_of_an_earlier_version_is_exported(tiny_voice_folder, tmp_path):
    run = shutil.copytree(tiny_voice_folder.parent / "run", tmp_path / "run")
    yaml = run / "hyperparams.yaml"
    yaml.write_text(with_former_names(yaml.read_text()))
    voice = export_tts(run, tmp_path / "voice", "voice")
    written, wanted = (
        (folder / "hyperparams.yaml").read_text()
        for folder in (voice, tiny_voice_folder)
    )
    assert written == wanted


def test_export_with_another_codec_is_refused(tiny_voice_folder, tmp_path):
    other = write_other_codec(tmp_path / "other")
    with pytest.raises(CheckpointError, match="--codec"):
        export_tts(
            tiny_voice_folder.parent / "run",
            tmp_path / "voice",
            codec_model=str(other),
        )
    assert not (tmp_path / "voice").exists()


def test_codec_that_was_moved_can_be_named(tiny_voice_folder, tmp_path):
    folder = tiny_voice_folder.parent
    codec = shutil.copytree(folder / "codec", tmp_path / "moved")
    voice = export_tts(
        folder / "run", tmp_path / "voice", "anna", codec_model=str(codec)
    )
    config = json.loads((voice / "config.json").read_text())
    assert config["model_id"] == "anna"
    assert (
        APCodec.from_hparams(voice / "codec").weights_sha256
        == config["codec_sha256"]
    )
    # An earlier export is replaced if asked for, anything else is not.
    again = {"codec_model": str(codec), "half": True}
    with pytest.raises(CheckpointError, match="--force"):
        export_tts(folder / "run", voice, **again)
    export_tts(folder / "run", voice, **again, force=True)
    (voice / "notes.txt").touch()
    with pytest.raises(CheckpointError, match="notes.txt"):
        export_tts(folder / "run", voice, **again, force=True)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model"])
def test_damaged_files_are_refused(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        TokenTTS.from_hparams(copied, run_opts=CPU)


def test_missing_files_are_named(copied):
    (copied / "codec" / "codec.safetensors").unlink()
    with pytest.raises(CheckpointError, match="codec.safetensors"):
        TokenTTS.from_hparams(copied, run_opts=CPU)


def test_codec_is_no_voice_and_a_voice_no_codec(
    tiny_model_folder, tiny_voice_folder
):
    with pytest.raises(CheckpointError, match="no model of speech"):
        TokenTTS.from_hparams(tiny_model_folder, run_opts=CPU)
    with pytest.raises(CheckpointError, match="'codec'"):
        APCodec.from_hparams(tiny_voice_folder, run_opts=CPU)


def test_files_are_collected_in_a_folder(tiny_voice_folder, tmp_path):
    savedir = tmp_path / "saved"
    voice = TokenTTS.from_hparams(
        tiny_voice_folder, savedir=savedir, run_opts=CPU
    )
    assert (savedir / "codec" / "codec.safetensors").exists()
    assert len(voice.synthesize(TEXT, temperature=0)) > 0
