"""How late a codec is: delays and latency, found by one walk over it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass, replace

from torch import nn

from speechbrain_apcodec.streams.time import Clock, Reach
from speechbrain_apcodec.utils.errors import ConfigurationError


def set_clocks(module: nn.Module, clock: Clock, path: str = "") -> Clock:
    """Set the clock of each layer of a network; return the output's clock.

    Modules follow each other as they were registered. Those that an
    attribute ``branches`` names take the same input.
    """
    reach = getattr(module, "reach", None)
    if isinstance(reach, Reach):
        return reach.set_clock(path, clock)
    branches: tuple[str, ...] = getattr(module, "branches", ())
    ends: list[Clock] = []
    for name, child in module.named_children():
        end = set_clocks(child, clock, f"{path}.{name}" if path else name)
        if name in branches:
            ends.append(end)
            if len(ends) < len(branches):
                continue
            same = all(other == ends[0] for other in ends)
            end = replace(ends[0], even=ends[0].even and same)
        clock = end
    return clock


@dataclass(frozen=True)
class Timing:
    """The sizes of a codec in time, samples; branches must lag equally.

    Example
    -------
    >>> timing = Timing(40, 320, Clock(8, 1, 0, 7), Clock(8, 8, 0, 0))
    >>> timing.hop_length, timing.latency_samples
    (320, 598)
    """

    stft_hop_length: int
    window_length: int
    #: Of the latents.
    encoder: Clock
    #: Of the STFT frames that are decoded.
    decoder: Clock

    def __post_init__(self) -> None:
        if not (self.encoder.even and self.decoder.even):
            raise ConfigurationError(
                "a codec whose networks of amplitude and phase do not look "
                "equally far ahead cannot be streamed: give them the same "
                "kernels and the same number of blocks"
            )

    @property
    def ratio(self) -> int:
        """STFT frames per latent."""
        return self.encoder.ratio

    @property
    def hop_length(self) -> int:
        """Samples per latent."""
        return self.stft_hop_length * self.ratio

    @property
    def overlap(self) -> int:
        """Samples that the last window of a group needs behind it."""
        return self.window_length - self.stft_hop_length

    @property
    def reach(self) -> int:
        """Samples from the first that a frame reaches to its centre.

        The first sample of a periodic Hann window is zero and not counted.
        """
        return self.window_length // 2 - 1

    @property
    def encoder_latency_samples(self) -> int:
        """Samples after the first one of a token that it depends on."""
        return self.encoder.lookahead * self.stft_hop_length + self.reach

    @property
    def decoder_latency_samples(self) -> int:
        """Samples from a sample to the latest first one of its tokens."""
        return self.decoder.lookahead * self.stft_hop_length + self.reach

    @property
    def latency_samples(self) -> int:
        """Samples after a decoded one that it depends on, at most."""
        return self.encoder_latency_samples + self.decoder_latency_samples
