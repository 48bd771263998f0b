"""A codec as streams take it: a state, and one step from it to the next.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from speechbrain_apcodec.streams.state import NetworkState, Stream
from speechbrain_apcodec.streams.timing import Timing
from speechbrain_apcodec.utils.errors import ConfigurationError

if TYPE_CHECKING:
    from speechbrain_apcodec.lobes.codec import Codec

#: Name of the sums that later frames add to, among the histories of layers.
TAIL = "tail"


class CodecSteps:
    """A ``streams.context.StreamableCodec`` of PyTorch's layers.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        The codec; it keeps nothing.
    """

    def __init__(self, codec: "Codec"):
        self.codec = codec

    @property
    def num_codebooks(self) -> int:
        """Codebooks of the codec."""
        return self.codec.num_codebooks

    @cached_property
    def timing(self) -> Timing:
        """Delays of the codec."""
        return self.codec.timing

    @property
    def like(self) -> Tensor:
        """A tensor of the type, and on the device, of samples and state."""
        return self.codec.synthesis.window

    def check_streamable(self) -> None:
        """Say why the codec cannot be streamed, if so."""
        if any(
            getattr(module, "statistic", "frame") == "utterance"
            for module in self.codec.modules()
        ):
            raise ConfigurationError(
                "this model cannot be streamed: its normalisation looks at "
                "the whole utterance (grn_statistic: utterance), the end "
                "included. Take a model trained with grn_statistic: frame"
            )
        _ = self.timing

    def encoder_state(self, batch_size: int) -> NetworkState:
        """Make the state of an encoder whose streams begin."""
        return NetworkState.of(self.codec.encoder, batch_size, self.like)

    def decoder_state(self, batch_size: int) -> NetworkState:
        """Make the same of a decoder; the synthesis has a past, too."""
        state = NetworkState.of(self.codec.decoder, batch_size, self.like)
        length = self.codec.synthesis.tail_length
        tail = self.like.new_zeros(batch_size, length, 2)
        state.histories = {TAIL: tail, **state.histories}
        return state

    def encode_step(
        self, wavs: Tensor, stream: Stream, num_codebooks: int | None = None
    ) -> Tensor:
        """Encode whole groups of frames and the ``overlap`` behind them."""
        codec = self.codec
        parts = codec.analysis.transform_extended(wavs)
        spectrum = codec.analysis.spectrum(*parts)
        latent = codec.encoder(spectrum.log_amplitude, spectrum.phase, stream)
        return codec.quantizer.encode(latent, num_codebooks)

    def decode_step(self, tokens: Tensor, stream: Stream) -> Tensor:
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
