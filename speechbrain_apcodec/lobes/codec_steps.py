"""A codec as streams take it: a state, and one step from it to the next.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from speechbrain_apcodec.streams.state import (
    NetworkState,
    Stream,
    sees_utterance,
)
from speechbrain_apcodec.streams.timing import Timing
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Tokens, Wavs

if TYPE_CHECKING:
    from speechbrain_apcodec.lobes.codec import Codec

#: Name of the sums that later frames add to, among the histories of layers.
TAIL = "tail"


class CodecSteps:
    """A ``streams.context.StreamableCodec`` of PyTorch's layers."""

    def __init__(self, codec: "Codec") -> None:
        self.codec = codec

    @property
    def num_codebooks(self) -> int:
        """Codebooks of the codec."""
        return self.codec.num_codebooks

    @cached_property
    def timing(self) -> Timing:
        """Sizes in time, delays and latency."""
        return self.codec.timing

    @property
    def like(self) -> Tensor:
        """A tensor of the type, and on the device, of samples and state."""
        return self.codec.synthesis.window

    def check_streamable(self) -> None:
        """Say why the codec cannot be streamed, if so."""
        if any(map(sees_utterance, self.codec.modules())):
            raise ConfigurationError(
                "this model cannot be streamed: its normalisation looks at "
                "the whole utterance (grn_statistic: utterance), the end "
                "included. Take a model trained with grn_statistic: frame"
            )
        _ = self.timing  # raises if the branches lag unequally

    def encoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of an encoder whose streams begin."""
        encoder = self.codec.encoder
        return NetworkState.of(encoder, batch_size, encoder.ratio, self.like)

    def decoder_state(self, batch_size: int) -> NetworkState:
        """Make that of a decoder; the synthesis has a history, too."""
        decoder, synthesis = self.codec.decoder, self.codec.synthesis
        state = NetworkState.of(decoder, batch_size, decoder.ratio, self.like)
        tail = self.like.new_zeros(batch_size, synthesis.tail_length, 2)
        state.histories = {TAIL: tail, **state.histories}
        return state

    def encode_step(
        self, wavs: Wavs, stream: Stream, num_codebooks: int | None = None
    ) -> Tokens:
        """Encode whole groups of frames and the ``overlap`` behind them."""
        codec = self.codec
        parts = codec.analysis.transform_padded(wavs)
        spectrum = codec.analysis.spectrum(*parts)
        latent = codec.encoder(spectrum.log_amplitude, spectrum.phase, stream)
        return codec.quantizer.encode(latent, num_codebooks)

    def decode_step(self, tokens: Tokens, stream: Stream) -> Wavs:
        """Decode tokens as far as no later frame adds to the sum."""
        codec, histories = self.codec, stream.state.histories
        latent = codec.quantizer.decode(tokens)
        real, imaginary = codec.decode_latents(latent, stream)
        clock = codec.decoder.clock
        mask = stream.mask(clock.rate, clock.delay, real)
        sums = codec.synthesis.overlap_add(real, imaginary, mask)
        sums, length = sums.transpose(1, 2), codec.synthesis.tail_length
        sums[:, :length] += histories[TAIL]
        histories[TAIL] = stream.last(sums, length, codec.hop_length)
        sums = sums[:, : stream.steps * codec.hop_length]
        return codec.synthesis.normalize(sums.transpose(1, 2))
