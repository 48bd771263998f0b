"""Speech from text, as SpeechBrain's users call it.

``TokenTTS`` is SpeechBrain's ``Pretrained`` interface to a Transformer that
predicts the tokens of a codec. The model's folder also holds that codec, and
identifies it by a SHA-256: another one would decode the tokens to noise
without any error.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.fetching import FetchConfig, FetchSource, LocalStrategy
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.checks import relative_lengths
from speechbrain_apcodec.inference.placement import PlacedPretrained
from speechbrain_apcodec.models.config import CONFIG_FILE
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.models.pretrained import find_model, load_pretrained
from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.tts.generation import Generated
from speechbrain_apcodec.tts.text import encode_text
from speechbrain_apcodec.utils.audio_writing import (
    check_audio_destination,
    write_audio,
)
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError
from speechbrain_apcodec.utils.types import AnyPath, Lengths, Wav, Wavs

#: Folder of the codec inside a model of speech, and the files needed of it.
CODEC_FOLDER = "codec"
CODEC_FILES = (CONFIG_FILE, "hyperparams.yaml", weights_file("codec"))


class TokenTTS(PlacedPretrained):
    """A trained model of speech, ready to speak.

    Arguments
    ---------
    modules : dict
        ``model``: a ``tts.transformer.TokenTransformer``.
    hparams : dict
        ``tokenizer`` (``sentencepiece.SentencePieceProcessor``),
        ``phonemes`` (the language in whose phonemes it reads, or null) and
        ``generate`` (``tts.generation.generate_tokens`` with the model's
        pattern and sampling options).
    run_opts : dict or speechbrain.utils.run_opts.RunOptions, optional
        Such as ``{"device": "cuda"}``.
    freeze_params : bool
        Switch gradients and training mode off.
    codec : speechbrain_apcodec.inference.APCodec
        The codec whose tokens the model predicts.

    Example
    -------
    >>> tts = TokenTTS.from_hparams("my_voice")  # doctest: +SKIP
    >>> wav = tts.synthesize("Good morning.")  # doctest: +SKIP
    >>> wav.shape, tts.sample_rate  # doctest: +SKIP
    (torch.Size([52480]), 48000)
    """

    MODULES_NEEDED = ["model"]
    HPARAMS_NEEDED = ["tokenizer", "generate", "phonemes"]

    def __init__(
        self,
        modules: dict[str, torch.nn.Module] | None = None,
        hparams: dict[str, Any] | None = None,
        run_opts: Any = None,
        freeze_params: bool = True,
        codec: APCodec | None = None,
    ) -> None:
        if "model" not in (modules or {}):
            raise CheckpointError(
                "the model's YAML has no 'model' below 'modules': export the "
                "training run again"
            )
        super().__init__(modules, hparams, run_opts, freeze_params)
        # Optional only because SpeechBrain's arguments before it are.
        self.codec: APCodec = codec  # type: ignore[assignment]

    @classmethod
    def from_hparams(
        cls,
        source: AnyPath | FetchSource,
        hparams_file: str = "hyperparams.yaml",
        savedir: str | Path | None = None,
        local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
        fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
        run_opts: Any = None,
        **kwargs: Any,
    ) -> TokenTTS:
        """Load an exported model of speech with its codec.

        Arguments
        ---------
        source : str or pathlib.Path or FetchSource
            Folder of an exported model, hub id or URL.
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
        run_opts : dict, optional
            Such as ``{"device": "cuda"}``.
        **kwargs : dict
            ``overrides`` and others of SpeechBrain's
            ``pretrained_from_hparams``.

        Returns
        -------
        TokenTTS

        Raises
        ------
        CheckpointError
            If there is no model of speech, a file is damaged or was changed,
            or the codec is not the one whose tokens the model predicts.
        """
        found = find_model(source, savedir, local_strategy, fetch_config)
        config = found.config
        if "codec_sha256" not in config:
            raise CheckpointError(
                f"{found.source.path} is a codec, no model of speech: give the "
                "folder that `apcodec export` made of a TTS run"
            )
        files = [
            fetch_file(
                f"{CODEC_FOLDER}/{name}",
                found.source,
                found.savedir and found.savedir / CODEC_FOLDER,
                name,
                **found.how,
            )
            for name in CODEC_FILES
        ]
        codec = APCodec.from_hparams(files[0].parent, run_opts=run_opts)
        if codec.weights_sha256 != config["codec_sha256"]:
            raise CheckpointError(
                f"the codec {codec.model_id} is not the one whose tokens the "
                f"model {config['model_id']} was trained on, and would make "
                "noise of them: export the model again"
            )
        with damage_named(
            CheckpointError,
            f"{hparams_file} of {config['model_id']} builds no voice",
            "export the model again, or see the overrides",
        ):
            # None only with ``download_only``.
            return load_pretrained(  # type: ignore[return-value]
                cls,
                found,
                hparams_file,
                codec=codec,
                run_opts=run_opts,
                **kwargs,
            )

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the speech, Hz."""
        return self.codec.sample_rate

    def generate(
        self, texts: Sequence[str], seed: int = 0, **options: Any
    ) -> Generated:
        """Predict the tokens of sentences.

        Arguments
        ---------
        texts : list of str
            The sentences.
        seed : int
            The same seed gives the same speech.
        **options : dict
            ``temperature``, ``top_k`` and ``guidance``, where they differ from
            the model's own; temperature 0 takes the most probable tokens.

        Returns
        -------
        speechbrain_apcodec.tts.generation.Generated

        Raises
        ------
        APCodecError
            If a text is empty or too long.
        """
        encoded = [self._encode(text) for text in texts]
        num_text = torch.tensor([len(text) for text in encoded])
        padded = pad_sequence(encoded, batch_first=True)
        with self.inference_ctx:
            return self.hparams.generate(
                self.mods.model,
                padded.to(self.device),
                num_text.to(self.device),
                seed=seed,
                **options,
            )

    def synthesize_batch(
        self, texts: Sequence[str], seed: int = 0, **options: Any
    ) -> tuple[Wavs, Lengths]:
        """Speak several sentences, each as if it were alone.

        Takes the arguments of ``generate``.

        Returns
        -------
        wavs : torch.Tensor
            float [batch, samples] at ``sample_rate``.
        wav_lens : torch.Tensor
            float [batch], relative lengths.
        """
        said = self.generate(texts, seed, **options)
        lengths = relative_lengths(said.num_frames, said.tokens.shape[1])
        return self.codec.decode(said.tokens, lengths)

    def synthesize(self, text: str, seed: int = 0, **options: Any) -> Wav:
        """Speak a sentence: float [samples] at ``sample_rate``.

        Takes the arguments of ``generate``.
        """
        return self.synthesize_batch([text], seed, **options)[0][0]

    def synthesize_file(
        self,
        text: str,
        path: AnyPath,
        seed: int = 0,
        force: bool = False,
        **options: Any,
    ) -> float:
        """Speak a sentence into an audio file; return its seconds.

        Takes the arguments of ``generate``. The suffix of the path names the
        container; ``force`` replaces an existing file.
        """
        check_audio_destination(path, force=force)
        wav = self.synthesize(text, seed, **options)
        write_audio(path, wav[None].cpu(), self.sample_rate)
        return len(wav) / self.sample_rate

    def _encode(self, text: str) -> Tensor:
        encoded = encode_text(
            self.hparams.tokenizer, text, self.hparams.phonemes
        )
        # The marks of beginning and end alone are no sentence.
        if len(encoded) <= 2:
            raise APCodecError("the text is empty: give a sentence to say")
        longest = self.mods.model.max_steps
        if len(encoded) > longest:
            raise APCodecError(
                f"the text has {len(encoded)} pieces, more than {longest}: "
                "say it sentence by sentence"
            )
        return encoded
