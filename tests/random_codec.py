"""Random small codecs in which no part is idle, and random streams."""

import functools
import random

import torch

from speechbrain_apcodec.lobes.autoencoder import (
    Decoder,
    Encoder,
    SubDecoder,
    SubEncoder,
)
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.convolutions import (
    CausalConv1d,
    CausalDownsample,
    CausalUpsample,
    Downsample,
    FeedForward,
    NonCausalConv1d,
    Upsample,
)
from speechbrain_apcodec.lobes.folding import fold
from speechbrain_apcodec.lobes.layers import BackboneSizes
from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis, STFTSynthesis
from tests.golden_weights import published_value

KERNELS = {
    FeedForward: [1],
    CausalConv1d: [1, 2, 3, 7],
    NonCausalConv1d: [1, 3, 7],
}


# The kinds of codecs that the package is made for; make_codec's own
# arguments are those of the published kind, with smaller kernels.
APCODEC_S = {
    "convolution": FeedForward,
    "kernel_size": 1,
    "joint_kernel_size": 1,
    "ratio": 8,
    "downsample": CausalDownsample,
    "downsample_kernel_size": 8,
    "upsample": CausalUpsample,
    "upsample_kernel_size": 16,
}
CAUSAL = {
    **APCODEC_S,
    "convolution": CausalConv1d,
    "kernel_size": 7,
    "joint_kernel_size": 7,
}
NON_CAUSAL = {
    "convolution": NonCausalConv1d,
    "kernel_size": 7,
    "joint_kernel_size": 7,
    "ratio": 8,
    "downsample": Downsample,
    "downsample_kernel_size": 7,
    "upsample": Upsample,
    "upsample_kernel_size": 16,
}


def random_architecture(rng):
    """Draw the arguments of ``make_codec``.

    Arguments
    ---------
    rng : random.Random
        Where the numbers come from.

    Returns
    -------
    dict
    """
    convolution = rng.choice(list(KERNELS))
    ratio = rng.choice([2, 4, 8])
    downsample = rng.choice([Downsample, CausalDownsample])
    downsample_kernels = [ratio, ratio + 2, 2 * ratio]
    upsample_kernels = [ratio, ratio + 2, 2 * ratio, 2 * ratio + 2]
    if downsample is Downsample:
        downsample_kernels += [1, 3, 7]
    else:
        downsample_kernels += [ratio + 1]
    upsample = rng.choice([Upsample, CausalUpsample])
    if upsample is CausalUpsample:
        upsample_kernels += [ratio + 1]
    return {
        "convolution": convolution,
        "kernel_size": rng.choice(KERNELS[convolution]),
        "joint_kernel_size": rng.choice(KERNELS[convolution]),
        "ratio": ratio,
        "downsample": downsample,
        "downsample_kernel_size": rng.choice(downsample_kernels),
        "upsample": upsample,
        "upsample_kernel_size": rng.choice(upsample_kernels),
        "num_blocks": rng.choice([0, 1, 2]),
        "n_fft": rng.choice([512, 1024]),
        "hop": rng.choice([40, 80]),
        "dense_kernel_size": rng.choice([None, 1]),
        "unit_circle": rng.choice([False, True]),
        "num_latent_blocks": rng.choice([0, 1, 2]),
    }


def make_codec(
    seed=0,
    statistic="frame",
    convolution=NonCausalConv1d,
    kernel_size=3,
    joint_kernel_size=3,
    ratio=4,
    downsample=Downsample,
    downsample_kernel_size=7,
    upsample=Upsample,
    upsample_kernel_size=8,
    num_blocks=1,
    n_fft=512,
    hop=40,
    dense_kernel_size=None,
    unit_circle=False,
    num_latent_blocks=0,
    folded=True,
):
    """Make a small codec with random weights everywhere."""
    size = {
        "bins": n_fft // 2 + 1,
        "ratio": ratio,
        "sizes": BackboneSizes(
            channels=6,
            hidden_channels=8,
            num_blocks=num_blocks,
            kernel_size=kernel_size,
            dense_kernel_size=dense_kernel_size,
            grn_statistic=statistic,
            convolution=convolution,
        ),
    }
    encoder = {
        **size,
        "out_channels": 4,
        "downsample": downsample,
        "downsample_kernel_size": downsample_kernel_size,
    }
    decoder = {
        **size,
        "upsample": upsample,
        "upsample_kernel_size": upsample_kernel_size,
    }
    joint = {
        "latent_dim": 6,
        "kernel_size": joint_kernel_size,
        "convolution": convolution,
    }

    def latent_blocks(channels):
        return [size["sizes"].block(channels) for _ in range(num_latent_blocks)]

    codec = Codec(
        STFTAnalysis(n_fft, hop, 320),
        Encoder(
            SubEncoder(**encoder),
            SubEncoder(**encoder, unit_circle=unit_circle),
            **joint,
            blocks=latent_blocks(8),
        ),
        ResidualVectorQuantizer(6, 4, 64, 5),
        Decoder(
            SubDecoder(**decoder, num_heads=1),
            SubDecoder(**decoder, num_heads=2),
            **joint,
            blocks=latent_blocks(6),
        ),
        STFTSynthesis(n_fft, hop, 320),
        sample_rate=48000,
    )
    codec.load_state_dict(
        {
            key: published_value(f"random {seed}", key, tuple(value.shape))
            for key, value in codec.state_dict().items()
        }
    )
    # A bin far above all others would be the peak alone, and its rounding
    # error, where its phase is hardly determined, the error of the whole.
    head = codec.decoder.amplitude.heads[0].parametrizations.weight
    head.original0.data *= 0.3
    if folded:
        fold(codec)
    return codec.eval()


@functools.cache
def random_codec(number, statistic="frame"):
    """Make one of a series of codecs, in turn in float32 and float64.

    Arguments
    ---------
    number : int
        Which one.
    statistic : str
        See ``lobes.layers.GlobalResponseNorm``.

    Returns
    -------
    Codec
    """
    architecture = random_architecture(random.Random(number))
    codec = make_codec(number, statistic, **architecture)
    return codec.to([torch.float32, torch.float64][number % 2])
