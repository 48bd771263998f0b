"""Whole files through a small codec: what comes back fits the original."""

from types import SimpleNamespace

import pytest
import torch

from speechbrain_apcodec.files import coding
from speechbrain_apcodec.files.bitstream import (
    pack_apc,
    read_apc,
    write_apc,
)
from speechbrain_apcodec.files.coding import (
    bitstream_model_id,
    decode_file,
    encode_file,
    roundtrip_file,
)
from speechbrain_apcodec.utils.audio import (
    read_audio,
    read_audio_info,
    resample,
    write_audio,
)
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    AudioFileError,
    BitstreamError,
)
from tests.support.signals import quiet_noise


@pytest.fixture
def recording(tmp_path):
    """A float stereo recording of 0.11 s at 48 kHz."""
    path = tmp_path / "in.wav"
    write_audio(path, quiet_noise(2, 5281), 48000, "FLOAT")
    return path


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("sample_rate", "subtype"),
    [
        (8000, "PCM_16"),
        (11025, "PCM_24"),
        (16000, "PCM_32"),
        (22050, "FLOAT"),
        (24000, "DOUBLE"),
        (32000, "PCM_U8"),
        (44100, "PCM_16"),
        (44101, "PCM_16"),
        (48000, "PCM_24"),
        (88200, "PCM_32"),
        (96000, "FLOAT"),
    ],
)
@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 4801])
def test_length_rate_channels_and_format_come_back(
    tiny_model, tmp_path, samples, sample_rate, subtype, channels
):
    original, decoded = tmp_path / "in.wav", tmp_path / "out.wav"
    write_audio(original, quiet_noise(channels, samples), sample_rate, subtype)
    roundtrip_file(tiny_model, original, decoded)
    assert read_audio_info(decoded) == read_audio_info(original)
    assert read_audio_info(decoded).num_samples == samples


@pytest.mark.parametrize("seconds", [0.5, 7.3])
def test_longer_files_come_back_through_an_apc_file(
    tiny_model, tmp_path, seconds
):
    original, decoded = tmp_path / "in.flac", tmp_path / "out.flac"
    write_audio(original, quiet_noise(1, int(seconds * 44100)), 44100, "PCM_24")
    header = encode_file(tiny_model, original, tmp_path / "a.apc")
    assert decode_file(tiny_model, tmp_path / "a.apc", decoded) == header
    assert read_audio_info(decoded) == read_audio_info(original)
    assert header.num_frames == -(-header.codec_samples // 320)


def test_files_hold_what_the_model_makes_of_each_channel(
    tiny_model, recording, tmp_path
):
    encode_file(tiny_model, recording, tmp_path / "a.apc")
    decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "out.wav")
    _, tokens = read_apc(tmp_path / "a.apc")
    decoded, _ = read_audio(tmp_path / "out.wav")
    wav, _ = read_audio(recording)
    for channel in range(2):
        expected, _ = tiny_model.encode(wav[channel : channel + 1])
        assert torch.equal(torch.from_numpy(tokens[channel]), expected[0])
        expected, _ = tiny_model.decode(expected, num_samples=5281)
        assert torch.equal(decoded[channel], expected[0])
    assert not torch.equal(decoded[0], decoded[1])


def test_other_rates_are_resampled_on_both_ways(tiny_model, tmp_path):
    wav = quiet_noise(1, 2000)
    write_audio(tmp_path / "in.wav", wav, 16000, "FLOAT")
    roundtrip_file(tiny_model, tmp_path / "in.wav", tmp_path / "out.wav")
    tokens, _ = tiny_model.encode(resample(wav, 16000, 48000))
    expected, _ = tiny_model.decode(tokens, num_samples=6000)
    expected = resample(expected, 48000, 16000)
    assert torch.equal(read_audio(tmp_path / "out.wav")[0], expected)


def test_roundtrip_is_encode_then_decode(tiny_model, recording, tmp_path):
    encode_file(tiny_model, recording, tmp_path / "a.apc", num_codebooks=2)
    decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "two.wav")
    roundtrip_file(tiny_model, recording, tmp_path / "one.wav", 2)
    one, two = (tmp_path / name for name in ("one.wav", "two.wav"))
    assert torch.equal(read_audio(one)[0], read_audio(two)[0])


def test_fewer_codebooks_are_the_first_ones(tiny_model, recording, tmp_path):
    encode_file(tiny_model, recording, tmp_path / "all.apc")
    header = encode_file(tiny_model, recording, tmp_path / "two.apc", 2)
    assert header.num_codebooks == 2
    assert header.bitrate == 2 * tiny_model.bitrate(2)  # two channels
    _, fewer = read_apc(tmp_path / "two.apc")
    _, tokens = read_apc(tmp_path / "all.apc")
    assert (tokens[:, :, :2] == fewer).all()


def test_header_names_the_model_and_the_format(tiny_model, recording, tmp_path):
    encode_file(tiny_model, recording, tmp_path / "a.apc")
    header, _ = read_apc(tmp_path / "a.apc")
    assert header.model_id == f"tiny@{tiny_model.weights_sha256[:16]}"
    assert header.subtype == "FLOAT"
    assert header.codec_rate == header.sample_rate == 48000


@pytest.mark.parametrize(
    "change",
    [
        {"model_id": "other@0123456789abcdef"},
        {"hop_length": 160},
        {"codec_rate": 24000},
        {"codebook_size": 512},
        {"num_codebooks": 5},
    ],
)
def test_a_file_of_another_model_is_refused(tiny_model, tmp_path, change):
    header = coding.ApcHeader(
        **{
            "model_id": bitstream_model_id(tiny_model),
            "codec_rate": 48000,
            "sample_rate": 48000,
            "num_samples": 700,
            "hop_length": 320,
            "num_codebooks": 4,
            "codebook_size": 1024,
            "channels": 1,
            "subtype": "PCM_16",
            **change,
        }
    )
    tokens = torch.zeros(header.tokens_shape, dtype=torch.int64).numpy()
    write_apc(tmp_path / "a.apc", header, tokens)
    with pytest.raises(BitstreamError) as raised:
        decode_file(tiny_model, tmp_path / "a.apc", tmp_path / "out.wav")
    assert header.model_id in str(raised.value)
    assert bitstream_model_id(tiny_model) in str(raised.value)
    assert not (tmp_path / "out.wav").exists()


def test_a_damaged_file_leaves_no_output(tiny_model, recording, tmp_path):
    path = tmp_path / "a.apc"
    encode_file(tiny_model, recording, path)
    header, tokens = read_apc(path)
    data = bytearray(pack_apc(header, tokens))
    data[-10] ^= 1
    path.write_bytes(data)
    with pytest.raises(BitstreamError, match="damaged"):
        decode_file(tiny_model, path, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("num_codebooks", [0, 5])
def test_codebooks_that_the_model_lacks(
    tiny_model, recording, tmp_path, num_codebooks
):
    with pytest.raises(APCodecError, match="codebooks"):
        encode_file(tiny_model, recording, tmp_path / "a.apc", num_codebooks)
    assert not (tmp_path / "a.apc").exists()


@pytest.mark.parametrize("output", ["no-such-folder/out.wav", "out.txt", "."])
def test_a_bad_destination_is_noticed_before_the_work(
    recording, tmp_path, output
):
    idle_model = SimpleNamespace()  # any use of it would be an error
    with pytest.raises(AudioFileError):
        roundtrip_file(idle_model, recording, tmp_path / output)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_file_without_a_sensible_rate_is_refused(tiny_model, tmp_path):
    write_audio(tmp_path / "in.wav", quiet_noise(1, 10), 100, "PCM_16")
    with pytest.raises(AudioFileError, match="sampling rate of 100 Hz"):
        roundtrip_file(tiny_model, tmp_path / "in.wav", tmp_path / "out.wav")


@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_its_own_output(tiny_model, recording, force):
    before = recording.read_bytes()
    with pytest.raises(AudioFileError, match="input itself"):
        roundtrip_file(tiny_model, recording, recording, force=force)
    assert recording.read_bytes() == before


@pytest.mark.parametrize("suffix", [".wav", ".AIFF", ".mp3"])
def test_tokens_are_not_named_like_a_recording(recording, tmp_path, suffix):
    with pytest.raises(AudioFileError, match="named .apc"):
        encode_file(None, recording, tmp_path / f"a{suffix}", force=True)


def test_a_recording_is_not_named_like_tokens(recording, tmp_path):
    with pytest.raises(AudioFileError, match="suffix"):
        roundtrip_file(None, recording, tmp_path / "a.apc")


def test_outputs_are_replaced_by_force_alone(tiny_model, recording, tmp_path):
    apc, out = tmp_path / "a.apc", tmp_path / "out.wav"
    encode_file(tiny_model, recording, apc)
    for path, code in (
        (apc, lambda force: encode_file(None, recording, apc, force=force)),
        (out, lambda force: decode_file(None, apc, out, force=force)),
        (out, lambda force: roundtrip_file(None, recording, out, force=force)),
    ):
        path.write_bytes(b"precious")
        with pytest.raises(AudioFileError, match="--force"):
            code(False)
        assert path.read_bytes() == b"precious"
    encode_file(tiny_model, recording, apc, force=True)
    decode_file(tiny_model, apc, out, force=True)
    assert read_audio_info(out) == read_audio_info(recording)
