"""Speech from text, as SpeechBrain's users call it.

``TokenTTS`` is SpeechBrain's ``Pretrained`` interface to a Transformer that
predicts the tokens of a codec. The model's folder holds that codec, too, and
says by a SHA-256 which one it must be: another one would make noise of the
tokens without any error.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from speechbrain.utils.fetching import FetchConfig, LocalStrategy
from torch.nn.utils.rnn import pad_sequence

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.checks import relative_lengths
from speechbrain_apcodec.inference.placement import PlacedPretrained
from speechbrain_apcodec.models.config import CONFIG_FILE
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.models.pretrained import find_model, load_pretrained
from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.tts.text import encode_text
from speechbrain_apcodec.utils.atomic import check_destination
from speechbrain_apcodec.utils.audio import storable_subtype, write_audio
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError

#: Folder of the codec inside a model of speech, and what is needed of it.
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
        ``generate`` (``tts.generation.generate_tokens`` with
        the model's pattern and ways to draw).
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
        modules=None,
        hparams=None,
        run_opts=None,
        freeze_params=True,
        codec=None,
    ):
        if "model" not in (modules or {}):
            raise CheckpointError(
                "the model's YAML has no 'model' below 'modules': export the "
                "training run again"
            )
        super().__init__(modules, hparams, run_opts, freeze_params)
        self.codec = codec

    @classmethod
    def from_hparams(
        cls,
        source,
        hparams_file="hyperparams.yaml",
        savedir=None,
        local_strategy=LocalStrategy.SYMLINK,
        fetch_config=FetchConfig(),  # noqa: B008 (frozen)
        run_opts=None,
        **kwargs,
    ):
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
        check_codec(codec, config)
        with damage_named(
            CheckpointError,
            f"{hparams_file} of {config['model_id']} builds no voice",
            "export the model again, or see the overrides",
        ):
            return load_pretrained(
                cls,
                found,
                hparams_file,
                codec=codec,
                run_opts=run_opts,
                **kwargs,
            )

    @property
    def sample_rate(self):
        """Sampling rate of the speech, Hz."""
        return self.codec.sample_rate

    def generate(self, texts, seed=0, **options):
        """Predict the tokens of sentences.

        Arguments
        ---------
        texts : list of str
            The sentences.
        seed : int
            The same seed gives the same speech.
        **options : dict
            ``temperature``, ``top_k`` and ``guidance``, where they shall
            differ from the model's own; temperature 0 takes the most probable
            tokens.

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

    def synthesize_batch(self, texts, seed=0, **options):
        """Speak several sentences, each as if it were alone.

        Arguments
        ---------
        texts : list of str
            The sentences.
        seed : int
            The same seed gives the same speech.
        **options : dict
            See ``generate``.

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

    def synthesize(self, text, seed=0, **options):
        """Speak a sentence.

        Arguments
        ---------
        text : str
            The sentence.
        seed : int
            The same seed gives the same speech.
        **options : dict
            See ``generate``.

        Returns
        -------
        torch.Tensor
            float [samples] at ``sample_rate``.
        """
        return self.synthesize_batch([text], seed, **options)[0][0]

    def synthesize_file(self, text, path, seed=0, force=False, **options):
        """Speak a sentence into an audio file.

        Arguments
        ---------
        text : str
            The sentence.
        path : str or pathlib.Path
            The file to write; its suffix names the container.
        seed : int
            The same seed gives the same speech.
        force : bool
            Whether a file at ``path`` may be replaced.
        **options : dict
            See ``generate``.

        Returns
        -------
        float
            Seconds.
        """
        check_destination(path, force=force)
        storable_subtype(path, "PCM_16")
        wav = self.synthesize(text, seed, **options)
        write_audio(path, wav[None].cpu(), self.sample_rate)
        return len(wav) / self.sample_rate

    def _encode(self, text):
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


def check_codec(codec, config):
    """Make sure that a codec is the one whose tokens a model predicts.

    Arguments
    ---------
    codec : speechbrain_apcodec.inference.APCodec
        Loaded from an exported model.
    config : dict
        The model's ``config.json``, with ``codec_sha256``.

    Raises
    ------
    CheckpointError
        If it is another one.
    """
    if codec.weights_sha256 != config["codec_sha256"]:
        raise CheckpointError(
            f"the codec {codec.model_id} is not the one whose tokens the "
            f"model {config['model_id']} was trained on, and would make "
            "noise of them: export the model again"
        )
