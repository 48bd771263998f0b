"""Finds which piece of its text each frame of speech says, without labels.

SpeechBrain's alignment network gives each frame a probability of each piece.
It learns from the sum over all monotonic paths through the text that leave no
piece out; the best of them is found by dynamic programming.

Paper: https://arxiv.org/abs/2108.10447 (One TTS Alignment To Rule Them All)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from speechbrain.lobes.models.FastSpeech2 import (
    AlignmentNetwork,
    maximum_path_numpy,
)
from torch import Tensor, nn
from torch.nn import functional as F

#: Factor of a squared distance. That of the paper, a fortieth of it, learns
#: much slower with an hour of speech.
_TEMPERATURE = 0.02

#: Log-probability of the impossible: -inf would make the gradients NaN.
_NEVER = -1e4


class TokenAligner(nn.Module):
    """Aligns speech, as a codec's latents, and the pieces of its text.

    Arguments
    ---------
    num_pieces : int
        Ids of the text.
    latent_dim : int
        Channels of a frame, or of a group of frames.
    channels : int
        Width.

    Example
    -------
    >>> aligner = TokenAligner(30, 5, 16)
    >>> text, num_text = torch.randint(30, (2, 6)), torch.tensor([6, 4])
    >>> latents, num_frames = torch.randn(2, 9, 5), torch.tensor([9, 7])
    >>> scores = aligner(text, num_text, latents, num_frames)
    >>> scores.shape
    torch.Size([2, 9, 6])
    >>> best_path(scores, num_text, num_frames)[0, [0, -1]].tolist()
    [0, 5]
    """

    def __init__(self, num_pieces: int, latent_dim: int, channels: int) -> None:
        super().__init__()
        self.text_embedding = nn.Embedding(num_pieces, channels)
        self.network = AlignmentNetwork(
            latent_dim, channels, channels, _TEMPERATURE
        )

    def forward(
        self,
        text: Tensor,
        num_text: Tensor,
        latents: Tensor,
        num_frames: Tensor,
    ) -> Tensor:
        """Score each piece for each frame, of which there are no fewer.

        From text, int64 [batch, pieces], and latents, float [batch, frames,
        latent_dim], with zeros beyond an item's frames, to unnormalised
        log-probabilities, float [batch, frames, pieces].
        """
        # Differences of large numbers: not with the eight bits of bfloat16.
        with torch.autocast(latents.device.type, enabled=False):
            _, scores = self.network(
                latents.transpose(1, 2),
                self.text_embedding(text).transpose(1, 2),
                None,
                diagonal_prior(num_text, num_frames, latents.shape[1]),
            )
        pieces = torch.arange(text.shape[1], device=text.device)
        outside = pieces >= num_text[:, None, None]
        return scores[:, 0].masked_fill(outside, _NEVER)


def diagonal_prior(num_text: Tensor, num_frames: Tensor, frames: int) -> Tensor:
    """Compute the beta-binomial prior of the diagonal.

    float [batch, frames, pieces] for a batch of ``frames``; 0 outside of an
    item.
    """
    pieces = torch.arange(int(num_text.max()), device=num_text.device)
    frame = torch.arange(1, frames + 1, device=num_text.device)[:, None]
    most = num_text[:, None, None] - 1.0  # of the piece's number
    inside = pieces <= most
    piece = torch.minimum(pieces, most)
    alpha, beta = frame, (num_frames[:, None, None] - frame + 1.0).clamp(min=1)
    inside = inside & (frame <= num_frames[:, None, None])
    logarithm = (
        (most + 1).lgamma()
        - (piece + 1).lgamma()
        - (most - piece + 1).lgamma()
        + (piece + alpha).lgamma()
        + (most - piece + beta).lgamma()
        - (most + alpha + beta).lgamma()
        + (alpha + beta).lgamma()
        - (alpha * 1.0).lgamma()
        - beta.lgamma()
    )
    return logarithm.exp() * inside


def forward_sum_loss(
    scores: Tensor, num_text: Tensor, num_frames: Tensor
) -> Tensor:
    """Sum over all alignments of ``TokenAligner``, as the CTC loss does.

    SpeechBrain's loss of this name takes an item at a time. The result is a
    scalar, the negative log-likelihood per piece.
    """
    # A blank of constant probability, as in the paper's code.
    logarithms = F.pad(scores, (1, 0), value=-1.0).log_softmax(dim=-1)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device)
    return F.ctc_loss(
        logarithms.transpose(0, 1),
        targets.expand(len(scores), -1),
        num_frames,
        num_text,
        zero_infinity=True,
    )


def best_path(scores: Tensor, num_text: Tensor, num_frames: Tensor) -> Tensor:
    """Find the best alignment that leaves no piece out.

    From the scores of ``TokenAligner`` to the piece of each frame, int64
    [batch, frames]; beyond an item's frames it is its last one.
    """
    pieces = torch.arange(scores.shape[2], device=scores.device)
    frames = torch.arange(scores.shape[1], device=scores.device)
    inside = (pieces[:, None] < num_text[:, None, None]) & (
        frames < num_frames[:, None, None]
    )
    scores = scores.log_softmax(dim=-1).transpose(1, 2)
    path = maximum_path_numpy(scores, inside.to(scores))
    beyond = frames >= num_frames[:, None]
    return torch.where(beyond, num_text[:, None] - 1, path.argmax(dim=1))
