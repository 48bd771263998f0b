"""The codecs whose speed is compared, by name.

A system is made with the name of a device, and gives functions that encode
a batch of noise and decode its tokens. The peers are those of transformers
with random weights, which cost the same time: EnCodec's 48 kHz configuration
with one channel instead of two, at 6 kbit/s; DAC at 44.1 kHz; Mimi at 24 kHz
with 8 codebooks, at 1.1 kbit/s.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.literal import LiteralCodec
from benchmarks.measure import build, count_gmac
from speechbrain_apcodec.lobes.folding import cast_weights, fold
from speechbrain_apcodec.onnx.codec import ONNXCodec
from speechbrain_apcodec.onnx.export import write_graphs

FULL, SMALL = "48khz_6kbps.yaml", "mini.yaml"


class Ours:
    """A codec of this package, folded."""

    sample_rate = 48000

    def __init__(self, device, yaml=FULL, dtype=None, compiled=False):
        codec = build(yaml)
        self.gmac = count_gmac(codec)
        self.prepare(codec)
        self.codec = self.codec.to(device)
        self.device, self.dtype = device, dtype or torch.float32
        self.codec.requires_grad_(False)
        if dtype is not None:
            cast_weights(self.codec, dtype)
        if compiled:
            for network in (self.codec.encoder, self.codec.decoder):
                for branch in (network.amplitude, network.phase):
                    branch.compile(options={"freezing": True})

    def prepare(self, codec):
        """Fold the codec."""
        fold(codec)
        self.codec = codec

    def context(self):
        """Make the context in which the network runs."""
        half = self.dtype != torch.float32
        kind = torch.device(self.device).type
        return torch.autocast(kind, self.dtype, enabled=half)

    def functions(self, batch, samples):
        """Return what is timed, by direction."""
        codec = self.codec
        wavs = 0.1 * torch.randn(batch, samples, device=self.device)
        tokens = torch.randint(
            1024, (batch, samples // 320, 4), device=self.device
        )
        amplitude, phase = self.spectra(wavs)
        return {
            "encode": lambda: codec.encode(wavs),
            "decode": lambda: codec.decode(tokens),
            "encoder": lambda: self.encode_spectra(amplitude, phase),
            "decoder": lambda: self.decode_spectra(tokens),
        }

    def spectra(self, wavs):
        """Analyse once."""
        spectrum = self.codec.analysis(wavs)
        return spectrum.log_amplitude, spectrum.phase

    def encode_spectra(self, log_amplitude, phase):
        """Encode without the STFT."""
        latent = self.codec.encoder(log_amplitude, phase)
        return self.codec.quantizer.encode(latent)

    def decode_spectra(self, tokens):
        """Decode without the inverse STFT."""
        return self.codec.decoder.parts(self.codec.quantizer.decode(tokens))

    def run(self, function):
        """Run in the system's precision, without gradients."""
        with torch.no_grad(), self.context():
            return function()


class Literal(Ours):
    """The paper, written down."""

    def prepare(self, codec):
        """Take the weights as they are trained."""
        self.codec = LiteralCodec(codec).eval()

    def spectra(self, wavs):
        """Analyse once."""
        return self.codec.analysis(wavs)[:2]

    def encode_spectra(self, log_amplitude, phase):
        """Encode without the STFT."""
        return self.codec.quantizer(self.codec.encoder(log_amplitude, phase))

    def decode_spectra(self, tokens):
        """Decode without the inverse STFT."""
        return self.codec.decoder(self.codec.quantizer.decode(tokens))


class ONNX(Ours):
    """A codec of this package, exported; ONNX Runtime computes it."""

    def prepare(self, codec):
        """Export the codec, and load the graphs."""
        fold(codec)
        with tempfile.TemporaryDirectory() as folder:
            write_graphs(codec, Path(folder), "random", "")
            self.codec = ONNXCodec.from_folder(folder).mods["codec"]

    def functions(self, batch, samples):
        """Return what is timed; the graphs hold the transforms too."""
        wavs = 0.1 * torch.randn(batch, samples)
        tokens = torch.randint(1024, (batch, samples // 320, 4))
        return {
            "encode": lambda: self.codec.encode(wavs),
            "decode": lambda: self.codec.decode(tokens),
        }


class Peer:
    """A codec of transformers."""

    gmac = None
    dtype = torch.float32

    def __init__(self, device):
        torch.manual_seed(0)
        self.device = device
        self.codec = self.make().to(device).eval().requires_grad_(False)

    def functions(self, batch, samples):
        """Return what is timed, by direction."""
        wavs = 0.1 * torch.randn(batch, 1, samples, device=self.device)
        with torch.no_grad():
            encoded = self.encode(wavs)
        return {
            "encode": lambda: self.encode(wavs),
            "decode": lambda: self.decode(encoded),
        }

    def run(self, function):
        """Run without gradients."""
        with torch.no_grad():
            return function()


class EnCodec(Peer):
    """EnCodec at 48 kHz, mono."""

    sample_rate = 48000

    def make(self):
        """Build the model of facebook/encodec_48khz, with one channel."""
        from transformers import EncodecConfig, EncodecModel

        return EncodecModel(
            EncodecConfig(
                target_bandwidths=[3.0, 6.0, 12.0, 24.0],
                sampling_rate=48000,
                audio_channels=1,
                normalize=True,
                chunk_length_s=1.0,
                overlap=0.01,
                norm_type="time_group_norm",
                use_causal_conv=False,
            )
        )

    def encode(self, wavs):
        """Encode at 6 kbit/s."""
        return self.codec.encode(wavs, bandwidth=6.0)

    def decode(self, encoded):
        """Decode."""
        return self.codec.decode(encoded.audio_codes, encoded.audio_scales)


class DAC(Peer):
    """DAC at 44.1 kHz."""

    sample_rate = 44100

    def make(self):
        """Build the model of descript/dac_44khz."""
        from transformers import DacConfig, DacModel

        return DacModel(DacConfig(sampling_rate=44100))

    def encode(self, wavs):
        """Encode."""
        return self.codec.encode(wavs)

    def decode(self, encoded):
        """Decode."""
        return self.codec.decode(audio_codes=encoded.audio_codes)


class Mimi(Peer):
    """Mimi at 24 kHz with 8 codebooks."""

    sample_rate = 24000

    def make(self):
        """Build the model of kyutai/mimi."""
        from transformers import MimiConfig, MimiModel

        return MimiModel(MimiConfig())

    def encode(self, wavs):
        """Encode."""
        return self.codec.encode(wavs, num_quantizers=8)

    def decode(self, encoded):
        """Decode."""
        return self.codec.decode(encoded.audio_codes)


SYSTEMS = {
    "literal": Literal,
    "APCodec": Ours,
    "APCodec, bf16": partial(Ours, dtype=torch.bfloat16),
    "APCodec, bf16 compiled": partial(
        Ours, dtype=torch.bfloat16, compiled=True
    ),
    "APCodec, ONNX": ONNX,
    "small APCodec": partial(Ours, yaml=SMALL),
    "small APCodec, bf16": partial(Ours, yaml=SMALL, dtype=torch.bfloat16),
    "small APCodec, ONNX": partial(ONNX, yaml=SMALL),
    "EnCodec 48 kHz": EnCodec,
    "Mimi 24 kHz": Mimi,
    "DAC 44.1 kHz": DAC,
}
