"""Live coding: the tokens and the audio of files, while they arrive."""

import dataclasses
import io
import socket
import threading

import numpy
import pytest
import torch

from speechbrain_apcodec.files.audio_stream import AudioInput, AudioOutput
from speechbrain_apcodec.files.live import (
    decode_live,
    encode_live,
    stream_header,
)
from speechbrain_apcodec.files.packets import PacketReader, PacketWriter
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.release.folder import write_model
from speechbrain_apcodec.utils.errors import (
    APCodecError,
    AudioFileError,
    BitstreamError,
    ConfigurationError,
)
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.files.trickle import Trickle
from tests.support.signals import quiet_noise
from tests.tiny_model import HPARAMS, SIZES, tiny_states

HOP = 320


@pytest.fixture(scope="module")
def causal_model(tmp_path_factory):
    """A tiny model that decodes with less delay than a token frame."""
    hparams = merge_hparams(HPARAMS / "48khz_6kbps_causal.yaml", SIZES)
    folder = tmp_path_factory.mktemp("causal") / "tiny"
    write_model(folder, hparams, tiny_states(hparams), "tiny")
    model = APCodec.from_hparams(folder, run_opts={"device": "cpu"})
    assert model.decoder_latency_samples < HOP
    return model


def encoded(model, wav, most=4000, num_codebooks=None):
    """Encode samples that arrive in random pieces."""
    data = wav[0].numpy().tobytes()
    audio = AudioInput(Trickle(data, most), model.sample_rate, "f32le")
    file = io.BytesIO()
    report = encode_live(model, audio, file, num_codebooks)
    assert report.num_bytes == file.tell()
    assert report.seconds == wav.shape[1] / model.sample_rate
    return file.getvalue()


def decoded(model, data, most=50, low_delay=False, raw="f32le"):
    """Decode packets that arrive in random pieces."""
    file = io.BytesIO()
    output = AudioOutput(file, model.sample_rate, raw)
    reader = PacketReader(Trickle(data, most))
    report = decode_live(model, reader, output, low_delay)
    assert report.num_bytes == len(data)
    dtype = "<f4" if raw == "f32le" else "<i2"
    return numpy.frombuffer(file.getvalue(), dtype)


def tokens_of(data):
    return torch.from_numpy(
        numpy.concatenate(list(PacketReader(io.BytesIO(data))))
    )


def assert_same(wav, expected):
    expected = expected.reshape(-1).numpy()
    numpy.testing.assert_allclose(wav, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("num_samples", "most", "num_codebooks"),
    [
        *((count, 4000, None) for count in (1, 2, 319, 320, 321, 4799, 10_001)),
        *((9000, most, None) for most in (100, 3840, 1 << 20)),
        (5000, 4000, 2),
    ],
)
def test_live_is_what_files_hold_in_any_pieces(
    tiny_model, num_samples, most, num_codebooks
):
    wav = quiet_noise(1, num_samples)
    data = encoded(tiny_model, wav, most, num_codebooks)
    tokens, _ = tiny_model.encode(wav, num_codebooks=num_codebooks)
    assert torch.equal(tokens_of(data), tokens[0])
    expected, _ = tiny_model.decode(tokens, num_samples=num_samples)
    assert_same(decoded(tiny_model, data, most // 80), expected)


def test_sixteen_bits(tiny_model):
    wav = quiet_noise(1, 5000)
    expected, _ = tiny_model(wav)
    steps = decoded(tiny_model, encoded(tiny_model, wav), raw="s16le")
    expected = (expected[0].numpy() * 32768).clip(-32768, 32767)
    assert abs(steps - expected).max() <= 1


def test_an_empty_stream_is_decoded_to_nothing(tiny_model):
    data = encoded(tiny_model, quiet_noise(1, 0))
    assert len(decoded(tiny_model, data)) == 0


@pytest.mark.parametrize("num_samples", [1, 320, 4799, 4801])
def test_low_delay_ends_within_a_frame_of_the_end(causal_model, num_samples):
    wav = quiet_noise(1, num_samples)
    data = encoded(causal_model, wav)
    tokens, _ = causal_model.encode(wav)
    expected, _ = causal_model.decode(tokens)
    exact = decoded(causal_model, data)
    assert_same(exact, expected[:, :num_samples])
    heard = decoded(causal_model, data, low_delay=True)
    assert num_samples <= len(heard) < num_samples + HOP
    assert_same(heard, expected[:, : len(heard)])
    # The first sample of a frame implies more than that was known.
    assert (len(heard) > num_samples) == (num_samples % HOP == 1)


@pytest.mark.parametrize("fault", ["cut off", "damaged"])
def test_what_came_before_a_fault_is_heard(tiny_model, fault):
    data = bytearray(encoded(tiny_model, quiet_noise(1, 9000), most=960 * 4))
    if fault == "cut off":
        del data[-11:]  # the end packet
    else:
        data[-12] ^= 1  # in the packet before
    packets = PacketReader(io.BytesIO(bytes(data)))
    file = io.BytesIO()
    with pytest.raises(BitstreamError, match=fault):
        decode_live(tiny_model, packets, AudioOutput(file, 48000, "f32le"))
    tokens, _ = tiny_model.encode(quiet_noise(1, 9000))
    expected, _ = tiny_model.decode(tokens[:, : packets.num_frames])
    assert (packets.num_frames == tokens.shape[1]) == (fault == "cut off")
    assert packets.num_frames > 15
    assert_same(numpy.frombuffer(file.getvalue(), "<f4"), expected)


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
def test_packets_of_another_model_are_refused(tiny_model, change):
    header = dataclasses.replace(stream_header(tiny_model), **change)
    packets, file = io.BytesIO(), io.BytesIO()
    PacketWriter(packets, header).end(0)
    packets.seek(0)
    output = AudioOutput(file, 48000)
    with pytest.raises(BitstreamError) as raised:
        decode_live(tiny_model, PacketReader(packets), output)
    assert header.model_id in str(raised.value)
    assert stream_header(tiny_model).model_id in str(raised.value)
    assert file.getvalue() == b""


def test_a_model_that_cannot_be_streamed(tiny_utterance_folder):
    model = APCodec.from_hparams(
        tiny_utterance_folder, run_opts={"device": "cpu"}
    )
    file = io.BytesIO()
    with pytest.raises(ConfigurationError, match="cannot be streamed"):
        encode_live(model, [], file)
    assert file.getvalue() == b""


def test_codebooks_that_the_model_lacks(tiny_model):
    file = io.BytesIO()
    with pytest.raises(APCodecError, match="codebooks"):
        encode_live(tiny_model, [], file, 5)
    assert file.getvalue() == b""


def test_a_fault_of_the_audio_leaves_the_stream_without_end(tiny_model):
    wav = quiet_noise(1, 9000)
    wav[0, 8000] = float("nan")
    file = io.BytesIO()
    audio = AudioInput(Trickle(wav.numpy().tobytes(), 4000), 48000, "f32le")
    with pytest.raises(AudioFileError, match="NaN"):
        encode_live(tiny_model, audio, file)
    with pytest.raises(BitstreamError, match="cut off"):
        tokens_of(file.getvalue())


def test_sound_comes_out_while_more_goes_in(tiny_model):
    """Half goes in, its packets come out; only then the rest goes in."""
    wav = quiet_noise(1, 24_000)
    data = wav.numpy().tobytes()
    half = len(data) // 2
    context = tiny_model.make_streaming_context()
    ready = tiny_model.encode_chunk(context, wav[:, : half // 4]).shape[1]
    assert ready > 20
    talker, microphone = socket.socketpair()
    line, listener = socket.socketpair()

    def encode():
        with microphone, line:
            audio = AudioInput(microphone.makefile("rb"), 48000, "f32le")
            encode_live(tiny_model, audio, line.makefile("wb"))

    thread = threading.Thread(target=encode)
    with talker, listener:
        talker.settimeout(60)
        listener.settimeout(60)  # instead of waiting for ever
        thread.start()
        talker.sendall(data[:half])
        packets = PacketReader(listener.makefile("rb"))
        heard = []
        for tokens in packets:
            heard.append(torch.from_numpy(tokens))
            if packets.num_frames == ready:
                talker.sendall(data[half:])
                talker.shutdown(socket.SHUT_WR)
        thread.join(60)
    assert packets.num_samples == 24_000
    expected, _ = tiny_model.encode(wav)
    assert torch.equal(torch.cat(heard), expected[0])
