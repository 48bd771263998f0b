"""The codec in the place of SpeechBrain's Encodec lobe.

In a YAML that names ``speechbrain.integrations.huggingface.encodec.Encodec``,
only the name and the source change. SpeechBrain proposes that lobe as the
model for all codecs (its issue 2339).

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from speechbrain.dataio.dataio import clean_padding_
from torch import Tensor

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.inference.adapters.base import CodecAdapter
from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath, Lengths, Tokens


class EncodecInterface(CodecAdapter):
    """What SpeechBrain's Encodec lobe offers, by this codec.

    Audio is float [batch, samples] or [batch, 1, samples], and lengths are
    relative, float [batch]. Tokens are int64 [batch, frames, heads], and
    embeddings float [batch, frames, heads, emb_dim].

    Arguments
    ---------
    source, save_path, freeze
        As for ``CodecAdapter``.
    sample_rate : int, optional
        Refused if it is not the model's, Hz.
    bandwidth : float, optional
        Bits per second of the tokens, in thousands, by which the number of
        codebooks is chosen; default: all codebooks.
    flat_embeddings : bool
        Give embeddings as [batch, frames, heads * emb_dim].
    renorm_embeddings : bool
        Bring the embeddings of each codebook to mean 0 and deviation 1.

    Raises
    ------
    APCodecError
        If there is no such model, or it has another rate or bandwidth.

    Example
    -------
    >>> model = EncodecInterface(bandwidth=3.0)
    >>> audio = torch.randn(4, 1000)
    >>> length = torch.tensor([1.0, 0.5, 0.75, 1.0])
    >>> tokens, emb = model.encode(audio, length)
    >>> tokens.shape, emb.shape
    (torch.Size([4, 4, 2]), torch.Size([4, 4, 2, 32]))
    >>> model.decode(tokens, length).shape
    torch.Size([4, 1, 1280])
    >>> torch.equal(model.tokens(emb, length), tokens)
    True
    """

    emb_mean: Tensor
    emb_std: Tensor

    def __init__(
        self,
        source: AnyPath | APCodec = DEFAULT_MODEL,
        save_path: AnyPath | None = None,
        sample_rate: int | None = None,
        bandwidth: float | None = None,
        flat_embeddings: bool = False,
        freeze: bool = True,
        renorm_embeddings: bool = True,
    ) -> None:
        super().__init__(source, freeze=freeze, save_path=save_path)
        if sample_rate not in (None, self.sample_rate):
            raise ConfigurationError(
                f"sample_rate is {sample_rate}, but the model works at "
                f"{self.sample_rate} Hz: resample the audio to that"
            )
        if bandwidth is not None:
            self.num_codebooks = check_num_codebooks(
                round(1000 * bandwidth / self.codec.bitrate(1)),
                self.codec.num_codebooks,
            )
        self.bandwidth = self.codec.bitrate(self.num_codebooks) / 1000
        self.flat_embeddings = flat_embeddings
        self.renorm_embeddings = renorm_embeddings
        self.num_heads = self.num_codebooks
        self.num_tokens = self.codec.codebook_size
        self.emb_dim = self.codec.latent_dim
        if renorm_embeddings:
            vocabulary = self.vocabulary.detach()[None].transpose(1, 2)
            self._set_statistics(vocabulary.flatten(0, 1))

    @property
    def vocabulary(self) -> Tensor:
        """Out-projected codewords, float [heads, num_tokens, emb_dim]."""
        return self.codec.vocabulary[: self.num_heads]

    @property
    def vocabulary_flat(self) -> Tensor:
        """The same as float [heads * num_tokens, emb_dim]."""
        return self.vocabulary.flatten(0, 1)

    @property
    def token_index_offsets(self) -> Tensor:
        """Where heads begin in ``vocabulary_flat``, int64 [1, 1, heads]."""
        return self.codec.token_index_offsets[None, None, : self.num_heads]

    def calibrate(
        self, sample: Tensor, length: Lengths
    ) -> tuple[Tensor, Tensor]:
        """Take mean and deviation of embeddings, float [heads], from audio."""
        if not self.renorm_embeddings:
            raise ConfigurationError(
                "there is nothing to calibrate while renorm_embeddings is off"
            )
        tokens, token_lens = self._encode_tokens(sample, length)
        frames = torch.arange(tokens.shape[1], device=tokens.device)
        own = (token_lens * tokens.shape[1]).round()
        valid = frames < own[:, None]
        self._set_statistics(self.codec.embeddings(tokens)[valid].detach())
        return self.emb_mean.squeeze(), self.emb_std.squeeze()

    def _set_statistics(self, embeddings: Tensor) -> None:
        """Keep mean and deviation of float [frames, heads, emb_dim]."""
        shape = (1, 1, self.num_heads, 1)
        mean = embeddings.mean(dim=(0, 2)).view(shape)
        std = embeddings.std(dim=(0, 2)).view(shape)
        self.register_buffer("emb_mean", mean)
        self.register_buffer("emb_std", std)

    def forward(
        self, inputs: Tensor, length: Lengths | None = None
    ) -> tuple[Tokens, Tensor]:
        """Do what ``encode`` does."""
        return self.encode(inputs, length)

    def encode(
        self, inputs: Tensor, length: Lengths | None = None
    ) -> tuple[Tokens, Tensor]:
        """Encode audio to tokens and embeddings."""
        tokens, _ = self._encode_tokens(inputs, length)
        return tokens, self.embeddings(tokens)

    def _encode_tokens(
        self, inputs: Tensor, length: Lengths | None
    ) -> tuple[Tokens, Lengths]:
        if inputs.dim() == 3:
            inputs = inputs.squeeze(1)
        return self.codec.encode(inputs, length, self.num_heads)

    def embeddings(self, tokens: Tokens) -> Tensor:
        """Turn tokens into embeddings."""
        emb = self.codec.embeddings(tokens)
        if self.renorm_embeddings:
            emb = (emb - self.emb_mean) / self.emb_std
        return emb.flatten(2) if self.flat_embeddings else emb

    def decode(self, tokens: Tokens, length: Lengths | None = None) -> Tensor:
        """Decode tokens to audio.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, heads].
        length : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.

        Returns
        -------
        torch.Tensor
            float [batch, 1, frames * hop_length], zero beyond the lengths.
        """
        token_lens = length
        if length is not None:
            # The length of a waveform ends within a frame, which counts.
            frames = tokens.shape[1]
            token_lens = (length * frames - 1e-4).ceil() / frames
        wavs, _ = self.codec.decode(tokens, token_lens)
        wavs = wavs[:, None]
        if length is not None:
            clean_padding_(wavs, length.to(wavs.device), len_dim=2)
        return wavs

    def tokens(self, emb: Tensor, length: Lengths | None = None) -> Tokens:
        """Find the tokens of the nearest embeddings, 0 beyond the lengths."""
        emb = emb.reshape(*emb.shape[:2], self.num_heads, self.emb_dim)
        if self.renorm_embeddings:
            emb = emb * self.emb_std + self.emb_mean
        # [heads, batch * frames, emb_dim] against [heads, tokens, emb_dim]
        per_head = emb.flatten(0, 1).transpose(0, 1)
        nearest = torch.cdist(per_head, self.vocabulary).argmin(dim=-1)
        tokens = nearest.T.reshape(emb.shape[:3])
        if length is not None:
            clean_padding_(tokens, length.to(tokens.device))
        return tokens

    def decode_emb(self, emb: Tensor, length: Lengths | None = None) -> Tensor:
        """Decode embeddings to audio, by the nearest tokens."""
        return self.decode(self.tokens(emb), length)
