"""Long recordings: block by block they are what they are as a whole."""

import subprocess
import sys

import pytest
import soundfile
import torch

from speechbrain_apcodec.files import blocks, coding
from speechbrain_apcodec.files.bitstream import read_apc
from speechbrain_apcodec.files.coding import (
    decode_file,
    decode_recording,
    encode_file,
    encode_recording,
)
from speechbrain_apcodec.inference import apcodec
from speechbrain_apcodec.utils import audio, resampling
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.resampling import (
    BlockResampler,
    resample,
    resample_in_blocks,
)
from tests.support.signals import quiet_noise

RATES = [(48000, 48000), (44100, 48000), (8000, 48000), (48000, 16000)]


@pytest.fixture
def small_blocks(monkeypatch):
    """Read 3000 samples, and code pieces of 0.1 s, at a time."""
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 3000)
    monkeypatch.setattr(resampling, "BLOCK_SAMPLES", 5000)
    monkeypatch.setattr(apcodec, "CPU_CHUNK_SECONDS", 0.2)


@pytest.mark.parametrize(("from_rate", "to_rate"), [*RATES, (44101, 48000)])
@pytest.mark.parametrize("length", [1, 4999, 20_011, 120_013])
def test_blocks_are_resampled_as_the_whole(
    small_blocks, from_rate, to_rate, length
):
    wav = quiet_noise(2, length)
    expected = resample(wav, from_rate, to_rate)
    results = []
    for size in (997, 50_000, 10**6):
        resampler = BlockResampler(from_rate, to_rate)
        made = [resampler.push(block) for block in wav.split(size, dim=1)]
        results.append(torch.cat([*made, resampler.flush()], dim=1))
    made = results[0]
    assert made.shape == expected.shape
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-6)
    # Not only nearly so, however the recording is cut.
    assert all(torch.equal(made, other) for other in results)
    alone = resample_in_blocks(wav[1], from_rate, to_rate)
    assert torch.equal(made[1], alone)


@pytest.mark.parametrize("rate", [48000, 44100])
@pytest.mark.parametrize("samples", [1, 9600, 9601, 28_800, 40_123])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_are_coded_as_the_whole(
    tiny_model, tmp_path, small_blocks, rate, samples, channels
):
    path, apc, out = (tmp_path / name for name in ("a.wav", "a.apc", "b.wav"))
    write_audio(path, quiet_noise(channels, samples), rate, "FLOAT")
    header = encode_file(tiny_model, path, apc)
    stored, tokens = read_apc(apc)
    wav, _ = read_audio(path)
    expected_header, expected = encode_recording(tiny_model, wav, rate, "FLOAT")
    assert stored == header == expected_header
    assert torch.equal(torch.from_numpy(tokens), expected)

    decode_file(tiny_model, apc, out)
    decoded, out_rate = read_audio(out)
    whole = decode_recording(tiny_model, header, torch.from_numpy(tokens))
    assert (decoded.shape, out_rate) == ((channels, samples), rate)
    assert torch.equal(decoded, whole)


def test_a_model_that_cannot_be_streamed_codes_the_whole(
    tiny_utterance_folder, tmp_path, small_blocks
):
    model = apcodec.APCodec.from_hparams(
        tiny_utterance_folder, run_opts={"device": "cpu"}
    )
    assert model.chunk_frames is None
    wav = quiet_noise(2, 30_000)
    write_audio(tmp_path / "a.wav", wav, 48000, "FLOAT")
    encode_file(model, tmp_path / "a.wav", tmp_path / "a.apc")
    _, tokens = read_apc(tmp_path / "a.apc")
    _, expected = encode_recording(model, wav, 48000, "FLOAT")
    assert torch.equal(torch.from_numpy(tokens), expected)


def test_a_bar_moves_inside_a_file(
    tiny_model, tmp_path, small_blocks, monkeypatch
):
    moved = []

    class Bar:
        def __init__(self, total, desc, **_):
            self.place, self.total, self.desc = 0, total, desc

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, seconds):
            self.place += seconds
            moved.append((self.desc, self.place / self.total))

    monkeypatch.setattr(coding, "tqdm", Bar)
    write_audio(tmp_path / "a.wav", quiet_noise(2, 30_000), 48000)
    encode_file(tiny_model, tmp_path / "a.wav", tmp_path / "a.apc")
    decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "b.wav")
    for task in ("encode", "decode"):
        places = [place for desc, place in moved if desc == task]
        assert len(places) >= 4
        assert places == sorted(places)
        assert places[-1] == pytest.approx(1, abs=0.02)


def test_a_fault_behind_the_first_blocks_leaves_nothing(
    tiny_model, tmp_path, small_blocks
):
    wav = quiet_noise(1, 30_000)
    wav[0, -10] = torch.nan
    soundfile.write(tmp_path / "a.wav", wav[0].numpy(), 48000, subtype="FLOAT")
    with pytest.raises(audio.AudioFileError, match="NaN"):
        encode_file(tiny_model, tmp_path / "a.wav", tmp_path / "a.apc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_failure_while_decoding_leaves_nothing(
    tiny_model, tmp_path, small_blocks, monkeypatch
):
    write_audio(tmp_path / "a.wav", quiet_noise(1, 30_000), 48000)
    encode_file(tiny_model, tmp_path / "a.wav", tmp_path / "a.apc")

    def interrupted(*arguments):
        yield from list(decode_blocks(*arguments))[:2]
        raise KeyboardInterrupt

    decode_blocks = blocks.decode_blocks
    monkeypatch.setattr(coding, "decode_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "b.wav")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.apc", "a.wav"]


MEMORY = """
import resource, sys
from speechbrain_apcodec.files.coding import decode_file, encode_file
from speechbrain_apcodec.inference import APCodec

model, folder = APCodec.from_hparams(sys.argv[1]), sys.argv[2]
for name in ("short", "long"):
    encode_file(model, f"{folder}/{name}.wav", f"{folder}/{name}.apc")
    decode_file(model, f"{folder}/{name}.apc", f"{folder}/{name}.out.wav")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_the_memory_does_not_grow_with_the_length(tiny_model_folder, tmp_path):
    for name, seconds in {"short": 20, "long": 200}.items():
        write_audio(
            tmp_path / f"{name}.wav", quiet_noise(2, seconds * 48000), 48000
        )
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tiny_model_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    short, long = map(int, done.stdout.split())
    # The long one has 77 MB of samples in float32.
    assert long - short < 40
    wav, _ = read_audio(tmp_path / "long.out.wav")
    assert wav.shape == (2, 200 * 48000)
