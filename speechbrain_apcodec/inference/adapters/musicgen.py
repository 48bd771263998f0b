"""The codec with the axes of MusicGen and Hugging Face: [B, K, N].

Paper: https://arxiv.org/abs/2306.05284

Authors
 * speechbrain_apcodec contributors, 2026
"""

from torch import Tensor

from speechbrain_apcodec.inference.adapters.base import CodecAdapter
from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.errors import APCodecError


class CompressionModel(CodecAdapter):
    """audiocraft's contract of a codec, by this one.

    The arguments are those of ``CodecAdapter``. Waveforms are float
    [batch, 1, samples], and codes int64 [batch, codebooks, frames].

    Example
    -------
    >>> import torch
    >>> model = CompressionModel()
    >>> model.cardinality, model.frame_rate, model.total_codebooks
    (1024, 150.0, 4)
    >>> model.set_num_codebooks(2)
    >>> codes, scale = model.encode(torch.randn(3, 1, 1000))
    >>> codes.shape, scale
    (torch.Size([3, 2, 4]), None)
    >>> model.decode(codes, scale).shape
    torch.Size([3, 1, 1280])
    """

    channels = 1

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.codec.frame_rate

    @property
    def cardinality(self) -> int:
        """Codewords of a codebook."""
        return self.codec.codebook_size

    @property
    def total_codebooks(self) -> int:
        """Codebooks that the model has."""
        return self.codec.num_codebooks

    def set_num_codebooks(self, n: int) -> None:
        """Choose how many codebooks ``encode`` uses, of ``total_codebooks``."""
        self.num_codebooks = check_num_codebooks(n, self.total_codebooks)

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode waveforms."""
        return self.decode(*self.encode(x))[..., : x.shape[-1]]

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Encode waveforms to codes and, as audiocraft does, a scale: None."""
        if x.dim() != 3 or x.shape[1] != 1:
            raise APCodecError(
                f"x must be a mono batch [batch, 1, samples], not "
                f"{list(x.shape)}"
            )
        tokens, _ = self.codec.encode(x[:, 0], None, self.num_codebooks)
        return tokens.transpose(1, 2).contiguous(), None

    def decode(self, codes: Tensor, scale: None = None) -> Tensor:
        """Decode codes to waveforms; the scale is ignored."""
        return self.codec.decode(codes.transpose(1, 2))[0][:, None]

    def decode_latent(self, codes: Tensor) -> Tensor:
        """Look up the quantised latent, float [batch, latent_dim, frames]."""
        return self.codec.latents(codes.transpose(1, 2)).transpose(1, 2)
