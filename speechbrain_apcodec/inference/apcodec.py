"""The codec as SpeechBrain's users call it.

``APCodec`` is SpeechBrain's ``Pretrained`` interface to the ``Codec`` lobe:
it loads a model from a folder, a hub or a URL, checks what it is given, and
speaks SpeechBrain's relative lengths at the border, where the lobe counts
samples and frames.

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
import math
from collections.abc import Sequence

import torch
from speechbrain.inference.interfaces import Pretrained
from speechbrain.utils.autocast import AMPConfig
from speechbrain.utils.fetching import (
    FetchConfig,
    FetchFrom,
    LocalStrategy,
)
from torch import Tensor

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.inference.architecture import build_codec
from speechbrain_apcodec.inference.audio_files import FileInterface
from speechbrain_apcodec.inference.checks import (
    absolute_lengths,
    check_num_codebooks,
    check_tokens,
    check_wavs,
    relative_lengths,
    tokens_without_padding,
    whole_number,
)
from speechbrain_apcodec.inference.config import CONFIG_FILE, read_config
from speechbrain_apcodec.inference.loading import (
    SafetensorsPretrainer,
    weights_file,
)
from speechbrain_apcodec.inference.normalizer import CodecAudioNormalizer
from speechbrain_apcodec.inference.placement import PlacedByParameters
from speechbrain_apcodec.inference.sources import (
    claim_savedir,
    fetch_file,
    find_source,
)
from speechbrain_apcodec.inference.streaming import CheckedContext, outlasting
from speechbrain_apcodec.inference.tokens import TokenInterface
from speechbrain_apcodec.lobes.folding import cast_weights, fold
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError

CODEC_FILE = weights_file("codec")

#: Longer recordings are coded piece by piece; the result is the same.
CHUNK_SECONDS = 20
# A CPU spends as long on the memory of longer pieces as on the networks: of
# all items of a batch together.
CPU_CHUNK_SECONDS = 5


class APCodec(TokenInterface, FileInterface, PlacedByParameters, Pretrained):
    """A trained codec, ready to encode and decode.

    Lengths at this interface are relative, from 0 to 1, as in SpeechBrain:
    item ``i`` of a batch of ``T`` samples has ``round(wav_lens[i] * T)`` of
    them. A waveform of any length becomes ``ceil(samples / hop_length)``
    token frames.

    Arguments
    ---------
    modules : dict
        ``codec``: the ``speechbrain_apcodec.lobes.codec.Codec``.
    hparams : dict, optional
        Hyper-parameters of the inference YAML.
    run_opts : dict or speechbrain.utils.run_opts.RunOptions, optional
        Such as ``{"device": "cuda"}``; ``{"precision": "bf16"}`` lets the
        network, but not spectra, phases and codebooks, run in bfloat16, and
        ``{"compile": True}`` compiles it at the first call: both are faster,
        and some tokens differ (python -m benchmarks.mismatch).
    freeze_params : bool
        Switch gradients and training mode off.
    config : dict, optional
        Content of the model's ``config.json``.

    Raises
    ------
    CheckpointError
        If ``modules`` has no codec, or ``config`` says other things of it
        than its hyper-parameters do.

    Example
    -------
    >>> from hyperpyyaml import load_hyperpyyaml
    >>> sub = "bins: 513, channels: 8, hidden_channels: 8, num_blocks: 1"
    >>> lobes = "!new:speechbrain_apcodec.lobes"
    >>> hparams = load_hyperpyyaml(f'''
    ... codec: {lobes}.codec.Codec
    ...     analysis: {lobes}.spectrum.STFTAnalysis
    ...     encoder: {lobes}.autoencoder.Encoder
    ...         amplitude: {lobes}.autoencoder.SubEncoder {{{sub}}}
    ...         phase: {lobes}.autoencoder.SubEncoder {{{sub}}}
    ...     quantizer: {lobes}.quantizer.ResidualVectorQuantizer
    ...     decoder: {lobes}.autoencoder.Decoder
    ...         amplitude: {lobes}.autoencoder.SubDecoder
    ...             {{num_heads: 1, {sub}}}
    ...         phase: {lobes}.autoencoder.SubDecoder {{num_heads: 2, {sub}}}
    ...     synthesis: {lobes}.spectrum.STFTSynthesis
    ...     sample_rate: 48000
    ... ''')
    >>> apcodec = APCodec({"codec": hparams["codec"]})
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
        modules=None,
        hparams=None,
        run_opts=None,
        freeze_params=True,
        config=None,
    ):
        for name in self.MODULES_NEEDED:
            if name not in (modules or {}):
                raise CheckpointError(
                    f"the model's YAML has no '{name}' below 'modules': "
                    "export the model again"
                )
        hparams = dict(hparams or {})
        # SpeechBrain's own default would resample everything to 16 kHz.
        hparams.setdefault(
            "audio_normalizer",
            CodecAudioNormalizer(modules["codec"].sample_rate),
        )
        super().__init__(modules, hparams, run_opts, freeze_params)
        #: As trained: inference folds layers.
        self.num_parameters = sum(
            parameter.numel() for parameter in self.mods["codec"].parameters()
        )
        if freeze_params:
            fold(self.mods["codec"])
            dtype = AMPConfig.from_name(self.precision).dtype
            if dtype in (torch.bfloat16, torch.float16):
                cast_weights(self.mods["codec"], dtype)
        self.config = config
        for key in ("sample_rate", "hop_length", "num_codebooks"):
            self._check_config(key)
        self._check_config("codebook_size")
        self._check_weights()

    def _compile(self):
        """Compile the branches: the codec itself is never called.

        With frozen weights, so that they are packed once for the kernels,
        and what follows a matrix product is fused with it.
        """
        if self.compile:
            codec = self.mods["codec"]
            for network in (codec.encoder, codec.decoder):
                for branch in (network.amplitude, network.phase):
                    branch.compile(options={"freezing": True})

    def _check_config(self, key):
        if self.config is not None and self.config[key] != getattr(self, key):
            raise CheckpointError(
                f"{CONFIG_FILE} says {key} {self.config[key]}, but the "
                f"model has {getattr(self, key)}: export the model again"
            )

    def _check_weights(self):
        """Compare with the checksum that was fetched first.

        The pretrainer compares with the ``config.json`` beside the weights.
        There is none if a hub's branch has moved on between two files.
        """
        expected = (self.config or {}).get("sha256", {}).get(CODEC_FILE)
        pretrainer = getattr(self.hparams, "pretrainer", None)
        loaded = getattr(pretrainer, "sha256", {}).get("codec")
        if expected and loaded and loaded != expected:
            raise CheckpointError(
                f"{CODEC_FILE} is not the file that {CONFIG_FILE} tells of: "
                "fetch the model again"
            )

    @classmethod
    def from_hparams(
        cls,
        source=DEFAULT_MODEL,
        hparams_file="hyperparams.yaml",
        savedir=None,
        local_strategy=LocalStrategy.SYMLINK,
        fetch_config=FetchConfig(),  # noqa: B008 (frozen)
        **kwargs,
    ):
        """Load an exported model; its weights must fit to the last tensor.

        Arguments
        ---------
        source : str or pathlib.Path or FetchSource
            Folder of an exported model, hub id or URL; default: the model
            inside the package.
        hparams_file : str
            Name of the YAML in it. It executes code: load models only from
            people whom you trust.
        savedir : str or pathlib.Path, optional
            Folder, for this model and revision alone, in which its files
            are collected; default: they are read where they lie (folders)
            or from the hub's cache.
        local_strategy : LocalStrategy
            Whether ``savedir`` gets links or copies.
        fetch_config : FetchConfig
            Revision, token, network and so on.
        **kwargs : dict
            ``run_opts``, ``overrides`` and others of SpeechBrain's
            ``pretrained_from_hparams``.

        Returns
        -------
        APCodec

        Raises
        ------
        CheckpointError
            If there is no model, ``savedir`` holds another one, or a weight
            file is damaged, was changed, or does not fit.
        """
        source, config, fetching = cls._fetch_config(
            source, savedir, local_strategy, fetch_config
        )
        # SpeechBrain fetches it again, but would not say why it cannot.
        fetch_file(hparams_file, source, **fetching)
        with damage_named(
            CheckpointError,
            f"{hparams_file} of {config['model_id']} builds no codec",
            "export the model again, or see the overrides",
        ):
            return super().from_hparams(
                source, hparams_file, config=config, **fetching, **kwargs
            )

    @classmethod
    def from_config(
        cls,
        source=DEFAULT_MODEL,
        savedir=None,
        local_strategy=LocalStrategy.SYMLINK,
        fetch_config=FetchConfig(),  # noqa: B008 (frozen)
        run_opts=None,
        freeze_params=True,
    ):
        """Load an exported model without its YAML: no code of it is run.

        The network is built from ``config.json``, of nothing but this
        package's classes, and the weights are read from safetensors. It is
        the same model as `from_hparams` loads.

        Arguments
        ---------
        source : str or pathlib.Path or FetchSource
            As in `from_hparams`.
        savedir : str or pathlib.Path, optional
            As in `from_hparams`.
        local_strategy : LocalStrategy
            As in `from_hparams`.
        fetch_config : FetchConfig
            As in `from_hparams`.
        run_opts : dict or speechbrain.utils.run_opts.RunOptions, optional
            Such as ``{"device": "cuda"}``.
        freeze_params : bool
            Switch gradients and training mode off.

        Returns
        -------
        APCodec

        Raises
        ------
        CheckpointError
            As in `from_hparams`, or if ``config.json`` does not say how the
            network is built.

        Example
        -------
        >>> APCodec.from_config().model_id == APCodec.from_hparams().model_id
        True
        """
        source, config, fetching = cls._fetch_config(
            source, savedir, local_strategy, fetch_config
        )
        if "architecture" not in config:
            raise CheckpointError(
                f"{CONFIG_FILE} of {config['model_id']} does not say how the "
                "network is built: load it by its YAML, or export it anew "
                "with `apcodec export FOLDER OUT_DIR`"
            )
        codec = build_codec(config["architecture"])
        fetching["default_source"] = source
        pretrainer = SafetensorsPretrainer(
            collect_in=fetching.pop("savedir"), loadables={"codec": codec}
        )
        pretrainer.collect_files(**fetching)
        pretrainer.load_collected()
        return cls(
            {"codec": codec},
            {"pretrainer": pretrainer},
            run_opts,
            freeze_params,
            config,
        )

    @staticmethod
    def _fetch_config(source, savedir, local_strategy, fetch_config):
        """Find a model and read its ``config.json``.

        Returns
        -------
        source : FetchSource
            Where it is.
        config : dict
            Content of the file.
        fetching : dict
            How to fetch the model's other files.
        """
        source = find_source(source)
        savedir = claim_savedir(savedir, source, fetch_config)
        if source.FetchFrom == FetchFrom.LOCAL:
            # The folder may have been exported anew since the last time.
            fetch_config = dataclasses.replace(fetch_config, overwrite=True)
        fetching = {
            "savedir": savedir,
            "local_strategy": local_strategy,
            "fetch_config": fetch_config,
        }
        config = read_config(fetch_file(CONFIG_FILE, source, **fetching))
        return source, config, fetching

    @property
    def sample_rate(self):
        """Sampling rate of the waveforms, Hz."""
        return self.mods["codec"].sample_rate

    @property
    def hop_length(self):
        """Samples per token frame."""
        return self.mods["codec"].hop_length

    @property
    def stft_hop_length(self):
        """Samples between the frames of the STFT inside."""
        return self.mods["codec"].stft_hop_length

    @property
    def frame_rate(self):
        """Token frames per second."""
        return self.mods["codec"].frame_rate

    @property
    def num_codebooks(self):
        """Codebooks, K: the most tokens per frame."""
        return self.mods["codec"].num_codebooks

    @property
    def codebook_size(self):
        """Codewords of each codebook, C: tokens are 0 to C - 1."""
        return self.mods["codec"].codebook_size

    @property
    def model_id(self):
        """Name of these very weights, which coded files carry."""
        return self._published()["model_id"]

    @property
    def weights_sha256(self):
        """SHA-256 of the weight file that was loaded."""
        self._published()
        return self.hparams.pretrainer.sha256["codec"]

    def _published(self):
        if self.config is None:
            raise CheckpointError(
                "a codec that was not loaded from an exported model has no "
                "id: run `apcodec export` and load the folder"
            )
        return self.config

    def bitrate(self, num_codebooks=None):
        """Compute the bits per second of the tokens.

        Arguments
        ---------
        num_codebooks : int, optional
            Codebooks used; default: all.

        Returns
        -------
        float
            frame_rate * num_codebooks * log2(codebook_size).
        """
        books = self._checked_num_codebooks(num_codebooks)
        return self.frame_rate * books * math.log2(self.codebook_size)

    def _checked_num_codebooks(self, num_codebooks: int | None) -> int:
        if num_codebooks is None:
            return self.num_codebooks
        return check_num_codebooks(num_codebooks, self.num_codebooks)

    @property
    def chunk_frames(self) -> int | None:
        """Token frames of one recording that are coded at a time.

        None if all are: the model cannot be streamed.
        """
        return self._chunk_frames(1)

    def _chunk_frames(self, batch_size):
        """Count the token frames that are coded at a time."""
        if not self.streamable:
            return None  # each chunk would take a pass a layer
        seconds = CHUNK_SECONDS
        if self.device_type == "cpu":
            share = CPU_CHUNK_SECONDS / max(1, batch_size)
            seconds = min(seconds, max(0.2, share))
        return round(seconds * self.frame_rate)

    @torch.no_grad()
    def encode(self, wavs, wav_lens=None, num_codebooks=None):
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

        Raises
        ------
        APCodecError
            If an argument has a wrong shape, type or value.
        """
        check_wavs(wavs)
        # A model that was cast to float64 shall compute in float64.
        wavs = wavs.to(self.mods["codec"].steps.like)
        num_samples = absolute_lengths(wav_lens, wavs, "wav_lens")
        num_codebooks = self._checked_num_codebooks(num_codebooks)
        with self.inference_ctx:
            tokens, num_frames = self.mods["codec"].encode(
                wavs,
                num_samples,
                num_codebooks,
                self._chunk_frames(len(wavs)),
            )
        return tokens, relative_lengths(num_frames, tokens.shape[1])

    @torch.no_grad()
    def decode(self, tokens, token_lens=None, num_samples=None):
        """Decode tokens to waveforms.

        Arguments
        ---------
        tokens : torch.Tensor
            Integers [batch, frames, codebooks]; the codebooks may be fewer
            than trained. Beyond an item's own frames any number may stand.
        token_lens : torch.Tensor, optional
            float [batch], relative lengths; default: all 1.
        num_samples : int, optional
            Length of the waveforms; default and most:
            frames * hop_length.

        Returns
        -------
        wavs : torch.Tensor
            float [batch, num_samples], zero beyond an item's own frames.
        wav_lens : torch.Tensor
            float [batch], relative lengths of what the tokens cover.

        Raises
        ------
        APCodecError
            If an argument has a wrong shape, type or value.
        """
        check_tokens(tokens, self.num_codebooks)
        tokens = tokens.to(self.device, torch.int64)
        num_frames = absolute_lengths(token_lens, tokens, "token_lens")
        tokens = tokens_without_padding(tokens, num_frames, self.codebook_size)
        covered = tokens.shape[1] * self.hop_length
        if num_samples is None:
            num_samples = covered
        num_samples = whole_number(num_samples, "num_samples")
        if not 0 <= num_samples <= covered:
            raise APCodecError(
                f"{tokens.shape[1]} token frames hold up to {covered} "
                f"samples, but num_samples is {num_samples}"
            )
        with self.inference_ctx:
            wavs = self.mods["codec"].decode(
                tokens,
                num_frames,
                chunk_frames=self._chunk_frames(len(tokens)),
            )
        if num_frames is None:
            own = torch.full((len(wavs),), num_samples, device=wavs.device)
        else:
            own = (num_frames * self.hop_length).clamp(max=num_samples)
        return wavs[:, :num_samples], relative_lengths(own, num_samples)

    def forward(self, wavs, wav_lens=None, num_codebooks=None):
        """Encode and decode.

        A gradient of the decoded waveforms reaches ``wavs``, if that asks
        for one: what feeds a codec can be trained through it. The quantiser
        passes it on as it is (straight-through).

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].
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
            return self._differentiable(wavs, wav_lens, num_codebooks)
        tokens, token_lens = self.encode(wavs, wav_lens, num_codebooks)
        decoded, _ = self.decode(tokens, token_lens, wavs.shape[-1])
        if wav_lens is None:
            return decoded, torch.ones(len(decoded), device=decoded.device)
        own = absolute_lengths(wav_lens, decoded, "wav_lens")
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

    @outlasting
    def make_streaming_context(
        self,
        batch_size: int = 1,
        low_delay: bool = False,
        num_codebooks: int | None = None,
    ) -> CheckedContext:
        """Begin live streams.

        Arguments
        ---------
        batch_size : int
            Number of streams.
        low_delay : bool
            Hand out decoded samples as soon as they are known. Otherwise a
            few are held back, so that ``flush_decoder`` can cut a stream
            that ends within its last token.
        num_codebooks : int, optional
            Number of codebooks to encode with; default: all.

        Returns
        -------
        speechbrain_apcodec.inference.streaming.CheckedContext
            It encodes and decodes; the caller owns it.

        Raises
        ------
        APCodecError
            If the model cannot be streamed.
        """
        codec = self.mods["codec"]
        codec.steps.check_streamable()
        return CheckedContext(
            self.inference_ctx,
            self.codebook_size,
            codec.steps,
            whole_number(batch_size, "batch_size"),
            low_delay,
            self._checked_num_codebooks(num_codebooks),
        )

    # As streams were called before; they go with the next version.

    def encode_chunk(
        self,
        context: CheckedContext,
        wavs: Tensor,
        wav_lens: Tensor | None = None,
        num_codebooks: int | None = None,
    ) -> Tensor:
        """Call ``context.encode``, with relative lengths."""
        check_wavs(wavs)
        context.num_codebooks = self._checked_num_codebooks(num_codebooks)
        return context.encode(
            wavs, absolute_lengths(wav_lens, wavs, "wav_lens")
        )

    def encode_flush(
        self,
        context: CheckedContext,
        items: Sequence[int] | None = None,
        num_codebooks: int | None = None,
    ) -> Tensor:
        """Call ``context.flush_encoder``."""
        context.num_codebooks = self._checked_num_codebooks(num_codebooks)
        return context.flush_encoder(items)

    def decode_chunk(
        self,
        context: CheckedContext,
        tokens: Tensor,
        token_lens: Tensor | None = None,
    ) -> Tensor:
        """Call ``context.decode``, with relative lengths."""
        check_tokens(tokens, self.num_codebooks)
        return context.decode(
            tokens, absolute_lengths(token_lens, tokens, "token_lens")
        )

    def decode_flush(
        self,
        context: CheckedContext,
        num_samples: int | Tensor | None = None,
        items: Sequence[int] | None = None,
    ) -> Tensor:
        """Call ``context.flush_decoder``."""
        return context.flush_decoder(num_samples, items)

    def _differentiable(self, wavs, wav_lens, num_codebooks):
        """Code and decode so that a gradient reaches the input."""
        check_wavs(wavs)
        if wav_lens is not None and not (torch.as_tensor(wav_lens) == 1).all():
            raise APCodecError(
                "a gradient passes through waveforms of one length alone: "
                "cut them, or pass them one by one"
            )
        num_codebooks = self._checked_num_codebooks(num_codebooks)
        wavs = wavs.to(self.mods["codec"].steps.like)
        with self.inference_ctx:
            decoded = self.mods["codec"](wavs, num_codebooks).decoded
        return decoded, torch.ones(len(decoded), device=decoded.device)
