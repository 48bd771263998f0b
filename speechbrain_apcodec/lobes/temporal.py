"""What all layers that reach across time have in common.

Every one of them says how far it looks back (``left``) and ahead
(``right``). Alone, a layer sees zeros beyond both ends. In a stream it sees
the frames that went before, kept by the caller's state, and its output lags
behind its input by what it looks ahead: the same sum is computed either way.

Inside the networks, tensors are [batch, frames, channels], as the kernels of
linear layers, norms and convolutions like them.

Paper: https://arxiv.org/abs/2402.10533 (section II)

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch.nn import functional as F


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
        float32 [batch, frames, 1], 1 where valid; None stays None.

    Example
    -------
    >>> length_mask(torch.tensor([1, 3]), 3).squeeze(-1)
    tensor([[1., 0., 0.],
            [1., 1., 1.]])
    """
    if lengths is None:
        return None
    positions = torch.arange(max_length, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(-1).float()


def apply_mask(x, mask):
    """Set the frames that are not an item's own to zero.

    Arguments
    ---------
    x : torch.Tensor
        float [batch, frames, channels].
    mask : torch.Tensor or None
        float [batch, frames, 1], or None for no padding.

    Returns
    -------
    torch.Tensor
        float [batch, frames, channels].
    """
    return x if mask is None else x * mask.to(x.dtype)


def convolved(x, weight, bias, stride=1, padding=0, groups=1):
    """Convolve over the frames.

    As a convolution of pictures one row high, for which there are kernels
    that take the channels last and need no copy.

    Arguments
    ---------
    x : torch.Tensor
        float [batch, frames, in_channels].
    weight : torch.Tensor
        float [out_channels, in_channels / groups, kernel_size].
    bias : torch.Tensor
        float [out_channels].
    stride : int
        Frames between two outputs.
    padding : int
        Frames of zeros before the first and after the last one.
    groups : int
        Number of groups.

    Returns
    -------
    torch.Tensor
        float [batch, outputs, out_channels].

    Example
    -------
    >>> x, weight = torch.randn(2, 9, 4), torch.randn(5, 4, 3)
    >>> y = convolved(x, weight, torch.zeros(5), stride=2)
    >>> torch.allclose(
    ...     y.mT, F.conv1d(x.mT, weight, stride=2), atol=1e-5
    ... )
    True
    """
    y = F.conv2d(
        x.transpose(1, 2).unsqueeze(2),
        weight.unsqueeze(2),
        bias,
        stride=(1, stride),
        padding=(0, padding),
        groups=groups,
    )
    return y.squeeze(2).transpose(1, 2)


def has_fast_convolution(x, weight):
    """Tell whether PyTorch convolves with kernels that know groups.

    A GPU has them. On a CPU they are those of oneDNN, which not every build
    of PyTorch has, and which computes no float64.

    Arguments
    ---------
    x : torch.Tensor
        The input.
    weight : torch.Tensor
        The weight.

    Returns
    -------
    bool
    """
    if x.device.type != "cpu":
        return True
    return (
        weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    )


def mapped(x, weight, bias=None):
    """Map every frame by the same matrix.

    On a CPU float32 takes the kernel of a convolution: PyTorch leaves it to
    oneDNN, but a matrix product to MKL, which reaches less than half as much
    where it does not know the processor (AMD's with AVX-512).

    Arguments
    ---------
    x : torch.Tensor
        float [batch, frames, in_channels].
    weight : torch.Tensor
        float [out_channels, in_channels].
    bias : torch.Tensor, optional
        float [out_channels].

    Returns
    -------
    torch.Tensor
        float [batch, frames, out_channels].

    Example
    -------
    >>> x, weight = torch.randn(2, 99, 40), torch.randn(50, 40)
    >>> torch.allclose(mapped(x, weight), x @ weight.T, atol=1e-4)
    True
    """
    if torch.compiler.is_exporting() and x.dim() == 3 and len(x) == 1:
        # Else the graph would have to know that there are several frames.
        return F.linear(x.transpose(0, 1), weight, bias).transpose(0, 1)
    if (
        x.device.type != "cpu"
        or not has_fast_convolution(x, weight)
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or x.dim() != 3
        or x.shape[1] == 0
    ):
        return F.linear(x, weight, bias)
    # Of a picture one row high every second row is all of it; with one
    # thread PyTorch takes oneDNN for kernels of a frame if there is a stride.
    y = F.conv2d(
        x.transpose(1, 2).unsqueeze(2), weight[..., None, None], bias, (2, 1)
    )
    return y.squeeze(2).transpose(1, 2)


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
