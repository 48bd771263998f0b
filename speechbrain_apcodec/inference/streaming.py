"""Live streams through a trained codec.

The caller owns the state of a batch of streams, passes it in with every
piece, and gets tensors back: the same tokens and the same audio as from the
whole waveform.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.inference.checks import (
    absolute_lengths,
    check_num_codebooks,
    check_tokens,
    check_wavs,
    tokens_without_padding,
    whole_number,
)


def _outlasting(method):
    """Compute without gradient, on tensors that may be changed later.

    What ``torch.inference_mode`` makes cannot be updated outside of it, but a
    stream goes on there.
    """
    return torch.inference_mode(False)(torch.no_grad()(method))


class StreamingInterface:
    """The part of ``APCodec`` that works on streams.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams()  # doctest: +SKIP
    >>> context = codec.make_streaming_context()  # doctest: +SKIP
    >>> tokens = codec.encode_chunk(context, wav[:, :960])  # doctest: +SKIP
    >>> wav = codec.decode_chunk(context, tokens)  # doctest: +SKIP
    """

    @property
    def streamable(self):
        """Whether the model can be streamed."""
        return self.mods["codec"].streamable

    @property
    def latency_samples(self):
        """Samples after a decoded one that it depends on, at most."""
        return self.mods["codec"].latency_samples

    @property
    def encoder_latency_samples(self):
        """Samples after the first one of a token frame that it depends on."""
        return self.mods["codec"].encoder_latency_samples

    @property
    def decoder_latency_samples(self):
        """Samples from a sample to the first one of its latest tokens."""
        return self.mods["codec"].decoder_latency_samples

    @_outlasting
    def make_streaming_context(self, batch_size=1, low_delay=False):
        """Make the state of streams that begin.

        Arguments
        ---------
        batch_size : int
            Number of streams.
        low_delay : bool
            Hand out decoded samples as soon as they are known. Otherwise a
            few are held back, so that ``decode_flush`` can cut a stream that
            ends within its last token.

        Returns
        -------
        speechbrain_apcodec.lobes.streaming_context.StreamingContext
            On the codec's device; ``context.reset(items)`` lets streams
            begin anew.

        Raises
        ------
        ConfigurationError
            If the model cannot be streamed.
        """
        return self.mods["codec"].make_streaming_context(
            whole_number(batch_size, "batch_size"), low_delay
        )

    @_outlasting
    def encode_chunk(self, context, wavs, wav_lens=None, num_codebooks=None):
        """Encode the next samples of streams.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        wavs : torch.Tensor
            float [batch, samples], any number of them.
        wav_lens : torch.Tensor, optional
            float [batch], relative lengths, 0 for a stream that pauses;
            default: all 1.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks], what is complete now, which may
            be nothing; ``context.num_tokens`` are each stream's own.

        Raises
        ------
        APCodecError
            If an argument has a wrong shape, type or value, or a stream has
            ended.
        """
        check_wavs(wavs)
        wavs = wavs.to(self.mods["codec"].synthesis.window)
        with self.inference_ctx:
            return self.mods["codec"].encode_chunk(
                context,
                wavs,
                absolute_lengths(wav_lens, wavs, "wav_lens"),
                self._checked_num_codebooks(num_codebooks),
            )

    @_outlasting
    def encode_flush(self, context, items=None, num_codebooks=None):
        """End streams, and encode what is still inside.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        items : list of int, optional
            The streams that end; default: all that have not ended yet.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks]. In all a stream has
            ceil(samples / hop_length).

        Raises
        ------
        APCodecError
            If a stream has ended already.
        """
        num_codebooks = self._checked_num_codebooks(num_codebooks)
        with self.inference_ctx:
            return self.mods["codec"].encode_flush(
                context, items, num_codebooks
            )

    @_outlasting
    def decode_chunk(self, context, tokens, token_lens=None):
        """Decode the next tokens of streams.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        tokens : torch.Tensor
            Integers [batch, frames, codebooks], any number of frames.
        token_lens : torch.Tensor, optional
            float [batch], relative lengths, 0 for a stream that pauses;
            default: all 1.

        Returns
        -------
        torch.Tensor
            float [batch, samples], what is complete now, which may be
            nothing; ``context.num_samples`` are each stream's own.

        Raises
        ------
        APCodecError
            If an argument has a wrong shape, type or value, or a stream has
            ended.
        """
        check_tokens(tokens, self.num_codebooks)
        tokens = tokens.to(self.device, torch.int64)
        num_tokens = absolute_lengths(token_lens, tokens, "token_lens")
        tokens = tokens_without_padding(tokens, num_tokens, self.codebook_size)
        with self.inference_ctx:
            return self.mods["codec"].decode_chunk(context, tokens, num_tokens)

    @_outlasting
    def decode_flush(self, context, num_samples=None, items=None):
        """End streams, and decode what is still inside.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        num_samples : int or torch.Tensor, optional
            Samples of the whole stream, or int64 [batch]; default: tokens *
            hop_length.
        items : list of int, optional
            The streams that end; default: all that have not ended yet.

        Returns
        -------
        torch.Tensor
            float [batch, samples]; ``context.num_samples`` are each
            stream's own.

        Raises
        ------
        APCodecError
            If a stream has ended already, or its tokens do not hold that
            many samples, or more have been handed out.
        """
        with self.inference_ctx:
            return self.mods["codec"].decode_flush(context, num_samples, items)

    def _checked_num_codebooks(self, num_codebooks):
        if num_codebooks is None:
            return self.num_codebooks
        return check_num_codebooks(num_codebooks, self.num_codebooks)
