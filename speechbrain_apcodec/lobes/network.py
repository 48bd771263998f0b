"""A codec from one mapping of names and numbers.

The same mapping is ``network`` in a YAML, in the YAML of an exported model
and in its ``config.json``. It names no code: what it can build is here.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from speechbrain_apcodec.lobes.autoencoder import (
    Decoder,
    Encoder,
    SubDecoder,
    SubEncoder,
)
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.convolutions import (
    CausalConv1d,
    FeedForward,
    NonCausalConv1d,
)
from speechbrain_apcodec.lobes.layers import BackboneSizes, ConvNeXtBlock
from speechbrain_apcodec.lobes.mel_prior import MelPrior
from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.rate_changes import (
    CausalDownsample,
    CausalUpsample,
    Downsample,
    Upsample,
)
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis, STFTSynthesis
from speechbrain_apcodec.utils.errors import ConfigurationError

#: A layer by its name, or, from Python or ``!name:``, its class.
Layer = str | Callable[..., Any]

_LAYERS = {
    "convolution": (CausalConv1d, FeedForward, NonCausalConv1d),
    "downsample": (CausalDownsample, Downsample),
    "upsample": (CausalUpsample, Upsample),
}


@dataclass(frozen=True)
class Network:
    """Everything that tells one network from another."""

    #: Hz.
    sample_rate: int
    n_fft: int
    #: Samples.
    window_length: int
    #: Samples between the frames of the STFT.
    stft_hop_length: int
    #: Frames per latent.
    ratio: int
    #: Width of the sub-networks, and of their blocks inside.
    channels: int
    hidden_channels: int
    num_blocks: int
    #: Frames that a convolution sees.
    kernel_size: int
    downsample_kernel_size: int
    upsample_kernel_size: int
    #: Channels of the output of each sub-encoder.
    encoder_channels: int
    #: Over the ``"utterance"``, as published, or a ``"frame"``.
    grn_statistic: str
    convolution: Layer
    downsample: Layer
    upsample: Layer
    latent_dim: int
    num_codebooks: int
    codebook_size: int
    codebook_dim: int
    #: See ``lobes.quantizer.ResidualVectorQuantizer``.
    search_width: int | None = None
    #: Frames that convolutions between all channels see; default: as others.
    dense_kernel_size: int | None = None
    #: Amplitude that counts as silence.
    floor: float = 1e-5
    #: Of the STFT; with it tokens are those of any device.
    double_precision: bool = False
    #: Show the encoder cosines and sines, not angles.
    unit_circle: bool = False
    #: Blocks between the sub-encoders and the latent, and as many behind it.
    num_latent_blocks: int = 0
    #: Mel bands of the ``lobes.mel_prior.MelPrior`` of the amplitude.
    amplitude_prior: int | MelPrior | None = None


def build_codec(network: Mapping[str, Any]) -> Codec:
    """Build the codec that a mapping describes.

    Arguments
    ---------
    network : dict
        Values of the fields of `Network`, such as the ``network`` of
        ``hparams/base.yaml``.

    Returns
    -------
    Codec
        With random weights.

    Raises
    ------
    ConfigurationError
        If a name is unknown or missing, or the sizes fit no network.

    Example
    -------
    >>> codec = build_codec(
    ...     dict(
    ...         sample_rate=48000, n_fft=1024, window_length=320,
    ...         stft_hop_length=40, ratio=8, channels=16, hidden_channels=32,
    ...         num_blocks=1, kernel_size=7, downsample_kernel_size=7,
    ...         upsample_kernel_size=16, encoder_channels=8,
    ...         grn_statistic="frame", convolution="NonCausalConv1d",
    ...         downsample="Downsample", upsample="Upsample", latent_dim=32,
    ...         num_codebooks=4, codebook_size=1024, codebook_dim=32,
    ...     )
    ... )
    >>> codec.hop_length
    320
    """
    try:
        sizes = Network(**network)
    except TypeError as error:
        raise ConfigurationError(
            f"network is no description of a codec: {error}"
        ) from error
    convolution = _layer("convolution", sizes.convolution)
    backbone = BackboneSizes(
        sizes.channels,
        sizes.hidden_channels,
        sizes.num_blocks,
        sizes.kernel_size,
        sizes.dense_kernel_size,
        sizes.grn_statistic,
        convolution,
    )
    bins = sizes.n_fft // 2 + 1
    encoder: dict[str, Any] = {
        "bins": bins,
        "sizes": backbone,
        "out_channels": sizes.encoder_channels,
        "ratio": sizes.ratio,
        "downsample_kernel_size": sizes.downsample_kernel_size,
        "downsample": _layer("downsample", sizes.downsample),
    }
    decoder: dict[str, Any] = {
        "bins": bins,
        "sizes": backbone,
        "ratio": sizes.ratio,
        "upsample_kernel_size": sizes.upsample_kernel_size,
        "upsample": _layer("upsample", sizes.upsample),
    }
    joint: dict[str, Any] = {
        "latent_dim": sizes.latent_dim,
        "kernel_size": sizes.kernel_size,
        "convolution": convolution,
    }

    def latent_blocks(channels: int) -> list[ConvNeXtBlock]:
        return [
            backbone.block(channels) for _ in range(sizes.num_latent_blocks)
        ]

    prior = sizes.amplitude_prior
    if isinstance(prior, int):
        prior = MelPrior(bins, sizes.sample_rate, prior)
    stft = (sizes.n_fft, sizes.stft_hop_length, sizes.window_length)
    # The random weights of a seed depend on the order.
    encoders = (
        SubEncoder(**encoder),
        SubEncoder(**encoder, unit_circle=sizes.unit_circle),
    )
    decoders = (
        SubDecoder(**decoder, num_heads=1, prior=prior),
        SubDecoder(**decoder, num_heads=2),
    )
    return Codec(
        STFTAnalysis(*stft, sizes.floor, sizes.double_precision),
        Encoder(
            *encoders,
            **joint,
            blocks=latent_blocks(2 * sizes.encoder_channels),
        ),
        ResidualVectorQuantizer(
            sizes.latent_dim,
            sizes.num_codebooks,
            sizes.codebook_size,
            sizes.codebook_dim,
            sizes.search_width,
        ),
        Decoder(*decoders, **joint, blocks=latent_blocks(sizes.channels)),
        STFTSynthesis(*stft),
        sizes.sample_rate,
    )


def _layer(kind: str, layer: Layer) -> Callable[..., Any]:
    """Return the class of a layer; one that is given as such stays."""
    if not isinstance(layer, str):
        return layer
    known = {one.__name__: one for one in _LAYERS[kind]}
    if layer not in known:
        raise ConfigurationError(
            f"there is no {kind} {layer!r:.60}: choose from {', '.join(known)}"
        )
    return known[layer]
