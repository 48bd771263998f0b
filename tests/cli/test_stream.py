"""The live commands: pipes at both ends, signals, and what they say."""

import io
import os
import select
import signal
import subprocess
import sys
import time
import wave
from types import SimpleNamespace

import numpy
import pytest
import torch

from speechbrain_apcodec.cli.main import main
from speechbrain_apcodec.cli.stream import COMMANDS
from speechbrain_apcodec.files.packets import PacketReader
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from tests.files.trickle import Trickle
from tests.installed import ROOT

# Enough for the slowest machine; nothing waits so long where all is well.
PATIENCE = 300


def speech(num_samples):
    generator = torch.Generator().manual_seed(0)
    return 0.2 * torch.randn(1, num_samples, generator=generator)


def wav_file(folder, wav, sample_rate=48000):
    write_audio(folder / "in.wav", wav, sample_rate, "FLOAT")
    return (folder / "in.wav").read_bytes()


def pipe(data, most=5000):
    """Make a standard input."""
    buffer = data if hasattr(data, "read1") else Trickle(data, most)
    return SimpleNamespace(buffer=buffer, isatty=lambda: False)


@pytest.fixture
def call(tiny_model_folder, monkeypatch, capsys):
    """Run a live command; return its code, output and lines to read."""

    def run(command, source, *options, model=tiny_model_folder, sink=None):
        sink = sink or io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", source)
            patch.setattr(
                sys,
                "stdout",
                SimpleNamespace(
                    buffer=sink,
                    isatty=lambda: False,
                    flush=sink.flush,
                    fileno=sink.fileno,
                ),
            )
            options = [*map(str, options), "--model", str(model)]
            code = main(["stream", command, *options])
        return code, sink.getvalue(), capsys.readouterr().err.splitlines()

    return run


def tokens_of(data):
    reader = PacketReader(io.BytesIO(data))
    return torch.from_numpy(numpy.concatenate(list(reader)))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_a_working_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main(["stream", name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: apcodec stream {name}" in shown
    assert f"apcodec stream {name}" in shown.partition("For example:")[2]
    assert "Authors" not in shown


def test_a_wav_to_packets_and_back(call, tiny_model, tmp_path):
    wav = speech(9001)
    code, packets, lines = call("encode", pipe(wav_file(tmp_path, wav)))
    assert code == 0
    assert len(lines) == 2
    latency = 1000 * tiny_model.latency_samples / 48000
    for fact in ("tiny", "48000 Hz", "6 kbps", f"latency {latency:.1f} ms"):
        assert fact in lines[0]
    for fact in ("0.19 s", "packets", "kbps", "slowest block"):
        assert fact in lines[1]
    tokens, _ = tiny_model.encode(wav)
    assert torch.equal(tokens_of(packets), tokens[0])

    code, sound, lines = call("decode", pipe(packets, 100))
    assert code == 0
    assert len(lines) == 2
    assert "tiny" in lines[0]
    assert "0.19 s" in lines[1]
    (tmp_path / "out.wav").write_bytes(sound)
    decoded, sample_rate = read_audio(tmp_path / "out.wav")
    assert sample_rate == 48000
    expected, _ = tiny_model.decode(tokens, num_samples=9001)
    assert (decoded - expected.clamp(-1, 1)).abs().max() <= 1 / 32768


def test_a_file_as_output_gets_a_true_header(call, tmp_path):
    """Python's own reader of WAV believes the header."""
    _, packets, _ = call("encode", pipe(wav_file(tmp_path, speech(9001))))
    for data, ended, held in ((packets, 0, 9001), (packets[:-11], 2, 9280)):
        with (tmp_path / "out.wav").open("w+b") as sink:
            sink.getvalue = bytes
            assert call("decode", pipe(data, 100), sink=sink)[0] == ended
        with wave.open(str(tmp_path / "out.wav")) as file:
            assert file.getnframes() == held
            assert len(file.readframes(held + 1)) == 2 * held


def test_raw_samples_with_fewer_codebooks(call, tiny_model):
    wav = speech(9001)
    code, packets, lines = call(
        "encode",
        pipe(wav.numpy().tobytes()),
        "--raw",
        "f32le",
        "--codebooks",
        2,
    )
    assert code == 0
    assert "3 kbps" in lines[0]
    tokens, _ = tiny_model.encode(wav, num_codebooks=2)
    assert torch.equal(tokens_of(packets), tokens[0])
    code, sound, _ = call(
        "decode", pipe(packets, 100), "--raw", "f32le", "--low-delay"
    )
    assert code == 0
    expected, _ = tiny_model.decode(tokens)
    decoded = torch.from_numpy(numpy.frombuffer(sound, "<f4").copy())
    assert 9001 <= len(decoded) < 9001 + 320
    difference = (decoded - expected[0, : len(decoded)]).abs().max()
    assert difference <= 1e-5


def test_channels_are_mixed_with_a_note(call, tiny_model, tmp_path):
    wav = torch.cat([speech(3200), 0.5 * speech(3200)])
    code, packets, lines = call("encode", pipe(wav_file(tmp_path, wav)))
    assert code == 0
    assert lines[1] == "apcodec: 2 channels are mixed to one"
    expected, _ = tiny_model.encode(0.75 * speech(3200))
    assert torch.equal(tokens_of(packets), expected[0])


def test_a_wav_that_ends_early_is_sent_with_a_note(call, tmp_path):
    data = wav_file(tmp_path, speech(3200))
    code, packets, lines = call("encode", pipe(data[:-400]))
    assert code == 0
    assert lines[1] == ("apcodec: the WAV announced 100 more samples than came")
    assert len(tokens_of(packets)) == 10


@pytest.mark.parametrize("fault", ["rate", "text", "nan", "nothing"])
def test_faults_of_the_audio_are_one_line(call, tmp_path, fault):
    data, options, words = b"", [], "ended before"
    if fault == "rate":
        data, words = wav_file(tmp_path, speech(99), 44100), "-ar 48000"
    elif fault == "text":
        data, words = b"no audio\n" * 100, "--raw"
    elif fault == "nan":
        data, options = b"\xff" * 4000, ["--raw", "f32le"]
        words = "NaN"
    code, packets, lines = call("encode", pipe(data), *options)
    assert code == 2
    assert len(lines) == 2  # the first says that the model is ready
    assert lines[1].startswith("apcodec: error: ")
    assert words in lines[1]
    assert fault == "nan" or packets == b""


@pytest.mark.parametrize("fault", ["cut off", "damaged", "no packet stream"])
def test_faults_of_the_packets_are_one_line(call, tmp_path, fault):
    wav = speech(9600)
    _, packets, _ = call("encode", pipe(wav_file(tmp_path, wav)))
    packets = bytearray(packets)
    if fault == "cut off":
        del packets[-11:]
    elif fault == "damaged":
        packets[-1] ^= 1
    else:
        packets[:4] = b"RIFF"
    code, sound, lines = call("decode", pipe(bytes(packets)), "--raw", "s16le")
    assert code == 2
    assert len(lines) == 2
    assert lines[1].startswith("apcodec: error: ")
    assert fault in lines[1]
    # All that came was played, and no more was known to be speech.
    assert len(sound) == (0 if "no" in fault else 2 * 9600)


@pytest.mark.parametrize("command", COMMANDS)
def test_models_that_cannot_be_streamed(call, tiny_utterance_folder, command):
    source = pipe(SimpleNamespace(read1=None))  # is not read
    code, sent, lines = call(command, source, model=tiny_utterance_folder)
    assert (code, sent) == (2, b"")
    assert len(lines) == 1
    assert "cannot be streamed" in lines[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_terminals_are_refused(command, name, monkeypatch, capsys):
    for stream in ("stdin", "stdout"):
        terminal = SimpleNamespace(
            isatty=lambda stream=stream: stream == name, buffer=None
        )
        monkeypatch.setattr(sys, stream, terminal)
    assert main(["stream", command, "--model", "is not loaded"]) == 2
    line = capsys.readouterr().err
    assert "terminal" in line
    assert f"apcodec stream {command}" in line


class Interrupted(Trickle):
    """Standard input, of which some reads are met by a signal."""

    def __init__(self, data, most, number, reads):
        super().__init__(data, most)
        self._number = number
        self._left = [read in reads for read in range(max(reads) + 1)]

    def read1(self, size):
        if self._left and self._left.pop(0):
            signal.raise_signal(self._number)
        return super().read1(size)


@pytest.fixture(autouse=True)
def interruptible():
    """Let SIGINT interrupt, which a shell's background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stream_properly(call, tiny_model, number):
    wav = speech(20_000)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    source = Interrupted(wav.numpy().tobytes(), 9000, number, [6])
    code, packets, lines = call("encode", pipe(source), "--raw", "f32le")
    assert code == 0
    assert "packets" in lines[-1]
    reader = PacketReader(io.BytesIO(packets))
    tokens = torch.from_numpy(numpy.concatenate(list(reader)))
    assert 0 < reader.num_samples < 20_000
    expected, _ = tiny_model.encode(wav[:, : reader.num_samples])
    assert torch.equal(tokens, expected[0])
    assert handlers == [
        signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)
    ]


def test_a_signal_during_the_work_breaks_no_packet(call, tiny_model):
    wav = speech(20_000)

    class Sink(io.BytesIO):
        def write(self, data):
            if self.tell() == 0:
                signal.raise_signal(signal.SIGINT)
            return super().write(data)

    code, packets, _ = call(
        "encode",
        pipe(wav.numpy().tobytes()),
        "--raw",
        "f32le",
        sink=Sink(),
    )
    assert code == 0
    reader = PacketReader(io.BytesIO(packets))
    assert list(reader) == []
    assert reader.num_samples == 0


def test_the_decoder_waits_for_the_end_once(call, tmp_path):
    wav = speech(9600)
    _, packets, _ = call("encode", pipe(wav_file(tmp_path, wav)))
    once = Interrupted(packets, 60, signal.SIGINT, [4])
    code, sound, lines = call("decode", pipe(once), "--raw", "s16le")
    assert (code, len(sound)) == (0, 2 * 9600)
    assert "Ctrl-C again" in lines[1]
    twice = Interrupted(packets, 60, signal.SIGINT, [4, 5])
    code, sound, lines = call("decode", pipe(twice), "--raw", "s16le")
    assert code == 130
    assert lines[-1] == "apcodec: interrupted"


def test_a_reader_that_has_enough_is_no_error(call, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as sink:
        sink.getvalue = bytes
        code, _, lines = call(
            "encode", pipe(wav_file(tmp_path, speech(9600))), sink=sink
        )
    assert code == 0
    assert len(lines) == 1


def read_within(patience, file, size):
    """Read ``size`` bytes of a pipe, or fail instead of waiting for ever."""
    data, deadline = b"", time.monotonic() + patience
    while len(data) < size:
        left = deadline - time.monotonic()
        assert select.select([file], [], [], max(0, left))[0], len(data)
        block = os.read(file.fileno(), size - len(data))
        assert block, "the pipe was closed"
        data += block
    return data


def test_processes_in_a_pipeline(tiny_model, tiny_model_folder):
    """Speech comes out while the speaker talks; Ctrl-C ends it exactly."""
    wav = speech(24_000)
    context = tiny_model.make_streaming_context()
    tokens = tiny_model.encode_chunk(context, wav)
    known = tiny_model.decode_chunk(context, tokens).shape[1]
    assert 20_000 < known < 24_000
    command = [sys.executable, "-m", "speechbrain_apcodec", "stream"]
    model = ["--model", str(tiny_model_folder)]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "bufsize": 0}
    with (
        subprocess.Popen(
            [*command, "encode", "--raw", "f32le", *model],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        ) as encoder,
        subprocess.Popen(
            [*command, "decode", "--raw", "f32le", *model],
            stdin=encoder.stdout,
            stderr=subprocess.PIPE,
            **options,
        ) as decoder,
    ):
        try:
            encoder.stdout.close()  # it is the decoder's now
            encoder.stdin.write(wav.numpy().tobytes())
            heard = read_within(PATIENCE, decoder.stdout, 4 * known)
            encoder.send_signal(signal.SIGINT)
            heard += decoder.stdout.read()
            assert encoder.wait(PATIENCE) == 0
            assert decoder.wait(PATIENCE) == 0
        finally:
            encoder.kill()
            decoder.kill()
        said = [encoder.stderr.read(), decoder.stderr.read()]
    assert all(b"0.50 s in" in lines for lines in said)
    expected, _ = tiny_model(wav)
    numpy.testing.assert_allclose(
        numpy.frombuffer(heard, "<f4"), expected[0], rtol=0, atol=1e-5
    )
