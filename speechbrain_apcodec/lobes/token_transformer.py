"""A Transformer that reads text and predicts the tokens of a codec.

Encoder and decoder are SpeechBrain's, with cross attention between them. A
step of the decoder gets the tokens of the step before, the embeddings of all
streams summed, and predicts those of its own, a softmax for each stream.

SpeechBrain's decoder computes every step anew for each that follows. Here
the same layers also run one step at a time: the keys and values of the text
are computed once, and those of the steps grow in a `DecodingCache`, which
belongs to the caller. Both ways give the same.

An hour of speech is not enough for the attention to find out by itself which
piece of the text comes next. So each step is told the piece that it says, and
predicts whether the next step goes on to the next piece: reading cannot skip
nor repeat (https://arxiv.org/abs/2406.07855). And steps of the history can be
hidden in training: the model cannot just copy the past then.

Papers: https://arxiv.org/abs/1809.08895, https://arxiv.org/abs/2306.05284

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from speechbrain.lobes.models.transformer.Transformer import (
    PositionalEncoding,
    TransformerDecoder,
    TransformerEncoder,
)
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.utils.errors import ConfigurationError


@dataclass
class Prediction:
    """What the decoder says of steps.

    Arguments
    ---------
    logits : torch.Tensor
        float [..., streams, classes].
    advance : torch.Tensor
        float [batch, steps], the log-odds that the next step says the next
        piece of the text.
    attention : torch.Tensor
        float [batch, layers, steps, pieces]: where each layer looks in the
        text, the mean of its heads.
    """

    logits: torch.Tensor
    advance: torch.Tensor
    attention: torch.Tensor


@dataclass
class DecodingCache:
    """What decoding one step at a time keeps; one entry a layer.

    Arguments
    ---------
    memory : torch.Tensor
        float [batch, pieces, width], the text.
    text_keys : list of torch.Tensor
        float [batch, heads, pieces, width].
    text_values : list of torch.Tensor
        float [batch, heads, pieces, width].
    padding : torch.Tensor
        bool [batch, pieces], where there is no text.
    keys : list of torch.Tensor
        float [batch, heads, most steps, width], of which ``step`` are there.
    values : list of torch.Tensor
        float [batch, heads, most steps, width].
    pieces : torch.Tensor
        int64 [batch], the piece of the last step.
    begun : torch.Tensor
        int64 [batch], the step that was the first to say it.
    step : int
        Steps done.
    """

    memory: torch.Tensor
    text_keys: list
    text_values: list
    padding: torch.Tensor
    keys: list
    values: list
    pieces: torch.Tensor
    begun: torch.Tensor
    step: int = 0


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
    num_classes : int
        Ids of a token, the special ones included.
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
    >>> model = TokenTransformer(30, 2, 11, 16, 2, 1, 1, 32, 0.0, 50)
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
        num_classes,
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
        self.num_classes = num_classes
        self.nhead = nhead
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
        self.token_embedding = nn.Embedding(num_streams * num_classes, d_model)
        # The sum of the streams shall be as large as a piece of text.
        nn.init.normal_(self.token_embedding.weight, std=num_streams**-0.5)
        self.elapsed_embedding = nn.Embedding(MAX_ELAPSED, d_model)
        self.hidden_step = nn.Parameter(torch.randn(d_model))
        self.decoder = TransformerDecoder(num_decoder_layers, **options)
        self.heads = nn.Linear(d_model, num_streams * num_classes)
        self.advance = nn.Linear(d_model, 1)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer(
            "positions",
            PositionalEncoding(d_model, max_steps).pe[0],
            persistent=False,
        )
        self.register_buffer(
            "offsets",
            num_classes * torch.arange(num_streams),
            persistent=False,
        )

    def forward(self, text, num_text, inputs, pieces, where=None, hidden=None):
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

        Returns
        -------
        Prediction
            Its logits are [batch, steps, streams, classes], or, of the steps
            that are wanted, [wanted steps, streams, classes].
        """
        memory, padding = self.encode(text, num_text)
        x = self._embed(inputs)
        if hidden is not None:
            x = torch.where(hidden[..., None], self.hidden_step.to(x), x)
        x = x + self._place(memory, pieces, count_elapsed(pieces))
        x = self.dropout(x + self.positions[: x.shape[1]])
        attention = []
        for layer in self.decoder.layers:
            queries, keys, values = self._project(
                layer.self_attn, layer.norm1(x)
            )
            context = F.scaled_dot_product_attention(
                queries, keys, values, is_causal=True
            )
            x = x + layer.dropout1(self._merge(layer.self_attn, context))
            x, weights = self._read_text(
                layer, x, *self._project_text(layer, memory), padding
            )
            attention.append(weights)
        x = self.decoder.norm(x)
        advance = self.advance(x)[..., 0]
        if where is not None:
            x = x[where]
        return Prediction(
            self._predict(x), advance, torch.stack(attention, dim=1)
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

    def start(self, text, num_text, max_steps):
        """Read the text once, for steps to come.

        Arguments
        ---------
        text : torch.Tensor
            int64 [batch, pieces].
        num_text : torch.Tensor
            int64 [batch].
        max_steps : int
            Most steps that will follow.

        Returns
        -------
        DecodingCache
        """
        memory, padding = self.encode(text, num_text)
        projected = [
            self._project_text(layer, memory) for layer in self.decoder.layers
        ]
        batch, heads, _, width = projected[0][0].shape
        shape = (batch, heads, max_steps, width)
        return DecodingCache(
            memory=memory,
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
        place = self._place(
            cache.memory, pieces[:, None], (now - cache.begun)[:, None]
        )
        x = self._embed(inputs[:, None]) + place + self.positions[now]
        attention = []
        for n, layer in enumerate(self.decoder.layers):
            queries, keys, values = self._project(
                layer.self_attn, layer.norm1(x)
            )
            cache.keys[n][:, :, now : now + 1] = keys
            cache.values[n][:, :, now : now + 1] = values
            context = F.scaled_dot_product_attention(
                queries,
                cache.keys[n][:, :, : now + 1],
                cache.values[n][:, :, : now + 1],
            )
            x = x + self._merge(layer.self_attn, context)
            x, weights = self._read_text(
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
            self._predict(x)[:, 0],
            self.advance(x)[..., 0],
            torch.stack(attention, dim=1),
        )

    def _embed(self, inputs):
        """Sum the embeddings of the streams; float [batch, steps, width]."""
        return self.token_embedding(inputs + self.offsets).sum(dim=2)

    def _place(self, memory, pieces, elapsed):
        """Say where in the text steps are; float [batch, steps, width]."""
        index = pieces[..., None].expand(-1, -1, memory.shape[2])
        elapsed = elapsed.clamp(max=MAX_ELAPSED - 1)
        return memory.gather(1, index) + self.elapsed_embedding(elapsed)

    def _predict(self, x):
        return self.heads(x).unflatten(-1, (self.num_streams, -1))

    def _split(self, x):
        """From [batch, steps, d_model] to [batch, heads, steps, width]."""
        return x.unflatten(-1, (self.nhead, -1)).transpose(1, 2)

    def _project(self, attention, x):
        """Make queries, keys and values of the steps themselves."""
        attention = attention.att
        projected = F.linear(
            x, attention.in_proj_weight, attention.in_proj_bias
        )
        return [self._split(part) for part in projected.chunk(3, dim=-1)]

    def _project_text(self, layer, memory):
        """Make keys and values of the text."""
        attention = layer.multihead_attn.att
        width = attention.embed_dim
        projected = F.linear(
            memory,
            attention.in_proj_weight[width:],
            attention.in_proj_bias[width:],
        )
        return [self._split(part) for part in projected.chunk(2, dim=-1)]

    def _merge(self, attention, context):
        return attention.att.out_proj(context.transpose(1, 2).flatten(2))

    def _read_text(self, layer, x, keys, values, padding):
        """Do what follows the self attention in a layer of the decoder."""
        attention = layer.multihead_attn.att
        width = attention.embed_dim
        queries = self._split(
            F.linear(
                layer.norm2(x),
                attention.in_proj_weight[:width],
                attention.in_proj_bias[:width],
            )
        )
        scores = queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5
        scores = scores.masked_fill(padding[:, None, None], -torch.inf)
        weights = scores.softmax(dim=-1)
        context = weights.to(values) @ values
        x = x + layer.dropout2(self._merge(layer.multihead_attn, context))
        x = x + layer.dropout3(layer.pos_ffn(layer.norm3(x)))
        return x, weights.mean(dim=1)


def count_elapsed(pieces):
    """Count the steps since a piece of text began.

    Arguments
    ---------
    pieces : torch.Tensor
        int64 [batch, steps], the piece of each step.

    Returns
    -------
    torch.Tensor
        int64 [batch, steps]

    Example
    -------
    >>> count_elapsed(torch.tensor([[0, 0, 1, 2, 2, 2]])).tolist()
    [[0, 1, 0, 0, 1, 2]]
    """
    steps = torch.arange(pieces.shape[1], device=pieces.device)
    same = F.pad(pieces[:, 1:] == pieces[:, :-1], (1, 0))
    begun = torch.where(same, 0, steps).cummax(dim=1).values
    return steps - begun
