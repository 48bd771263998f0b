"""The codec: analysis, encoder, quantiser, decoder and synthesis.

Frame ``n`` of the tokens covers the samples from ``n * hop_length`` up to,
not including, ``(n + 1) * hop_length``; a waveform of any length has
``ceil(samples / hop_length)`` of them.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechbrain_apcodec.lobes.autoencoder import Decoder, Encoder
from speechbrain_apcodec.lobes.codec_steps import CodecSteps
from speechbrain_apcodec.lobes.quantizer import (
    Quantized,
    ResidualVectorQuantizer,
)
from speechbrain_apcodec.lobes.spectrum import (
    Count,
    Spectrum,
    STFTAnalysis,
    STFTSynthesis,
)
from speechbrain_apcodec.streams.chunks import (
    decode_in_chunks,
    encode_in_chunks,
)
from speechbrain_apcodec.streams.context import StreamingContext
from speechbrain_apcodec.streams.time import WHOLE, Padded, Time, length_mask
from speechbrain_apcodec.streams.timing import Timing
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Latent, Tokens, Wavs


@dataclass
class CodecOutput:
    """Everything that the losses look at."""

    wavs: Wavs
    decoded: Wavs
    #: Spectrum of the input waveform, without gradient.
    natural: Spectrum
    #: Spectrum that the decoder predicted.
    predicted: Spectrum
    #: Real and imaginary STFT of the decoded waveform.
    consistent: tuple[Tensor, Tensor]
    #: Before quantisation.
    latent: Latent
    #: None while the quantiser is left out.
    quantized: Quantized | None


class Codec(nn.Module):
    """APCodec: amplitude and phase spectra, coded in parallel.

    Arguments
    ---------
    analysis, encoder, quantizer, decoder, synthesis
        The parts: from waveforms to spectra, latents and tokens, and back.
    sample_rate : int
        Hz.

    Raises
    ------
    ConfigurationError
        If the parts do not fit each other.

    Example
    -------
    >>> from speechbrain_apcodec.lobes.autoencoder import SubDecoder, SubEncoder
    >>> from speechbrain_apcodec.lobes.layers import BackboneSizes
    >>> sizes = BackboneSizes(channels=16, hidden_channels=32, num_blocks=1)
    >>> codec = Codec(
    ...     STFTAnalysis(),
    ...     Encoder(SubEncoder(513, sizes), SubEncoder(513, sizes)),
    ...     ResidualVectorQuantizer(num_codebooks=4),
    ...     Decoder(SubDecoder(513, sizes, 1), SubDecoder(513, sizes, 2)),
    ...     STFTSynthesis(),
    ...     sample_rate=48000,
    ... )
    >>> tokens, num_frames = codec.encode(torch.randn(2, 1000))
    >>> tokens.shape, num_frames
    (torch.Size([2, 4, 4]), tensor([4, 4]))
    >>> codec.decode(tokens, num_samples=1000).shape
    torch.Size([2, 1000])
    """

    def __init__(
        self,
        analysis: STFTAnalysis,
        encoder: Encoder,
        quantizer: ResidualVectorQuantizer,
        decoder: Decoder,
        synthesis: STFTSynthesis,
        sample_rate: int,
    ) -> None:
        super().__init__()
        for name in ("n_fft", "stft_hop_length", "window_length"):
            if getattr(analysis, name) != getattr(synthesis, name):
                raise ConfigurationError(
                    f"analysis and synthesis have different {name}: "
                    f"{getattr(analysis, name)} and {getattr(synthesis, name)}"
                )
        if encoder.ratio != decoder.ratio:
            raise ConfigurationError(
                f"the encoder makes one latent of {encoder.ratio} frames, "
                f"the decoder {decoder.ratio} frames of one latent"
            )
        for name, part in (("encoder", encoder), ("decoder", decoder)):
            if part.bins != analysis.n_fft // 2 + 1:
                raise ConfigurationError(
                    f"the {name} has {part.bins} bins, but an STFT with "
                    f"n_fft {analysis.n_fft} has {analysis.n_fft // 2 + 1}"
                )
            if part.latent_dim != quantizer.latent_dim:
                raise ConfigurationError(
                    f"the {name} has a latent_dim of {part.latent_dim}, the "
                    f"quantizer of {quantizer.latent_dim}"
                )
        self.analysis = analysis
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder
        self.synthesis = synthesis
        self.sample_rate = sample_rate
        self.stft_hop_length = analysis.stft_hop_length
        self.hop_length = analysis.stft_hop_length * encoder.ratio

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "Codec":
        """Refuse what ``half`` and ``to(torch.bfloat16)`` would break."""
        dtype = fn(torch.empty(0)).dtype
        if dtype in (torch.float16, torch.bfloat16):
            raise ConfigurationError(
                "spectra, phases and codebooks need float32: load the codec "
                'with run_opts={"precision": "bf16"}, or use autocast'
            )
        return super()._apply(fn, recurse)

    @property
    def stft(self) -> tuple[int, int, int]:
        """FFT size, hop and window of the STFT, samples."""
        stft = self.analysis
        return stft.n_fft, stft.stft_hop_length, stft.window_length

    @property
    def frame_rate(self) -> float:
        """Token frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def num_codebooks(self) -> int:
        """Codebooks, K."""
        return self.quantizer.num_codebooks

    @property
    def codebook_size(self) -> int:
        """Codewords of a codebook, C."""
        return self.quantizer.codebook_size

    @property
    def latent_dim(self) -> int:
        """Channels of the latent."""
        return self.quantizer.latent_dim

    def num_frames(self, num_samples: Count) -> Count:
        """Count the token frames: ceil(num_samples / hop_length)."""
        return -(-num_samples // self.hop_length)

    def latents(self, wavs: Wavs, num_samples: Tensor | None = None) -> Latent:
        """Encode waveforms to latents that are not yet quantised.

        ``num_samples`` are int64 [batch], the valid ones of each item. Latents
        beyond ceil(num_samples / hop_length) have no meaning.
        """
        spectrum = self.analysis(wavs, num_samples)
        log_amplitude, phase = spectrum.log_amplitude, spectrum.phase
        del spectrum  # of a long recording, each part takes gigabytes
        time = WHOLE
        if num_samples is not None:
            num_frames = self.analysis.num_frames(num_samples)
            time = Padded.of(num_frames, phase.shape[-1], self.encoder.ratio)
        latent = self.encoder(log_amplitude, phase, time)
        # Whole multiples of hop_length have one STFT frame more than the
        # latents need: it takes part and is then dropped.
        frames = self.num_frames(wavs.shape[-1])
        if torch.compiler.is_exporting():
            # A slice would have to be proved to lie within.
            kept = torch.arange(frames, device=latent.device)
            return latent.index_select(-1, kept)
        return latent[..., :frames]

    def encode(
        self,
        wavs: Wavs,
        num_samples: Tensor | None = None,
        num_codebooks: int | None = None,
        chunk_frames: int | None = None,
    ) -> tuple[Tokens, Tensor]:
        """Encode waveforms to tokens.

        Arguments
        ---------
        wavs : float [batch, samples]
        num_samples : int64 [batch], optional
            Valid samples of each item; default: all.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.
        chunk_frames : int, optional
            Token frames that are encoded at a time, for long recordings;
            default: all. The tokens are the same.

        Returns
        -------
        tokens : int64 [batch, frames, codebooks]
            0 beyond an item's own frames.
        num_frames : int64 [batch]
            Token frames of each item.
        """
        batch, samples = wavs.shape
        frames = self.num_frames(samples)
        if num_samples is None:
            num_frames = torch.full((batch,), frames, device=wavs.device)
        else:
            num_frames = self.num_frames(num_samples)
        if samples == 0:
            shape = (batch, 0, num_codebooks or self.num_codebooks)
            return num_frames.new_zeros(shape), num_frames
        if chunk_frames is not None and frames > chunk_frames:
            tokens = encode_in_chunks(
                self.steps, wavs, num_samples, num_codebooks, chunk_frames
            )
            return tokens, num_frames
        latent = self.latents(wavs, num_samples)
        tokens = self.quantizer.encode(latent, num_codebooks)
        if num_samples is not None:
            mask = length_mask(num_frames, tokens.shape[1])
            tokens = tokens * mask.long()
        return tokens, num_frames

    def decode(
        self,
        tokens: Tokens,
        num_frames: Tensor | None = None,
        num_samples: int | None = None,
        chunk_frames: int | None = None,
    ) -> Wavs:
        """Decode tokens to waveforms.

        Arguments
        ---------
        tokens : int64 [batch, frames, codebooks]
            The codebooks may be fewer than trained.
        num_frames : int64 [batch], optional
            Valid token frames of each item; default: all.
        num_samples : int, optional
            Length of the output; default: frames * hop_length.
        chunk_frames : int, optional
            Token frames that are decoded at a time, for long recordings;
            default: all. The waveforms are the same.

        Returns
        -------
        float [batch, num_samples]
            Zero beyond an item's own frames.
        """
        length = tokens.shape[1] * self.hop_length
        if num_samples is None:
            num_samples = length
        elif not length - self.hop_length < num_samples <= length:
            raise ConfigurationError(
                f"{tokens.shape[1]} frames hold "
                f"{max(0, length - self.hop_length + 1)} to {length} samples, "
                f"not {num_samples}"
            )
        if length == 0:
            return self.steps.like.new_zeros(tokens.shape[0], 0)
        if chunk_frames is not None and tokens.shape[1] > chunk_frames:
            wavs = decode_in_chunks(
                self.steps, tokens, num_frames, chunk_frames
            )
            return wavs[:, :num_samples]
        latent = self.quantizer.decode(tokens)
        time, ratio = WHOLE, self.decoder.ratio
        if num_frames is not None:
            num_frames = num_frames * ratio
            time = Padded.of(num_frames, tokens.shape[1] * ratio, ratio)
        real, imaginary = self.decode_latents(latent, time)
        wavs = self.synthesis(real, imaginary, num_frames)
        return wavs[:, :num_samples]

    def decode_latents(
        self, latent: Latent, time: Time = WHOLE
    ) -> tuple[Tensor, Tensor]:
        """Decode latents to the real and imaginary part of the spectrum."""
        log_amplitude, real, imaginary = self.decoder.parts(latent, time)
        with torch.autocast(latent.device.type, enabled=False):
            real = real + 1e-18  # where both are zero, so is the phase
            length = torch.addcmul(real.square(), imaginary, imaginary)
            scale = log_amplitude.exp() * length.rsqrt()
            return real * scale, imaginary * scale

    def forward(
        self,
        wavs: Wavs,
        num_codebooks: int | Tensor | None = None,
        quantize: bool = True,
    ) -> CodecOutput:
        """Encode and decode for training.

        Arguments
        ---------
        wavs : float [batch, samples]
        num_codebooks : int or int64 [batch], optional
            Codebooks to use, for all items or for each; default: all.
        quantize : bool
            False leaves the quantiser out, to warm up the rest.
        """
        samples = wavs.shape[-1]
        # A gradient of the input is for what comes before the codec.
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and wavs.requires_grad
        ):
            natural = self.analysis(wavs)
        latent = self.encoder(natural.log_amplitude, natural.phase)
        latent = latent[..., : self.num_frames(samples)]
        quantized, received = None, latent
        if quantize:
            quantized = self.quantizer(latent, num_codebooks)
            received = quantized.quantized
        log_amplitude, phase = self.decoder(received)
        amplitude = log_amplitude.exp()
        predicted = Spectrum(
            log_amplitude=log_amplitude,
            phase=phase,
            real=amplitude * phase.cos(),
            imaginary=amplitude * phase.sin(),
        )
        decoded = self.synthesis(predicted.real, predicted.imaginary)
        decoded = decoded[:, :samples]
        real, imaginary = self.analysis.transform(decoded)
        # A whole number of latents has as many frames on all three sides;
        # at other lengths the last frames have no counterpart.
        frames = min(real.shape[-1], predicted.real.shape[-1])
        return CodecOutput(
            wavs=wavs,
            decoded=decoded,
            natural=natural.narrow(frames).detach(),
            predicted=predicted.narrow(frames),
            consistent=(real[..., :frames], imaginary[..., :frames]),
            latent=latent,
            quantized=quantized,
        )

    @property
    def timing(self) -> Timing:
        """Sizes in time, delays and latency."""
        return Timing(
            self.stft_hop_length,
            self.analysis.window_length,
            self.encoder.clock,
            self.decoder.clock,
        )

    @property
    def steps(self) -> CodecSteps:
        """The codec as streams take it."""
        return CodecSteps(self)

    @property
    def streamable(self) -> bool:
        """Whether every layer sees a limited time, both branches the same."""
        try:
            self.steps.check_streamable()
        except ConfigurationError:
            return False
        return True

    def make_streaming_context(
        self,
        batch_size: int = 1,
        low_delay: bool = False,
        num_codebooks: int | None = None,
    ) -> StreamingContext:
        """Begin streams, if possible; see ``StreamingContext``."""
        self.steps.check_streamable()
        return StreamingContext(
            self.steps, batch_size, low_delay, num_codebooks
        )
