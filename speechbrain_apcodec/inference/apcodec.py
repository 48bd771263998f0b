"""The codec as SpeechBrain's users call it.

``APCodec`` is SpeechBrain's ``Pretrained`` interface to the ``Codec`` lobe:
it loads a model from a folder or a hub, checks what it is given, and takes
relative lengths. The functions of the files beside this one (audio files,
streams, tokens for models) are methods here.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math
from typing import Any

import torch
from speechbrain.utils.autocast import AMPConfig
from torch import Tensor

from speechbrain_apcodec.files import apc_file
from speechbrain_apcodec.inference import audio_files, loading, streaming
from speechbrain_apcodec.inference import tokens as token_calls
from speechbrain_apcodec.inference.checks import (
    absolute_lengths,
    check_num_codebooks,
    check_num_samples,
    check_tokens,
    check_wavs,
    relative_lengths,
    tokens_without_padding,
)
from speechbrain_apcodec.inference.gradient import code_with_gradient
from speechbrain_apcodec.inference.normalizer import CodecAudioNormalizer
from speechbrain_apcodec.inference.placement import PlacedPretrained
from speechbrain_apcodec.lobes.folding import cast_weights, fold
from speechbrain_apcodec.models.pretrained import check_agreement
from speechbrain_apcodec.tokens import flattening
from speechbrain_apcodec.tokens.special import SpecialTokens
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import Lengths, Tokens, Wavs

# Longer recordings are coded piece by piece; the result is the same.
CHUNK_SECONDS = 20
# On a CPU, memory access takes as long as the networks beyond this, which
# counts for all items of a batch together.
CPU_CHUNK_SECONDS = 5


class APCodec(PlacedPretrained):
    """A trained codec, ready to encode and decode.

    Lengths at this interface are relative, from 0 to 1, as in SpeechBrain:
    item ``i`` of a batch of ``T`` samples has ``round(wav_lens[i] * T)`` of
    them. A waveform of any length has ``ceil(samples / hop_length)`` token
    frames. A wrong argument is an ``APCodecError``.

    Arguments
    ---------
    modules : dict
        ``codec``: the ``speechbrain_apcodec.lobes.codec.Codec``.
    hparams : dict, optional
        Hyper-parameters of the inference YAML.
    run_opts : dict or speechbrain.utils.run_opts.RunOptions, optional
        Such as ``{"device": "cuda"}``. ``{"precision": "bf16"}`` for the
        network and ``{"compile": True}`` are faster, and some tokens differ
        (python -m benchmarks.mismatch).
    freeze_params : bool
        Switch gradients and training mode off.
    config : dict, optional
        Content of the model's ``config.json``.

    Raises
    ------
    CheckpointError
        If ``modules`` has no codec, or ``config`` contradicts its
        hyper-parameters.

    Example
    -------
    >>> apcodec = APCodec.from_hparams(run_opts={"device": "cpu"})
    >>> wavs = 0.1 * torch.randn(2, 1000)
    >>> tokens, token_lens = apcodec.encode(wavs, torch.tensor([1.0, 0.5]))
    >>> tokens.shape, token_lens
    (torch.Size([2, 4, 4]), tensor([1.0000, 0.5000]))
    >>> decoded, wav_lens = apcodec.decode(tokens, token_lens, 1000)
    >>> decoded.shape
    torch.Size([2, 1000])
    >>> apcodec.bitrate(), apcodec.bitrate(num_codebooks=2)
    (6000.0, 3000.0)
    """

    MODULES_NEEDED = ["codec"]

    def __init__(
        self,
        modules: dict[str, Any] | None = None,
        hparams: dict[str, Any] | None = None,
        run_opts: Any = None,
        freeze_params: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        if modules is None or "codec" not in modules:
            raise CheckpointError(
                "the model's YAML has no 'codec' below 'modules': export the "
                "model again"
            )
        hparams = dict(hparams or {})
        # SpeechBrain's own default would resample everything to 16 kHz.
        hparams.setdefault(
            "audio_normalizer",
            CodecAudioNormalizer(modules["codec"].sample_rate),
        )
        super().__init__(modules, hparams, run_opts, freeze_params)
        #: Counted before inference folds layers.
        self.num_parameters = sum(
            parameter.numel() for parameter in self.mods["codec"].parameters()
        )
        if freeze_params:
            fold(self.mods["codec"])
            dtype = AMPConfig.from_name(self.precision).dtype
            if dtype in (torch.bfloat16, torch.float16):
                cast_weights(self.mods["codec"], dtype)
        self.config = config
        if config is not None:
            pretrainer = hparams.get("pretrainer")
            check_agreement(
                self.mods["codec"], config, getattr(pretrainer, "sha256", {})
            )

    def _compile(self) -> None:
        """Compile the branches: the codec itself is never called.

        With frozen weights, so that they are packed once for the kernels
        and matrix products are fused with what follows.
        """
        if self.compile:
            codec = self.mods["codec"]
            for network in (codec.encoder, codec.decoder):
                for branch in (network.amplitude, network.phase):
                    branch.compile(options={"freezing": True})

    from_hparams = classmethod(loading.from_hparams)
    from_config = classmethod(loading.from_config)

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the waveforms, Hz."""
        return self.mods["codec"].sample_rate

    @property
    def hop_length(self) -> int:
        """Samples per token frame."""
        return self.mods["codec"].hop_length

    @property
    def stft_hop_length(self) -> int:
        """Samples between the frames of the STFT inside."""
        return self.mods["codec"].stft_hop_length

    @property
    def frame_rate(self) -> float:
        """Token frames per second."""
        return self.mods["codec"].frame_rate

    @property
    def num_codebooks(self) -> int:
        """Codebooks, K: the most tokens per frame."""
        return self.mods["codec"].num_codebooks

    @property
    def codebook_size(self) -> int:
        """Codewords of each codebook, C: tokens are 0 to C - 1."""
        return self.mods["codec"].codebook_size

    @property
    def model_id(self) -> str:
        """Name of these weights, as coded files carry it."""
        return self._published()["model_id"]

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weight file that was loaded."""
        self._published()
        return self.hparams.pretrainer.sha256["codec"]

    def _published(self) -> dict[str, Any]:
        if self.config is None:
            raise CheckpointError(
                "a codec that was not loaded from an exported model has no "
                "id: run `apcodec export` and load the folder"
            )
        return self.config

    def bitrate(self, num_codebooks: int | None = None) -> float:
        """Bits per second: frame_rate * num_codebooks * log2(codebook_size)."""
        books = check_num_codebooks(num_codebooks, self.num_codebooks)
        return self.frame_rate * books * math.log2(self.codebook_size)

    @property
    def chunk_frames(self) -> int | None:
        """Token frames of one recording that are coded at a time.

        None if all are: the model cannot be streamed.
        """
        return self._chunk_frames(1)

    def _chunk_frames(self, batch_size: int) -> int | None:
        if not self.streamable:
            return None  # each chunk would take one pass per layer
        seconds: float = CHUNK_SECONDS
        if self.device_type == "cpu":
            share = CPU_CHUNK_SECONDS / max(1, batch_size)
            seconds = min(seconds, max(0.2, share))
        return round(seconds * self.frame_rate)

    @torch.no_grad()
    def encode(
        self,
        wavs: Wavs,
        wav_lens: Lengths | None = None,
        num_codebooks: int | None = None,
    ) -> tuple[Tokens, Lengths]:
        """Encode waveforms to tokens.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples] at ``sample_rate``, usually from -1 to 1.
        wav_lens : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.
        num_codebooks : int, optional
            Number of codebooks to use, from 1 to those trained; fewer give
            the first tokens of each frame. Default: all.

        Returns
        -------
        tokens : torch.Tensor
            int64 [batch, ceil(samples / hop_length), codebooks], 0 beyond
            an item's own frames.
        token_lens : torch.Tensor
            float [batch], relative lengths.
        """
        check_wavs(wavs)
        # A model that was cast to float64 shall compute in float64.
        wavs = wavs.to(self.mods["codec"].steps.like)
        num_samples = absolute_lengths(wav_lens, wavs, "wav_lens")
        num_codebooks = check_num_codebooks(num_codebooks, self.num_codebooks)
        chunk_frames = self._chunk_frames(len(wavs))
        with self.inference_ctx:
            tokens, num_frames = self.mods["codec"].encode(
                wavs, num_samples, num_codebooks, chunk_frames
            )
        return tokens, relative_lengths(num_frames, tokens.shape[1])

    @torch.no_grad()
    def decode(
        self,
        tokens: Tokens,
        token_lens: Lengths | None = None,
        num_samples: int | None = None,
    ) -> tuple[Wavs, Lengths]:
        """Decode tokens to waveforms.

        Arguments
        ---------
        tokens : torch.Tensor
            Integers [batch, frames, codebooks]; the codebooks may be fewer
            than trained. Beyond an item's own frames any number may stand.
        token_lens : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.
        num_samples : int, optional
            Length of the waveforms; default and most: frames * hop_length.

        Returns
        -------
        wavs : torch.Tensor
            float [batch, num_samples], zero beyond an item's own frames.
        wav_lens : torch.Tensor
            float [batch], relative lengths of what the tokens cover.
        """
        check_tokens(tokens, self.num_codebooks)
        tokens = tokens.to(self.device, torch.int64)
        num_frames = absolute_lengths(token_lens, tokens, "token_lens")
        tokens = tokens_without_padding(tokens, num_frames, self.codebook_size)
        covered = tokens.shape[1] * self.hop_length
        num_samples = check_num_samples(num_samples, covered)
        chunk_frames = self._chunk_frames(len(tokens))
        with self.inference_ctx:
            wavs = self.mods["codec"].decode(
                tokens, num_frames, chunk_frames=chunk_frames
            )
        if num_frames is None:
            own = torch.full((len(wavs),), num_samples, device=wavs.device)
        else:
            own = (num_frames * self.hop_length).clamp(max=num_samples)
        return wavs[:, :num_samples], relative_lengths(own, num_samples)

    def forward(
        self,
        wavs: Wavs,
        wav_lens: Lengths | None = None,
        num_codebooks: int | None = None,
    ) -> tuple[Wavs, Lengths]:
        """Encode and decode.

        A gradient of the decoded waveforms reaches ``wavs``, if that
        requires one: a network before the codec can be trained through it.
        The quantiser passes the gradient on as it is (straight-through).

        Arguments
        ---------
        wavs : torch.Tensor
            As for ``encode``; all of one length if a gradient is wanted.
        wav_lens : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        wavs : torch.Tensor
            float [batch, samples], zero beyond an item's own samples.
        wav_lens : torch.Tensor
            float [batch], relative lengths, as given.
        """
        if wavs.requires_grad and torch.is_grad_enabled():
            return code_with_gradient(self, wavs, wav_lens, num_codebooks)
        tokens, token_lens = self.encode(wavs, wav_lens, num_codebooks)
        decoded, _ = self.decode(tokens, token_lens, wavs.shape[-1])
        if wav_lens is None:
            return decoded, torch.ones(len(decoded), device=decoded.device)
        own = absolute_lengths(wav_lens, decoded, "wav_lens")
        assert own is not None
        samples = torch.arange(decoded.shape[1], device=decoded.device)
        return decoded * (samples < own[:, None]), wav_lens

    @property
    def streamable(self) -> bool:
        """Whether the model can be streamed."""
        return self.mods["codec"].streamable

    @property
    def latency_samples(self) -> int:
        """Samples after a decoded one that it depends on, at most."""
        return self.mods["codec"].timing.latency_samples

    @property
    def encoder_latency_samples(self) -> int:
        """Samples after the first one of a token frame that it depends on."""
        return self.mods["codec"].timing.encoder_latency_samples

    @property
    def decoder_latency_samples(self) -> int:
        """Samples from a sample to the first one of its latest tokens."""
        return self.mods["codec"].timing.decoder_latency_samples

    make_streaming_context = streaming.make_streaming_context

    # As streams were called before; they go with the next version.
    encode_chunk = streaming.encode_chunk
    encode_flush = streaming.encode_flush
    decode_chunk = streaming.decode_chunk
    decode_flush = streaming.decode_flush

    load_audio = audio_files.load_audio
    encode_file = audio_files.encode_file
    decode_file = audio_files.decode_file
    compress = apc_file.compress
    decompress = apc_file.decompress

    # What models that predict tokens need.

    @property
    def vocabulary(self) -> Tensor:
        """Out-projected codewords, float [K, C, latent_dim]."""
        return self.mods["codec"].quantizer.vocabulary

    @property
    def latent_dim(self) -> int:
        """Channels of an embedding, H."""
        return self.mods["codec"].latent_dim

    @property
    def special_tokens(self) -> SpecialTokens:
        """Ids of PAD, BOS and EOS: C, C + 1 and C + 2."""
        return SpecialTokens(self.codebook_size)

    @property
    def token_index_offsets(self) -> Tensor:
        """Where each codebook begins in the flat vocabulary, int64 [K]."""
        return flattening.token_index_offsets(
            self.num_codebooks, self.codebook_size, self.device
        )

    embeddings = token_calls.embeddings
    latents = token_calls.latents
    flatten = token_calls.flatten
    unflatten = token_calls.unflatten
    silence_tokens = token_calls.silence_tokens
