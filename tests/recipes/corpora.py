"""Tiny corpora in the layouts that the recipes expect."""

import numpy as np
import soundfile


def write_speech(path, sample_rate, seed, seconds=0.6):
    """Write something with the build of speech: voice, noise and pauses."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    pitch = generator.uniform(90, 250) * (1 + 0.1 * np.sin(9 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    noise = generator.standard_normal(len(time))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * syllables * voice + 0.005 * noise, sample_rate)


def make_audio_folder(folder):
    """Three speakers, two file formats, two rates."""
    for speaker in range(6):
        write_speech(folder / f"speaker{speaker}/a.flac", 48000, speaker)
        write_speech(folder / f"speaker{speaker}/b.wav", 44100, 100 + speaker)


def make_vctk(folder):
    """Training speakers and one of the paper's test speakers."""
    for number, speaker in enumerate(("p225", "p226", "p360")):
        for sentence in range(1, 5):
            name = f"{speaker}_{sentence:03}"
            audio = folder / "wav48_silence_trimmed" / speaker
            write_speech(
                audio / f"{name}_mic2.flac", 48000, 10 * number + sentence
            )
            text = folder / "txt" / speaker / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("Please call Stella.\n")


def make_libritts(folder):
    """One chapter of each subset."""
    subsets = ("train-clean-100", "train-clean-360", "dev-clean", "test-clean")
    for number, subset in enumerate(subsets):
        chapter = folder / subset / f"{number}" / "1241"
        for sentence in range(3):
            name = f"{number}_1241_000000_{sentence:06}"
            write_speech(chapter / f"{name}.wav", 24000, 10 * number + sentence)
            (chapter / f"{name}.normalized.txt").write_text("Hello.\n")


def make_ljspeech(folder):
    """Forty sentences of one recording session, enough for three splits."""
    lines = []
    for number in range(1, 41):
        name = f"LJ001-{number:04}"
        write_speech(folder / "wavs" / f"{name}.wav", 22050, number, 0.3)
        lines.append(f"{name}|In 1901.|In nineteen oh one.\n")
    (folder / "metadata.csv").write_text("".join(lines))


MAKERS = {
    "AudioFolder": make_audio_folder,
    "LJSpeech": make_ljspeech,
    "LibriTTS": make_libritts,
    "VCTK": make_vctk,
}
