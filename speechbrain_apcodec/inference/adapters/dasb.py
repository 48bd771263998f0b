"""The codec as a tokenizer of DASB, SpeechBrain's discrete-token benchmark.

DASB's recipes name a class with the methods of its ``BaseTokenizer``: this
one needs nothing of DASB.

Paper: https://arxiv.org/abs/2406.14294

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Any

import torch
from torch import Tensor

from speechbrain_apcodec.inference.adapters.base import CodecAdapter
from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Lengths, Tokens, Wavs


class DASBTokenizer(CodecAdapter):
    """``sig_to_tokens``, ``tokens_to_sig`` and pretrained embeddings.

    The arguments are those of ``CodecAdapter``; ``num_codebooks`` serves where
    a call names none.

    Example
    -------
    >>> tokenizer = DASBTokenizer()
    >>> tokens = tokenizer.sig_to_tokens(
    ...     torch.randn(2, 1000), torch.ones(2), num_codebooks=2
    ... )
    >>> tokens.shape, tokenizer.tokens_to_sig(tokens).shape
    (torch.Size([2, 4, 2]), torch.Size([2, 1280]))
    >>> tokenizer.get_pretrained_embeddings(1024, 2).shape
    torch.Size([2048, 32])
    """

    @torch.no_grad()
    def sig_to_tokens(
        self,
        signal: Wavs,
        lengths: Lengths | None = None,
        num_codebooks: int | None = None,
        **kwargs: Any,
    ) -> Tokens:
        """Turn signals into tokens.

        Arguments
        ---------
        signal : torch.Tensor
            float [batch, samples].
        lengths : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.
        num_codebooks : int, optional
            Codebooks of the tokens.
        **kwargs : dict
            What other tokenizers want.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks].
        """
        num_codebooks = num_codebooks or self.num_codebooks
        return self.codec.encode(signal, lengths, num_codebooks)[0]

    @torch.no_grad()
    def tokens_to_sig(self, tokens: Tokens, **kwargs: Any) -> Wavs:
        """Turn int64 [batch, frames, codebooks] into float [batch, samples]."""
        return self.codec.decode(tokens)[0]

    @torch.no_grad()
    def get_pretrained_embeddings(
        self,
        vocab_size: int | None = None,
        num_codebooks: int | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Give the table from which an embedding layer can start.

        Arguments
        ---------
        vocab_size : int, optional
            Refused if it is not the codebook's size.
        num_codebooks : int, optional
            Codebooks in the table.
        **kwargs : dict
            What other tokenizers want.

        Returns
        -------
        torch.Tensor
            float [codebooks * codebook_size, latent_dim].
        """
        if vocab_size not in (None, self.codec.codebook_size):
            raise ConfigurationError(
                f"vocab_size is {vocab_size}, but a codebook of the model "
                f"has {self.codec.codebook_size} codewords: use that number"
            )
        num_codebooks = check_num_codebooks(
            num_codebooks or self.num_codebooks, self.codec.num_codebooks
        )
        return self.codec.vocabulary[:num_codebooks].flatten(0, 1).clone()
