"""Temporal layers and the modified ConvNeXt v2 block of APCodec.

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

from speechbrain_apcodec.utils.errors import ConfigurationError


def length_mask(lengths, max_length):
    """Make a mask of the valid positions of a padded batch.

    Arguments
    ---------
    lengths : torch.Tensor or None
        int64 [batch], the number of valid frames of each item; None where
        every item is as long as the batch.
    max_length : int
        Number of frames of the padded batch.

    Returns
    -------
    torch.Tensor or None
        float32 [batch, 1, frames], 1 where valid; None stays None.

    Example
    -------
    >>> length_mask(torch.tensor([1, 3]), 3).squeeze(1)
    tensor([[1., 0., 0.],
            [1., 1., 1.]])
    """
    if lengths is None:
        return None
    positions = torch.arange(max_length, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(1).float()


def apply_mask(x, mask):
    """Set the frames beyond each item's end to zero.

    Arguments
    ---------
    x : torch.Tensor
        float [batch, channels, frames].
    mask : torch.Tensor or None
        float [batch, 1, frames], or None for no padding.

    Returns
    -------
    torch.Tensor
        float [batch, channels, frames].
    """
    return x if mask is None else x * mask.to(x.dtype)


class NonCausalConv1d(nn.Conv1d):
    """Convolution that looks as far ahead as back and keeps the length.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Odd number of frames.
    groups : int
        Number of groups; ``in_channels`` makes it depth-wise.

    Raises
    ------
    ConfigurationError
        If the kernel is even, which has no centre.

    Example
    -------
    >>> layer = NonCausalConv1d(4, 6, kernel_size=7)
    >>> layer(torch.randn(2, 4, 10)).shape
    torch.Size([2, 6, 10])
    """

    def __init__(self, in_channels, out_channels, kernel_size, groups=1):
        if kernel_size % 2 == 0:
            raise ConfigurationError(
                f"kernel_size is {kernel_size}, but a non-causal convolution "
                "that keeps the length needs an odd one"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=groups,
        )

    def forward(self, x, mask=None):
        """Convolve.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, frames].
        """
        return super().forward(apply_mask(x, mask))


class Downsample(nn.Conv1d):
    """Strided convolution from frames to latents.

    Latent ``n`` is centred on frame ``ratio * n`` if the kernel is odd (the
    published one, 7 frames, leaves one frame in eight untouched) and on the
    middle of its ``ratio`` frames if it is even.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    kernel_size : int
        Number of frames that a latent sees.

    Example
    -------
    >>> layer = Downsample(4, 6, ratio=8, kernel_size=7)
    >>> layer(torch.randn(2, 4, 17)).shape
    torch.Size([2, 6, 3])
    """

    def __init__(self, in_channels, out_channels, ratio, kernel_size):
        even = kernel_size % 2 == 0
        if even and (kernel_size < ratio or (kernel_size - ratio) % 2):
            raise ConfigurationError(
                f"a down-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it odd, or {ratio} plus an "
                "even number"
            )
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        self.left = (kernel_size - ratio) // 2 if even else kernel_size // 2

    def forward(self, x, mask=None):
        """Convolve with stride ``ratio``.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, ceil(frames / ratio)].
        """
        frames = x.shape[-1]
        latents = -(-frames // self.ratio)
        needed = (latents - 1) * self.ratio + self.kernel_size[0]
        x = F.pad(apply_mask(x, mask), (self.left, needed - self.left - frames))
        return super().forward(x)


class Upsample(nn.ConvTranspose1d):
    """Transposed convolution from latents to frames.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    kernel_size : int
        Number of frames that a latent reaches.

    Example
    -------
    >>> layer = Upsample(4, 6, ratio=8, kernel_size=16)
    >>> layer(torch.randn(2, 4, 3)).shape
    torch.Size([2, 6, 24])
    """

    def __init__(self, in_channels, out_channels, ratio, kernel_size):
        if kernel_size < ratio or (kernel_size - ratio) % 2:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it {ratio} plus an even "
                "number"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=ratio,
            padding=(kernel_size - ratio) // 2,
        )

    def forward(self, x, mask=None):
        """Convolve.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, latents].
        mask : torch.Tensor, optional
            float [batch, 1, latents], 1 where the input is valid.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, latents * ratio].
        """
        return super().forward(apply_mask(x, mask))


class GlobalResponseNorm(nn.Module):
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

    def forward(self, x, mask=None):
        """Normalise.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, frames, channels].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.

        Returns
        -------
        torch.Tensor
            float [batch, frames, channels].
        """
        if self.statistic == "frame":
            response = x.abs()
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
    and the residual.

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

    Example
    -------
    >>> block = ConvNeXtBlock(8, 16, kernel_size=7)
    >>> block(torch.randn(2, 8, 10)).shape
    torch.Size([2, 8, 10])
    """

    def __init__(
        self, channels, hidden_channels, kernel_size, grn_statistic="utterance"
    ):
        super().__init__()
        self.depthwise = NonCausalConv1d(
            channels, channels, kernel_size, groups=channels
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden_channels)
        self.grn = GlobalResponseNorm(hidden_channels, grn_statistic)
        self.project = nn.Linear(hidden_channels, channels)

    def forward(self, x, mask=None):
        """Transform.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.

        Returns
        -------
        torch.Tensor
            float [batch, channels, frames].
        """
        y = self.norm(self.depthwise(x, mask).transpose(1, 2))
        y = self.grn(F.gelu(self.expand(y)), mask)
        return x + self.project(y).transpose(1, 2)
