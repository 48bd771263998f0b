"""A Transformer that reads text and predicts the tokens of a codec.

The encoder is SpeechBrain's; the decoder attends to it. A step of the decoder
gets the tokens of the step before, the embeddings of all streams summed, and
predicts its own, a softmax for each stream. All steps can be computed at once
or one at a time: the keys and values of the text are then computed once, and
those of the steps grow in a `DecodingCache`, which belongs to the caller. Both
give the same.

An hour of speech is too little for the attention to learn which piece of the
text comes next. So each step is told the piece that it says, and predicts
whether the next step goes on to the next piece: reading can neither skip nor
repeat (https://arxiv.org/abs/2406.07855). Tokens are known by their codewords.
And steps of the history can be hidden in training, so that the model cannot
just copy the past; or the text, so that its part in a prediction is known and
can be amplified (https://arxiv.org/abs/2209.15352).

Papers: https://arxiv.org/abs/1809.08895, https://arxiv.org/abs/2306.05284

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from speechbrain.lobes.models.transformer.Transformer import (
    PositionalEncoding,
    TransformerEncoder,
)
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.tts.codeword_table import CodewordTable
from speechbrain_apcodec.tts.decoder import Decoder
from speechbrain_apcodec.tts.steps import (
    DecodingCache,
    Prediction,
    count_elapsed,
)
from speechbrain_apcodec.utils.errors import ConfigurationError

#: Steps of a piece that have embeddings of their own.
_MAX_ELAPSED = 64


@dataclass(frozen=True)
class TransformerSizes:
    """The sizes of a Transformer's layers.

    Arguments
    ---------
    d_model : int
        Width.
    nhead : int
        Heads of each attention.
    num_encoder_layers : int
        Layers that read the text.
    num_decoder_layers : int
        Layers that predict.
    d_ffn : int
        Width inside the feed-forward layers.
    dropout : float
        Share of values that are dropped in training. In the decoder the
        weights of the attention are spared: the fast kernels of a CPU know
        no dropout.

    Raises
    ------
    ConfigurationError
        If the heads do not divide the width.

    Example
    -------
    >>> TransformerSizes(16, 3, 1, 1, 32, 0.0)
    Traceback (most recent call last):
    speechbrain_apcodec.utils.errors.ConfigurationError: d_model 16 cannot be \
divided by nhead 3
    """

    d_model: int
    nhead: int
    num_encoder_layers: int
    num_decoder_layers: int
    d_ffn: int
    dropout: float

    def __post_init__(self) -> None:
        if self.d_model % self.nhead:
            raise ConfigurationError(
                f"d_model {self.d_model} cannot be divided by "
                f"nhead {self.nhead}"
            )


class TokenTransformer(nn.Module):
    """Text in, tokens of a codec out.

    Arguments
    ---------
    num_pieces : int
        Ids of the text.
    num_streams : int
        Tokens of a step.
    codebook_size : int
        Codewords of a stream.
    num_special : int
        Ids of a token after those of the codewords.
    codeword_dim : int
        Channels of a codeword.
    sizes : TransformerSizes
        Of the layers.
    max_steps : int
        Most steps, and most pieces of text.

    Example
    -------
    >>> sizes = TransformerSizes(16, 2, 1, 1, 32, 0.0)
    >>> model = TokenTransformer(30, 2, 8, 3, 5, sizes, max_steps=50)
    >>> model.know_codewords(torch.randn(2, 8, 5))
    >>> text, num_text = torch.randint(30, (2, 6)), torch.tensor([6, 4])
    >>> inputs = torch.randint(11, (2, 9, 2))
    >>> pieces = torch.tensor([[0, 0, 1, 2, 2, 3, 4, 5, 5]] * 2).clamp(max=3)
    >>> model(text, num_text, inputs, pieces).logits.shape
    torch.Size([2, 9, 2, 11])
    >>> cache = model.start(text, num_text, max_steps=9)
    >>> model.step(cache, inputs[:, 0], pieces[:, 0]).logits.shape
    torch.Size([2, 2, 11])
    """

    positions: Tensor
    offsets: Tensor
    codewords: Tensor

    def __init__(
        self,
        num_pieces: int,
        num_streams: int,
        codebook_size: int,
        num_special: int,
        codeword_dim: int,
        sizes: TransformerSizes,
        max_steps: int,
    ) -> None:
        super().__init__()
        d_model = sizes.d_model
        self.num_pieces = num_pieces
        self.num_streams = num_streams
        self.max_steps = max_steps
        self.text_embedding = nn.Embedding(num_pieces, d_model)
        self.encoder = TransformerEncoder(
            sizes.num_encoder_layers,
            nhead=sizes.nhead,
            d_ffn=sizes.d_ffn,
            d_model=d_model,
            dropout=sizes.dropout,
            activation=nn.GELU,
            normalize_before=True,
        )
        self.no_text = nn.Parameter(torch.randn(d_model))
        table = (num_streams, num_special, codeword_dim, d_model)
        # The sum of the streams is to be as large as a piece of text.
        self.embeddings = CodewordTable(*table, std=num_streams**-0.5)
        self.heads = CodewordTable(*table, std=0.02)
        self.heads_bias = nn.Parameter(
            torch.zeros(num_streams, codebook_size + num_special)
        )
        self.elapsed_embedding = nn.Embedding(_MAX_ELAPSED, d_model)
        self.hidden_step = nn.Parameter(torch.randn(d_model))
        self.decoder = Decoder(
            sizes.num_decoder_layers,
            d_model,
            sizes.nhead,
            sizes.d_ffn,
            sizes.dropout,
        )
        self.advance = nn.Linear(d_model, 1)
        self.dropout = nn.Dropout(sizes.dropout)
        self.register_buffer(
            "positions",
            PositionalEncoding(d_model, max_steps).pe[0],
            persistent=False,
        )
        self.register_buffer(
            "offsets",
            (codebook_size + num_special) * torch.arange(num_streams),
            persistent=False,
        )
        self.register_buffer(
            "codewords", torch.zeros(num_streams, codebook_size, codeword_dim)
        )

    @torch.no_grad()
    def know_codewords(self, codewords: Tensor) -> None:
        """Store the codewords, which belong to the weights from now on.

        Arguments
        ---------
        codewords : torch.Tensor
            float [streams, codewords, codeword_dim], of any common scale.

        Raises
        ------
        ConfigurationError
            If these are not the sizes of the model.
        """
        if codewords.shape != self.codewords.shape:
            raise ConfigurationError(
                "the codewords of the streams are "
                f"{list(codewords.shape)}, but the model was made for "
                f"{list(self.codewords.shape)}: set num_codebooks, "
                "codebook_size and codeword_dim to those of the codec"
            )
        # The streams of the first codebook say most.
        scale = codewords[0].square().mean().sqrt()
        self.codewords.copy_(codewords / scale)

    def forward(
        self,
        text: Tensor,
        num_text: Tensor,
        inputs: Tensor,
        pieces: Tensor,
        where: Tensor | None = None,
        hidden: Tensor | None = None,
        textless: Tensor | None = None,
    ) -> Prediction:
        """Predict all steps at once from the true ones before.

        Takes text, int64 [batch, pieces], and its length; for each step the
        tokens of the step before it, int64 [batch, steps, streams], and the
        piece that it says, int64 [batch, steps]; and, optionally, the wanted
        steps and those whose input is hidden, bool [batch, steps], and the
        items whose text is hidden, bool [batch]. The logits are [batch, steps,
        streams, classes], or, of wanted steps, [steps, streams, classes].
        """
        memory, padding = self.encode(text, num_text)
        elapsed = count_elapsed(pieces)
        if textless is not None:
            memory, elapsed = self._hide_text(memory, elapsed, textless)
        x = self._embed(self.embeddings(self.codewords).flatten(0, 1), inputs)
        if hidden is not None:
            x = torch.where(hidden[..., None], self.hidden_step.to(x), x)
        x = x + self._embed_text(memory, pieces, elapsed)
        x = self.dropout(x + self.positions[: x.shape[1]])
        x, attention = self.decoder(x, memory, padding)
        advance = self.advance(x)[..., 0]
        if where is not None:
            x = x[where]
        heads = self.heads(self.codewords).flatten(0, 1)
        return Prediction(self._predict(heads, x), advance, attention)

    def encode(self, text: Tensor, num_text: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the text.

        Returns float [batch, pieces, width], and where there is no text, bool
        [batch, pieces].
        """
        pieces = torch.arange(text.shape[1], device=text.device)
        padding = pieces >= num_text[:, None]
        x = self.text_embedding(text) + self.positions[: text.shape[1]]
        memory, _ = self.encoder(self.dropout(x), src_key_padding_mask=padding)
        return memory, padding

    def start(
        self,
        text: Tensor,
        num_text: Tensor,
        max_steps: int,
        textless: Tensor | None = None,
    ) -> DecodingCache:
        """Encode the text once, for at most ``max_steps`` calls of ``step``.

        The items whose text is hidden are ``textless``, bool [batch].
        """
        memory, padding = self.encode(text, num_text)
        if textless is None:
            textless = torch.zeros_like(num_text, dtype=torch.bool)
        memory, _ = self._hide_text(memory, num_text[:, None], textless)
        projected = [
            layer.project_text(memory) for layer in self.decoder.layers
        ]
        batch, heads, _, width = projected[0][0].shape
        shape = (batch, heads, max_steps, width)
        return DecodingCache(
            embeddings=self.embeddings(self.codewords).flatten(0, 1),
            heads=self.heads(self.codewords).flatten(0, 1),
            memory=memory,
            textless=textless,
            text=projected,
            padding=padding,
            steps=[[memory.new_empty(shape) for _ in "kv"] for _ in projected],
            pieces=torch.full_like(num_text, -1),
            begun=torch.zeros_like(num_text),
        )

    def step(
        self, cache: DecodingCache, inputs: Tensor, pieces: Tensor
    ) -> Prediction:
        """Predict the next step, with logits [batch, streams, classes].

        Takes the tokens of the step before, int64 [batch, streams], and the
        piece that the step says, int64 [batch]; the cache is updated.
        """
        now = cache.step
        cache.begun = torch.where(pieces == cache.pieces, cache.begun, now)
        cache.pieces = pieces
        elapsed = (now - cache.begun).masked_fill(cache.textless, 0)
        said = self._embed_text(cache.memory, pieces[:, None], elapsed[:, None])
        x = self._embed(cache.embeddings, inputs[:, None])
        x = x + said + self.positions[now]
        x, attention = self.decoder.step(x, cache)
        return Prediction(
            self._predict(cache.heads, x)[:, 0],
            self.advance(x)[..., 0],
            attention,
        )

    def _embed(self, embeddings: Tensor, inputs: Tensor) -> Tensor:
        """Sum the embeddings of the streams; float [batch, steps, width]."""
        return F.embedding(inputs + self.offsets, embeddings).sum(dim=2)

    def _hide_text(
        self, memory: Tensor, elapsed: Tensor, textless: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Replace the text of some items by one learned vector."""
        return (
            torch.where(
                textless[:, None, None], self.no_text.to(memory), memory
            ),
            elapsed.masked_fill(textless[:, None], 0),
        )

    def _embed_text(
        self, memory: Tensor, pieces: Tensor, elapsed: Tensor
    ) -> Tensor:
        """Embed the piece that each step says; float [batch, steps, width]."""
        index = pieces[..., None].expand(-1, -1, memory.shape[2])
        elapsed = elapsed.clamp(max=_MAX_ELAPSED - 1)
        return memory.gather(1, index) + self.elapsed_embedding(elapsed)

    def _predict(self, heads: Tensor, x: Tensor) -> Tensor:
        """Return logits float [..., streams, classes]."""
        logits = F.linear(x, heads, self.heads_bias.flatten())
        return logits.unflatten(-1, (self.num_streams, -1))
