"""A Transformer that reads text and predicts the tokens of a codec.

Encoder and decoder are SpeechBrain's, with cross attention between them. A
step of the decoder gets the tokens of the step before, the embeddings of all
streams summed, and predicts those of its own, a softmax for each stream.

SpeechBrain's decoder computes every step anew for each that follows. Here
the same layers also run one step at a time: the keys and values of the text
are computed once, and those of the steps grow in a `DecodingCache`, which
belongs to the caller. Both ways give the same; what they share of a layer is
in `tts.attention`.

An hour of speech is not enough for the attention to find out by itself which
piece of the text comes next. So each step is told the piece that it says, and
predicts whether the next step goes on to the next piece: reading cannot skip
nor repeat (https://arxiv.org/abs/2406.07855). Tokens are known by their
codewords. And steps of the history can be hidden in training, so that the
model cannot just copy the past; or the text, so that its part in a prediction
is known and can be amplified (https://arxiv.org/abs/2209.15352).

Papers: https://arxiv.org/abs/1809.08895, https://arxiv.org/abs/2306.05284

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from speechbrain.lobes.models.transformer.Transformer import (
    PositionalEncoding,
    TransformerDecoder,
    TransformerEncoder,
)
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.tts.attention import (
    merge_heads,
    project_steps,
    project_text,
    read_text,
)
from speechbrain_apcodec.tts.codeword_table import CodewordTable
from speechbrain_apcodec.tts.steps import (
    DecodingCache,
    Prediction,
    count_elapsed,
)
from speechbrain_apcodec.utils.errors import ConfigurationError

#: Steps of a piece that are told from each other.
MAX_ELAPSED = 64


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
    max_steps : int
        Most steps, and as many for the text.

    Raises
    ------
    ConfigurationError
        If the heads do not divide the width.

    Example
    -------
    >>> model = TokenTransformer(30, 2, 8, 3, 5, 16, 2, 1, 1, 32, 0.0, 50)
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

    def __init__(
        self,
        num_pieces,
        num_streams,
        codebook_size,
        num_special,
        codeword_dim,
        d_model,
        nhead,
        num_encoder_layers,
        num_decoder_layers,
        d_ffn,
        dropout,
        max_steps,
    ):
        super().__init__()
        if d_model % nhead:
            raise ConfigurationError(
                f"d_model {d_model} cannot be divided by nhead {nhead}"
            )
        self.num_pieces = num_pieces
        self.num_streams = num_streams
        self.max_steps = max_steps
        sizes = {"nhead": nhead, "d_ffn": d_ffn, "d_model": d_model}
        options = {
            **sizes,
            "dropout": dropout,
            "activation": nn.GELU,
            "normalize_before": True,
        }
        self.text_embedding = nn.Embedding(num_pieces, d_model)
        self.encoder = TransformerEncoder(num_encoder_layers, **options)
        self.no_text = nn.Parameter(torch.randn(d_model))
        table = (num_streams, num_special, codeword_dim, d_model)
        # The sum of the streams shall be as large as a piece of text.
        self.embeddings = CodewordTable(*table, std=num_streams**-0.5)
        self.heads = CodewordTable(*table, std=0.02)
        self.heads_bias = nn.Parameter(
            torch.zeros(num_streams, codebook_size + num_special)
        )
        self.elapsed_embedding = nn.Embedding(MAX_ELAPSED, d_model)
        self.hidden_step = nn.Parameter(torch.randn(d_model))
        self.decoder = TransformerDecoder(num_decoder_layers, **options)
        self.advance = nn.Linear(d_model, 1)
        self.dropout = nn.Dropout(dropout)
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
    def know_codewords(self, codewords):
        """Keep the codewords; they belong to the weights from now on.

        Arguments
        ---------
        codewords : torch.Tensor
            float [streams, codewords, codeword_dim], of any one scale.

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
        text,
        num_text,
        inputs,
        pieces,
        where=None,
        hidden=None,
        textless=None,
    ):
        """Predict all steps at once from the true ones before.

        Arguments
        ---------
        text : torch.Tensor
            int64 [batch, pieces].
        num_text : torch.Tensor
            int64 [batch], pieces of each item.
        inputs : torch.Tensor
            int64 [batch, steps, streams], for each step the tokens of the
            step before it.
        pieces : torch.Tensor
            int64 [batch, steps], the piece of text that each step says.
        where : torch.Tensor, optional
            bool [batch, steps], the steps that are wanted; default: all.
        hidden : torch.Tensor, optional
            bool [batch, steps], the steps whose input is hidden.
        textless : torch.Tensor, optional
            bool [batch], the items whose text is hidden.

        Returns
        -------
        Prediction
            Its logits are [batch, steps, streams, classes], or, of the steps
            that are wanted, [wanted steps, streams, classes].
        """
        memory, padding = self.encode(text, num_text)
        elapsed = count_elapsed(pieces)
        if textless is not None:
            memory, elapsed = self._hide_text(memory, elapsed, textless)
        x = self._embed(self.embeddings(self.codewords).flatten(0, 1), inputs)
        if hidden is not None:
            x = torch.where(hidden[..., None], self.hidden_step.to(x), x)
        x = x + self._place(memory, pieces, elapsed)
        x = self.dropout(x + self.positions[: x.shape[1]])
        attention = []
        for layer in self.decoder.layers:
            queries, keys, values = project_steps(layer, x)
            context = F.scaled_dot_product_attention(
                queries, keys, values, is_causal=True
            )
            x = x + layer.dropout1(merge_heads(layer.self_attn, context))
            x, weights = read_text(
                layer, x, *project_text(layer, memory), padding
            )
            attention.append(weights)
        x = self.decoder.norm(x)
        advance = self.advance(x)[..., 0]
        if where is not None:
            x = x[where]
        heads = self.heads(self.codewords).flatten(0, 1)
        return Prediction(
            self._predict(heads, x), advance, torch.stack(attention, dim=1)
        )

    def encode(self, text, num_text):
        """Read the text.

        Arguments
        ---------
        text : torch.Tensor
            int64 [batch, pieces].
        num_text : torch.Tensor
            int64 [batch].

        Returns
        -------
        memory : torch.Tensor
            float [batch, pieces, width].
        padding : torch.Tensor
            bool [batch, pieces], where there is no text.
        """
        pieces = torch.arange(text.shape[1], device=text.device)
        padding = pieces >= num_text[:, None]
        x = self.text_embedding(text) + self.positions[: text.shape[1]]
        memory, _ = self.encoder(self.dropout(x), src_key_padding_mask=padding)
        return memory, padding

    def start(self, text, num_text, max_steps, textless=None):
        """Read the text once, for steps to come.

        Arguments
        ---------
        text : torch.Tensor
            int64 [batch, pieces].
        num_text : torch.Tensor
            int64 [batch].
        max_steps : int
            Most steps that will follow.
        textless : torch.Tensor, optional
            bool [batch], the items that shall not see it.

        Returns
        -------
        DecodingCache
        """
        memory, padding = self.encode(text, num_text)
        if textless is None:
            textless = torch.zeros_like(num_text, dtype=torch.bool)
        memory, _ = self._hide_text(memory, num_text[:, None], textless)
        projected = [
            project_text(layer, memory) for layer in self.decoder.layers
        ]
        batch, heads, _, width = projected[0][0].shape
        shape = (batch, heads, max_steps, width)
        return DecodingCache(
            embeddings=self.embeddings(self.codewords).flatten(0, 1),
            heads=self.heads(self.codewords).flatten(0, 1),
            memory=memory,
            textless=textless,
            text_keys=[keys for keys, _ in projected],
            text_values=[values for _, values in projected],
            padding=padding,
            keys=[memory.new_empty(shape) for _ in projected],
            values=[memory.new_empty(shape) for _ in projected],
            pieces=torch.full_like(num_text, -1),
            begun=torch.zeros_like(num_text),
        )

    def step(self, cache, inputs, pieces):
        """Predict one step more.

        Arguments
        ---------
        cache : DecodingCache
            From ``start``; it is updated.
        inputs : torch.Tensor
            int64 [batch, streams], the tokens of the step before.
        pieces : torch.Tensor
            int64 [batch], the piece of text that the step says.

        Returns
        -------
        Prediction
            Its logits are [batch, streams, classes].
        """
        now = cache.step
        cache.begun = torch.where(pieces == cache.pieces, cache.begun, now)
        cache.pieces = pieces
        elapsed = (now - cache.begun).masked_fill(cache.textless, 0)
        place = self._place(cache.memory, pieces[:, None], elapsed[:, None])
        x = self._embed(cache.embeddings, inputs[:, None])
        x = x + place + self.positions[now]
        attention = []
        for n, layer in enumerate(self.decoder.layers):
            queries, keys, values = project_steps(layer, x)
            cache.keys[n][:, :, now : now + 1] = keys
            cache.values[n][:, :, now : now + 1] = values
            context = F.scaled_dot_product_attention(
                queries,
                cache.keys[n][:, :, : now + 1],
                cache.values[n][:, :, : now + 1],
            )
            x = x + merge_heads(layer.self_attn, context)
            x, weights = read_text(
                layer,
                x,
                cache.text_keys[n],
                cache.text_values[n],
                cache.padding,
            )
            attention.append(weights)
        cache.step += 1
        x = self.decoder.norm(x)
        return Prediction(
            self._predict(cache.heads, x)[:, 0],
            self.advance(x)[..., 0],
            torch.stack(attention, dim=1),
        )

    def _embed(self, embeddings, inputs):
        """Sum the embeddings of the streams; float [batch, steps, width]."""
        return F.embedding(inputs + self.offsets, embeddings).sum(dim=2)

    def _hide_text(self, memory, elapsed, textless):
        """Put one and the same in the place of the text of some items."""
        return (
            torch.where(
                textless[:, None, None], self.no_text.to(memory), memory
            ),
            elapsed.masked_fill(textless[:, None], 0),
        )

    def _place(self, memory, pieces, elapsed):
        """Say where in the text steps are; float [batch, steps, width]."""
        index = pieces[..., None].expand(-1, -1, memory.shape[2])
        elapsed = elapsed.clamp(max=MAX_ELAPSED - 1)
        return memory.gather(1, index) + self.elapsed_embedding(elapsed)

    def _predict(self, heads, x):
        logits = F.linear(x, heads, self.heads_bias.flatten())
        return logits.unflatten(-1, (self.num_streams, -1))
