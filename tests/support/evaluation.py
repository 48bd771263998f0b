"""Stand-ins for an evaluation: a quick model, recordings, and rows."""

import torch

from speechbrain_apcodec.utils.audio import write_audio


class FakeCodec:
    """Codes a waveform as its attenuated self."""

    model_id = "fake"
    sample_rate = 48000
    hop_length = 320
    num_codebooks = 4
    codebook_size = 1024

    def __init__(self, gain=0.5, weights_sha256="aa"):
        self.gain = gain
        self.weights_sha256 = weights_sha256
        self.decoded = 0

    def bitrate(self, num_codebooks=None):
        return (num_codebooks or 4) * 10 * 48000 / 320

    def encode(self, wavs, wav_lens=None, num_codebooks=None):
        self.wavs = wavs
        frames = -(-wavs.shape[1] // self.hop_length)
        tokens = torch.arange(frames * (num_codebooks or 4)) % 1024
        return tokens.reshape(1, frames, -1), torch.ones(1)

    def decode(self, tokens, token_lens=None, num_samples=None):
        self.decoded += 1
        return self.gain * self.wavs[:, :num_samples], torch.ones(1)


def write_recordings(folder):
    """Write two full-band files of one speaker and a narrow one of another.

    Return them as ``list_recordings`` does.
    """
    recordings = {}
    for name, speaker, band in (
        ("a1", "anna", 24000),
        ("a2", "anna", 23000),
        ("b1", "bert", 16000),
    ):
        generator = torch.Generator().manual_seed(len(recordings))
        wav = 0.1 * torch.randn(1, 12000, generator=generator)
        path = folder / f"{name}.wav"
        write_audio(path, wav, 48000, "FLOAT")
        recordings[name] = {
            "wav": str(path),
            "sample_rate": 48000,
            "channels": 1,
            "band_hz": band,
            "speaker": speaker,
        }
    return recordings


def row(name, system="ours", **others):
    """Make a row of an evaluation, of a full-band file of a minute."""
    return {
        "group": "all",
        "id": name,
        "system": system,
        "settings": "0123",
        "seconds": 60.0,
        "band_hz": 24000.0,
        "kbps": 6.0,
        "rtf": 0.25,
        "lag": 0.0,
        "lsd": 1.0,
        **others,
    }
