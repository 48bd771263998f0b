"""A stand-in for a loaded model: quick, and it counts its work."""

import torch


class FakeCodec:
    """Codes a waveform as its attenuated self."""

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
