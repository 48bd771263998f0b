"""SpeechBrain's Transformer decoder, whose layers also run step by step.

SpeechBrain's layer computes all steps from all inputs. Here keys and values
are computed apart, so that decoding can keep them. Order, names and initial
values of the weights are SpeechBrain's: so are those in checkpoints.

Paper: https://arxiv.org/abs/1706.03762

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Sequence
from typing import cast

import torch
from speechbrain.nnet.attention import PositionalwiseFeedForward
from speechbrain.nnet.normalization import LayerNorm
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.tts.steps import DecodingCache


class _Projections(nn.Module):
    """The weights of ``nn.MultiheadAttention``."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)


class _Attention(nn.Module):
    """Multi-head attention whose projections can be computed apart."""

    def __init__(self, d_model: int, nhead: int) -> None:
        super().__init__()
        self.att = _Projections(d_model)
        self.nhead = nhead

    def project(self, x: Tensor, first: int, last: int) -> Sequence[Tensor]:
        """Project to some of queries (0), keys (1) and values (2).

        From [batch, steps, d_model] to [batch, heads, steps, width] each.
        """
        rows = slice(first * x.shape[-1], (last + 1) * x.shape[-1])
        projected = F.linear(
            x, self.att.in_proj_weight[rows], self.att.in_proj_bias[rows]
        )
        return [
            part.unflatten(-1, (self.nhead, -1)).transpose(1, 2)
            for part in projected.chunk(last - first + 1, dim=-1)
        ]

    def merge(self, context: Tensor) -> Tensor:
        """From [batch, heads, steps, width] to [batch, steps, d_model]."""
        return self.att.out_proj(context.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    """Self-attention, attention to the text, and a feed-forward network."""

    def __init__(
        self, d_model: int, nhead: int, d_ffn: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_attn = _Attention(d_model, nhead)
        self.multihead_attn = _Attention(d_model, nhead)
        self.pos_ffn = PositionalwiseFeedForward(
            d_ffn, input_size=d_model, dropout=dropout, activation=nn.GELU
        )
        self.norm1 = LayerNorm(d_model, eps=1e-6)
        self.norm2 = LayerNorm(d_model, eps=1e-6)
        self.norm3 = LayerNorm(d_model, eps=1e-6)
        self.dropout = nn.Dropout(dropout)

    def project_steps(self, x: Tensor) -> Sequence[Tensor]:
        """Compute queries, keys and values of the steps."""
        return self.self_attn.project(self.norm1(x), 0, 2)

    def project_text(self, memory: Tensor) -> Sequence[Tensor]:
        """Compute keys and values of the text."""
        return self.multihead_attn.project(memory, 1, 2)

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        keys: Tensor,
        values: Tensor,
        padding: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Compute what follows the self-attention.

        Takes x [batch, steps, d_model], the result of the self-attention
        [batch, heads, steps, width], keys and values of the text, and where
        there is no text, bool [batch, pieces]. Returns the output of the layer
        and the weights [batch, steps, pieces], the mean of the heads.
        """
        x = x + self.dropout(self.self_attn.merge(context))
        (queries,) = self.multihead_attn.project(self.norm2(x), 0, 0)
        scores = queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5
        scores = scores.masked_fill(padding[:, None, None], -torch.inf)
        weights = scores.softmax(dim=-1)
        context = weights.to(values) @ values
        x = x + self.dropout(self.multihead_attn.merge(context))
        x = x + self.dropout(self.pos_ffn(self.norm3(x)))
        return x, weights.mean(dim=1)


class Decoder(nn.Module):
    """Layers that read the text and the steps before."""

    def __init__(
        self,
        num_layers: int,
        d_model: int,
        nhead: int,
        d_ffn: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.layers = cast(
            "Sequence[_Layer]",
            nn.ModuleList(
                _Layer(d_model, nhead, d_ffn, dropout)
                for _ in range(num_layers)
            ),
        )
        self.norm = LayerNorm(d_model, eps=1e-6)

    def forward(
        self, x: Tensor, memory: Tensor, padding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode all steps at once.

        Takes and returns float [batch, steps, d_model]; the second result is
        the attention to the text, float [batch, layers, steps, pieces].
        """
        attention = []
        for layer in self.layers:
            queries, keys, values = layer.project_steps(x)
            context = F.scaled_dot_product_attention(
                queries, keys, values, is_causal=True
            )
            x, weights = layer(x, context, *layer.project_text(memory), padding)
            attention.append(weights)
        return self.norm(x), torch.stack(attention, dim=1)

    def step(self, x: Tensor, cache: DecodingCache) -> tuple[Tensor, Tensor]:
        """Decode the next step, of which the cache gets keys and values."""
        attention, now = [], cache.step
        for layer, steps, text in zip(
            self.layers, cache.steps, cache.text, strict=True
        ):
            queries, *new = layer.project_steps(x)
            for stored, one in zip(steps, new, strict=True):
                stored[:, :, now : now + 1] = one
            keys, values = (stored[:, :, : now + 1] for stored in steps)
            context = F.scaled_dot_product_attention(queries, keys, values)
            x, weights = layer(x, context, *text, cache.padding)
            attention.append(weights)
        cache.step += 1
        return self.norm(x), torch.stack(attention, dim=1)
