"""The layers that reach across time, and what they need to be streamed.

Every one of them says how far it looks back (``left``) and ahead
(``right``). Alone, a layer sees zeros beyond both ends. In a stream it sees
the frames that went before, kept by the caller's state, and its output lags
behind its input by what it looks ahead: the same sum is computed either way.

Paper: https://arxiv.org/abs/2402.10533 (section II)

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
    """Set the frames that are not an item's own to zero.

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


class TemporalLayer:
    """What a stream asks of a layer; mixed into the layers below.

    ``place`` gives a layer its place in a network that is streamed: the
    ``path`` under which its past is kept, its ``rate`` in frames per latent,
    and the ``delay``, in frames, by which its input lags behind that of the
    network.
    """

    left = 0
    right = 0
    path = None
    rate = 1
    delay = 0

    def place(self, path, rate, delay):
        """Take a place in a network.

        Arguments
        ---------
        path : str
            Name of the layer in the network.
        rate : int
            Frames per latent at the layer's input.
        delay : int
            Frames by which the layer's input lags behind in a stream.

        Returns
        -------
        int
            The same for the layer's output.
        """
        self.path, self.rate, self.delay = path, rate, delay
        return delay + self.right

    @property
    def history_length(self):
        """Frames of the past that a stream must keep."""
        return self.left + self.right


class _Conv1d(TemporalLayer, nn.Conv1d):
    """Convolution that keeps the length, whatever it sees."""

    def forward(self, x, mask=None, stream=None):
        """Convolve.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            The stream that these frames are the next ones of.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, frames].
        """
        padding = 0
        if stream is not None:
            x = stream.extend(self, x)
        elif self.left == self.right:
            x, padding = apply_mask(x, mask), self.left  # without a copy
        else:
            x = F.pad(apply_mask(x, mask), (self.left, self.right))
        return F.conv1d(
            x, self.weight, self.bias, padding=padding, groups=self.groups
        )


def begin_with_own_frame(convolution):
    """Let a new convolution see its own frame only, until it is trained.

    Random taps would make each frame one of ``kernel_size`` that are mixed at
    random; a network of such layers first has to learn to tell frames 40
    samples apart from each other, and until then learns no phase.

    Arguments
    ---------
    convolution : NonCausalConv1d, CausalConv1d or FeedForward
        It is changed: its weights keep their mean square.

    Returns
    -------
    torch.nn.Module
        The same.

    Example
    -------
    >>> layer = begin_with_own_frame(NonCausalConv1d(4, 6, kernel_size=7))
    >>> x = torch.randn(2, 4, 10)
    >>> torch.allclose(layer(x)[..., 5:6], layer(x[..., 5:6]), atol=1e-6)
    True
    """
    with torch.no_grad():
        weight = convolution.weight
        own = weight[..., convolution.left] * weight.shape[-1] ** 0.5
        weight.zero_()[..., convolution.left] = own
    return convolution


class NonCausalConv1d(_Conv1d):
    """Convolution that looks as far ahead as back.

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
        super().__init__(in_channels, out_channels, kernel_size, groups=groups)
        self.left = self.right = kernel_size // 2


class CausalConv1d(_Conv1d):
    """Convolution that looks back only.

    The streamable descendants of APCodec have it (StreamCodec,
    https://arxiv.org/abs/2504.06561).

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Number of frames, the present one included.
    groups : int
        Number of groups; ``in_channels`` makes it depth-wise.

    Example
    -------
    >>> layer = CausalConv1d(4, 6, kernel_size=7)
    >>> x = torch.randn(2, 4, 10)
    >>> later = x.clone()
    >>> later[..., 5:] = 0
    >>> torch.allclose(layer(x)[..., :5], layer(later)[..., :5])
    True
    """

    def __init__(self, in_channels, out_channels, kernel_size, groups=1):
        super().__init__(in_channels, out_channels, kernel_size, groups=groups)
        self.left = kernel_size - 1


class FeedForward(_Conv1d):
    """The same linear map of every frame, which sees no other frame.

    APCodec-S puts it wherever APCodec convolves over time.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    kernel_size : int
        Must be 1; stands here so that the layers can be exchanged.

    Raises
    ------
    ConfigurationError
        If the kernel is larger.

    Example
    -------
    >>> layer = FeedForward(4, 6, kernel_size=1)
    >>> layer(torch.randn(2, 4, 10)).shape
    torch.Size([2, 6, 10])
    """

    def __init__(self, in_channels, out_channels, kernel_size=1):
        if kernel_size != 1:
            raise ConfigurationError(
                f"a feed-forward layer sees one frame: set kernel_size to 1, "
                f"not {kernel_size}"
            )
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x, mask=None, stream=None):
        """Map every frame.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, frames].
        mask : torch.Tensor, optional
            Not needed: no frame sees another one.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            Not needed either.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, frames].
        """
        weight = self.weight.squeeze(-1)
        return F.linear(x.transpose(1, 2), weight, self.bias).transpose(1, 2)


class Downsample(TemporalLayer, nn.Conv1d):
    """Strided convolution from frames to latents, centred.

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

    Raises
    ------
    ConfigurationError
        If the kernel cannot be centred.

    Example
    -------
    >>> layer = Downsample(4, 6, ratio=8, kernel_size=7)
    >>> layer(torch.randn(2, 4, 17)).shape
    torch.Size([2, 6, 3])
    """

    def __init__(self, in_channels, out_channels, ratio, kernel_size):
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        self.left = self._left(ratio, kernel_size)
        # Frames after the first one of the latent's own.
        self.lookahead = kernel_size - 1 - self.left
        self.place("", ratio, 0)

    @staticmethod
    def _left(ratio, kernel_size):
        even = kernel_size % 2 == 0
        if even and (kernel_size < ratio or (kernel_size - ratio) % 2):
            raise ConfigurationError(
                f"a down-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it odd, or {ratio} plus an "
                "even number"
            )
        return (kernel_size - ratio) // 2 if even else kernel_size // 2

    def place(self, path, rate, delay):
        """Take a place in a network; see ``TemporalLayer.place``.

        The input comes in whole groups of ``ratio`` frames: the output lags
        by the groups, rounded up, that the last frame of a kernel is late.

        Arguments
        ---------
        path : str
            Name of the layer in the network.
        rate : int
            Frames per latent at the layer's input.
        delay : int
            Frames by which the layer's input lags behind.

        Returns
        -------
        int
            Latents by which the output lags behind.
        """
        super().place(path, rate, delay)
        late = max(0, delay + self.lookahead + 1 - self.ratio)
        latent_delay = -(-late // self.ratio)
        # From the first frame of the kernel to the first one that is new;
        # negative where a kernel shorter than the stride skips frames.
        self.offset = latent_delay * self.ratio - delay + self.left
        return latent_delay

    @property
    def history_length(self):
        """Frames of the past that a stream must keep."""
        return max(0, self.offset)

    def forward(self, x, mask=None, stream=None):
        """Convolve with stride ``ratio``.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, frames].
        mask : torch.Tensor, optional
            float [batch, 1, frames], 1 where the input is valid.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            The stream that these frames are the next ones of.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, ceil(frames / ratio)].
        """
        latents = -(-x.shape[-1] // self.ratio)
        needed = (latents - 1) * self.ratio + self.kernel_size[0]
        if stream is not None:
            x = stream.extend(self, x)[..., max(0, -self.offset) :]
        else:
            x = F.pad(apply_mask(x, mask), (self.left, 0))
        x = F.pad(x, (0, needed - x.shape[-1]))
        return F.conv1d(x, self.weight, self.bias, stride=self.ratio)


class CausalDownsample(Downsample):
    """Strided convolution whose latents see their own frames and earlier ones.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    kernel_size : int
        Number of frames that a latent sees, the last of them its own last.

    Raises
    ------
    ConfigurationError
        If the kernel is shorter than the stride.

    Example
    -------
    >>> layer = CausalDownsample(4, 6, ratio=8, kernel_size=16)
    >>> layer.left, layer.lookahead
    (8, 7)
    """

    @staticmethod
    def _left(ratio, kernel_size):
        if kernel_size < ratio:
            raise ConfigurationError(
                f"a causal down-sampling kernel of {kernel_size} frames "
                f"leaves out some of its {ratio} frames: make it at least "
                f"{ratio}"
            )
        return kernel_size - ratio


class Upsample(TemporalLayer, nn.ConvTranspose1d):
    """Transposed convolution from latents to frames, centred.

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

    Raises
    ------
    ConfigurationError
        If the kernel cannot be centred.

    Example
    -------
    >>> layer = Upsample(4, 6, ratio=8, kernel_size=16)
    >>> layer(torch.randn(2, 4, 3)).shape
    torch.Size([2, 6, 24])
    """

    def __init__(self, in_channels, out_channels, ratio, kernel_size):
        super().__init__(in_channels, out_channels, kernel_size, stride=ratio)
        self.ratio = ratio
        # Frames that a latent reaches before its own first one.
        self.lookahead = self._lookahead(ratio, kernel_size)
        self.right = -(-self.lookahead // ratio)
        self.left = -(-(kernel_size - self.lookahead) // ratio) - 1

    @staticmethod
    def _lookahead(ratio, kernel_size):
        if kernel_size < ratio or (kernel_size - ratio) % 2:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames cannot be "
                f"centred on {ratio} frames: make it {ratio} plus an even "
                "number"
            )
        return (kernel_size - ratio) // 2

    def forward(self, x, mask=None, stream=None):
        """Convolve.

        Arguments
        ---------
        x : torch.Tensor
            float [batch, in_channels, latents].
        mask : torch.Tensor, optional
            float [batch, 1, latents], 1 where the input is valid.
        stream : speechbrain_apcodec.lobes.streaming.Stream, optional
            The stream that these latents are the next ones of.

        Returns
        -------
        torch.Tensor
            float [batch, out_channels, latents * ratio].
        """
        frames, first = x.shape[-1] * self.ratio, self.lookahead
        if stream is not None:
            x = stream.extend(self, x)
            first += self.left * self.ratio
        else:
            x = apply_mask(x, mask)
        return self._spread(x).narrow(-1, first, frames)

    def _spread(self, x):
        """Convolve, all frames that the latents reach.

        As a matrix product, which PyTorch computes several times faster on
        a CPU than a transposed convolution.
        """
        reach = -(-self.kernel_size[0] // self.ratio)
        missing = reach * self.ratio - self.kernel_size[0]
        weight = F.pad(self.weight, (0, missing)) if missing else self.weight
        spread = x.transpose(1, 2) @ weight.flatten(1)
        spread = spread.unflatten(-1, (self.out_channels, reach, self.ratio))
        batch, latents = spread.shape[:2]
        y = (
            self.bias.to(spread.dtype)[:, None]
            .expand(batch, latents + reach - 1, -1, self.ratio)
            .clone()
        )
        for part in range(reach):
            y[:, part : part + latents] += spread[:, :, :, part]
        return y.transpose(1, 2).flatten(2)


class CausalUpsample(Upsample):
    """Transposed convolution whose latents reach no earlier frame.

    Arguments
    ---------
    in_channels : int
        Number of input channels.
    out_channels : int
        Number of output channels.
    ratio : int
        Frames per latent.
    kernel_size : int
        Number of frames that a latent reaches, from its own first one on.

    Raises
    ------
    ConfigurationError
        If the kernel is shorter than the stride.

    Example
    -------
    >>> layer = CausalUpsample(4, 6, ratio=8, kernel_size=16)
    >>> layer.left, layer.right
    (1, 0)
    """

    @staticmethod
    def _lookahead(ratio, kernel_size):
        if kernel_size < ratio:
            raise ConfigurationError(
                f"an up-sampling kernel of {kernel_size} frames leaves out "
                f"some of {ratio} frames: make it at least {ratio}"
            )
        return 0
