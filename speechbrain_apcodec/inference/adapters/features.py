"""The codec's latents in the place of a mel spectrogram or an SSL model.

A YAML that has ``compute_features: !new:speechbrain.lobes.features.Fbank``
names this class instead, and has ``latent_dim`` features a frame.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import Tensor

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.inference.adapters.base import CodecAdapter
from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.checks import absolute_lengths, check_wavs
from speechbrain_apcodec.utils.types import AnyPath, Lengths, Wavs


class FeatureExtractor(CodecAdapter):
    """Waveforms to continuous features.

    Arguments
    ---------
    source, num_codebooks, freeze
        As for ``CodecAdapter``. Weights that are not frozen learn from
        ``quantized: False`` alone.
    quantized : bool
        Give the quantised latent, which the tokens stand for; otherwise the
        encoder's own.

    Example
    -------
    >>> extractor = FeatureExtractor()
    >>> extractor(torch.randn(2, 1000), torch.tensor([1.0, 0.5])).shape
    torch.Size([2, 4, 32])
    """

    def __init__(
        self,
        source: AnyPath | APCodec = DEFAULT_MODEL,
        num_codebooks: int | None = None,
        freeze: bool = True,
        quantized: bool = True,
    ) -> None:
        super().__init__(source, num_codebooks, freeze)
        self.quantized = quantized
        self.latent_dim = self.codec.latent_dim

    def forward(self, wavs: Wavs, wav_lens: Lengths | None = None) -> Tensor:
        """Compute features.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].
        wav_lens : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.

        Returns
        -------
        torch.Tensor
            float [batch, ceil(samples / hop_length), latent_dim], zero
            beyond an item's own frames.
        """
        check_wavs(wavs)
        codec = self.codec.mods["codec"]
        wavs = wavs.to(codec.steps.like)
        num_samples = absolute_lengths(wav_lens, wavs, "wav_lens")
        with self.codec.inference_ctx:
            latent = codec.latents(wavs, num_samples)
        latent = latent.to(wavs.dtype)
        if self.quantized:
            tokens = codec.quantizer.encode(latent, self.num_codebooks)
            latent = codec.quantizer.decode(tokens)
        if num_samples is not None:
            frames = torch.arange(latent.shape[-1], device=latent.device)
            own = codec.num_frames(num_samples)
            latent = latent * (frames < own[:, None])[:, None]
        return latent.transpose(1, 2)
