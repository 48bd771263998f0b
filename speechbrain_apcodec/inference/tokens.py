"""Tokens for models that predict them.

What a recipe needs of a codec whose tokens are its targets: their embeddings,
one vocabulary for all codebooks, special ids and silence. How tokens become
sequences is in ``speechbrain_apcodec.tokens``. No method changes its input.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.inference.checks import (
    check_tokens,
    tokens_without_padding,
)
from speechbrain_apcodec.tokens.flattening import (
    flatten,
    token_index_offsets,
    unflatten,
)
from speechbrain_apcodec.tokens.special import SpecialTokens


class TokenInterface:
    """The part of ``APCodec`` that serves models of tokens.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams(run_opts={"device": "cpu"})
    >>> tokens, _ = codec.encode(torch.zeros(1, 960))
    >>> codec.embeddings(tokens).shape, codec.vocabulary.shape
    (torch.Size([1, 3, 4, 32]), torch.Size([4, 1024, 32]))
    >>> torch.equal(codec.embeddings(tokens).sum(2), codec.latents(tokens))
    True
    >>> torch.equal(codec.unflatten(codec.flatten(tokens)), tokens)
    True
    >>> codec.special_tokens.pad, codec.special_tokens.vocabulary_size
    (1024, 1027)
    """

    @property
    def vocabulary(self):
        """Out-projected codewords, float [K, C, latent_dim]."""
        return self.mods["codec"].quantizer.vocabulary

    @property
    def latent_dim(self):
        """Channels of an embedding, H."""
        return self.mods["codec"].latent_dim

    @property
    def special_tokens(self):
        """Ids of PAD, BOS and EOS: C, C + 1 and C + 2."""
        return SpecialTokens(self.codebook_size)

    @property
    def token_index_offsets(self):
        """Where each codebook begins in the flat vocabulary, int64 [K]."""
        return token_index_offsets(
            self.num_codebooks, self.codebook_size, self.device
        )

    def embeddings(self, tokens):
        """Look up the codeword of each token.

        Arguments
        ---------
        tokens : torch.Tensor
            Integers [batch, frames, codebooks] from 0 to C - 1.

        Returns
        -------
        torch.Tensor
            float [batch, frames, codebooks, latent_dim]; the sum over the
            codebooks is ``latents(tokens)``.

        Raises
        ------
        APCodecError
            If the tokens have a wrong shape, type or value.
        """
        tokens = self._checked_tokens(tokens)
        return self.mods["codec"].quantizer.embeddings(tokens)

    def latents(self, tokens):
        """Compute the quantised latent, which the decoder reads.

        Arguments
        ---------
        tokens : torch.Tensor
            Integers [batch, frames, codebooks] from 0 to C - 1.

        Returns
        -------
        torch.Tensor
            float [batch, frames, latent_dim].

        Raises
        ------
        APCodecError
            If the tokens have a wrong shape, type or value.
        """
        tokens = self._checked_tokens(tokens)
        return self.mods["codec"].quantizer.decode(tokens).transpose(1, 2)

    def flatten(self, tokens):
        """Put the codebooks' tokens into one vocabulary, frame by frame.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, K].

        Returns
        -------
        torch.Tensor
            int64 [batch, frames * K], ids below K * C, and special ones from
            K * C on.

        Raises
        ------
        APCodecError
            If the tokens are no integers [batch, frames, K].
        """
        check_tokens(tokens, self.num_codebooks)
        return flatten(tokens, self.codebook_size)

    def unflatten(self, flat, num_codebooks=None):
        """Undo ``flatten``.

        Arguments
        ---------
        flat : torch.Tensor
            int64 [batch, frames * codebooks].
        num_codebooks : int, optional
            Codebooks of the tokens that were flattened; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks].

        Raises
        ------
        APCodecError
            If the ids are not those of flattened tokens.
        """
        num_codebooks = self._checked_num_codebooks(num_codebooks)
        return unflatten(flat, num_codebooks, self.codebook_size)

    def silence_tokens(self, num_frames):
        """Encode digital silence.

        Arguments
        ---------
        num_frames : int
            Frames wanted.

        Returns
        -------
        torch.Tensor
            int64 [frames, K].
        """
        silence = torch.zeros(1, num_frames * self.hop_length)
        return self.encode(silence)[0][0]

    def _checked_tokens(self, tokens):
        check_tokens(tokens, self.num_codebooks)
        tokens = tokens.to(self.device, torch.int64)
        return tokens_without_padding(tokens, None, self.codebook_size)
