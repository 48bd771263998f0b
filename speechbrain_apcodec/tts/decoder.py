"""The attentions of SpeechBrain's decoder layer, part by part.

The layer itself computes all steps from all inputs. Taken apart, its weights
also serve one step at a time, with keys and values that are kept.

Paper: https://arxiv.org/abs/1706.03762

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch.nn import functional as F


def project_steps(layer, x):
    """Make queries, keys and values of the steps themselves.

    Arguments
    ---------
    layer : speechbrain.lobes.models.transformer.Transformer.\
TransformerDecoderLayer
        The layer.
    x : torch.Tensor
        float [batch, steps, d_model], its input.

    Returns
    -------
    list of torch.Tensor
        Three float [batch, heads, steps, width].
    """
    attention = layer.self_attn.att
    projected = F.linear(
        layer.norm1(x), attention.in_proj_weight, attention.in_proj_bias
    )
    return [_split(attention, part) for part in projected.chunk(3, dim=-1)]


def project_text(layer, memory):
    """Make keys and values of the text.

    Arguments
    ---------
    layer : speechbrain.lobes.models.transformer.Transformer.\
TransformerDecoderLayer
        The layer.
    memory : torch.Tensor
        float [batch, pieces, d_model].

    Returns
    -------
    list of torch.Tensor
        Two float [batch, heads, pieces, width].
    """
    attention = layer.multihead_attn.att
    width = attention.embed_dim
    projected = F.linear(
        memory,
        attention.in_proj_weight[width:],
        attention.in_proj_bias[width:],
    )
    return [_split(attention, part) for part in projected.chunk(2, dim=-1)]


def merge_heads(attention, context):
    """Join what the heads found.

    Arguments
    ---------
    attention : speechbrain.nnet.attention.MultiheadAttention
        The attention.
    context : torch.Tensor
        float [batch, heads, steps, width].

    Returns
    -------
    torch.Tensor
        float [batch, steps, d_model].
    """
    return attention.att.out_proj(context.transpose(1, 2).flatten(2))


def read_text(layer, x, keys, values, padding):
    """Do what follows the self attention in a layer of the decoder.

    Arguments
    ---------
    layer : speechbrain.lobes.models.transformer.Transformer.\
TransformerDecoderLayer
        The layer.
    x : torch.Tensor
        float [batch, steps, d_model].
    keys : torch.Tensor
        float [batch, heads, pieces, width], from ``project_text``.
    values : torch.Tensor
        float [batch, heads, pieces, width].
    padding : torch.Tensor
        bool [batch, pieces], where there is no text.

    Returns
    -------
    x : torch.Tensor
        float [batch, steps, d_model], the output of the layer.
    weights : torch.Tensor
        float [batch, steps, pieces], the mean of the heads.
    """
    attention = layer.multihead_attn.att
    width = attention.embed_dim
    queries = F.linear(
        layer.norm2(x),
        attention.in_proj_weight[:width],
        attention.in_proj_bias[:width],
    )
    queries = _split(attention, queries)
    scores = queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5
    scores = scores.masked_fill(padding[:, None, None], -torch.inf)
    weights = scores.softmax(dim=-1)
    context = weights.to(values) @ values
    x = x + layer.dropout2(merge_heads(layer.multihead_attn, context))
    x = x + layer.dropout3(layer.pos_ffn(layer.norm3(x)))
    return x, weights.mean(dim=1)


def _split(attention, x):
    """From [batch, steps, d_model] to [batch, heads, steps, width]."""
    return x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
