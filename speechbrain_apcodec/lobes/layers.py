"""Global response normalisation and the ConvNeXt v2 block of APCodec.

Every layer takes an optional mask, so that a padded batch gives each item
what it would get alone: whatever reaches across time sees zeros beyond an
item's own end, as a convolution's own zero padding would show it.

Paper: https://arxiv.org/abs/2402.10533 (section II, figure 2)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.convolutions import (
    NonCausalConv1d,
    TemporalLayer,
)
from speechbrain_apcodec.utils.errors import ConfigurationError


class GlobalResponseNorm(TemporalLayer, nn.Module):
    """Global response normalisation (GRN) of ConvNeXt v2.

    With g the response of each channel, y = gamma * x * n + beta + x, where
    n = g / (mean of g over the channels + 1e-6).

    Arguments
    ---------
    channels : int
        Number of channels.
    statistic : str
        ``utterance``: g is the L2 norm over the time of the whole utterance,
        as published, so that an output frame depends on all input frames.
        ``frame``: g is the magnitude in the frame itself, so that whole
        files, chunks and streams agree.

    Raises
    ------
    ConfigurationError
        If the statistic is neither.

    Example
    -------
    >>> norm = GlobalResponseNorm(4, statistic="frame")
    >>> x = torch.randn(2, 10, 4)
    >>> torch.equal(norm(x), x)  # gamma and beta begin at zero
    True
    """

    def __init__(self, channels, statistic="utterance"):
        super().__init__()
        if statistic not in ("utterance", "frame"):
            raise ConfigurationError(
                f"the GRN statistic is '{statistic}', but must be "
                "'utterance' or 'frame'"
            )
        self.statistic = statistic
        self.gamma = nn.Parameter(torch.zeros(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x, mask=None, stream=None):
        """Normalise.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, frames, channels].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            The stream that these frames are the next ones of.

        Returns
        -------
        torch.Tensor
            float [batch, frames, channels].
        """
        if self.statistic == "frame":
            response = x.abs()
        elif stream is not None:
            response = stream.response(self, x)
        else:
            valid = x if mask is None else x * mask.transpose(1, 2).to(x.dtype)
            # A sum of squares over thousands of frames needs float32.
            dtype = torch.promote_types(x.dtype, torch.float32)
            response = torch.linalg.vector_norm(
                valid, dim=1, keepdim=True, dtype=dtype
            )
        relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
        return torch.addcmul(self.beta + x, self.gamma * relative, x).to(
            x.dtype
        )


class ConvNeXtBlock(nn.Module):
    """Modified ConvNeXt v2 block of APCodec (figure 2 of the paper).

    Depth-wise convolution, layer normalisation, Linear, GELU, GRN, Linear,
    and the residual. A kernel of a single frame leaves the depth-wise
    convolution out, as APCodec-S does: it would only scale the channels
    before they are normalised.

    Arguments
    ---------
    channels : int
        Width of the network.
    hidden_channels : int
        Width between the two linear layers.
    kernel_size : int
        Frames that the depth-wise convolution sees.
    grn_statistic : str
        See ``GlobalResponseNorm``.
    convolution : callable
        Class of the depth-wise convolution, from ``lobes.convolutions``.

    Example
    -------
    >>> block = ConvNeXtBlock(8, 16, kernel_size=7)
    >>> block(torch.randn(2, 8, 10)).shape
    torch.Size([2, 8, 10])
    """

    def __init__(
        self,
        channels,
        hidden_channels,
        kernel_size,
        grn_statistic="utterance",
        convolution=NonCausalConv1d,
    ):
        super().__init__()
        self.depthwise = None
        if kernel_size > 1:
            self.depthwise = convolution(
                channels, channels, kernel_size, groups=channels
            )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden_channels)
        self.grn = GlobalResponseNorm(hidden_channels, grn_statistic)
        self.project = nn.Linear(hidden_channels, channels)

    def place(self, path, rate, delay):
        """Take a place in a network; see ``TemporalLayer.place``.

        Arguments
        ---------
        path : str
            Name of the block in the network.
        rate : int
            Frames per latent.
        delay : int
            Frames by which the input lags behind in a stream.

        Returns
        -------
        int
            The same for the output.
        """
        if self.depthwise is not None:
            delay = self.depthwise.place(f"{path}.depthwise", rate, delay)
        return self.grn.place(f"{path}.grn", rate, delay)

    def forward(self, x, mask=None, stream=None):
        """Transform.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            The stream that these frames are the next ones of.

        Returns
        -------
        torch.Tensor
            float [batch, channels, frames].
        """
        y = x
        if self.depthwise is not None:
            if stream is not None:
                x = stream.delayed(self.depthwise, x)
            y = self.depthwise(y, mask, stream)
        y = self.norm(y.transpose(1, 2))
        y = self.grn(F.gelu(self.expand(y)), mask, stream)
        return x + self.project(y).transpose(1, 2)
