"""Encoding and decoding piece by piece.

The networks are those of ``encode`` and ``decode``, given a stream; here,
pieces of any length are cut into the groups of frames that they take. The
ends of a stream are reflected and padded as the ends of a file are.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch.nn import functional as F

from speechbrain_apcodec.lobes.streaming import Stream
from speechbrain_apcodec.lobes.streaming_context import (
    DecodingState,
    EncodingState,
    StreamingContext,
    joined,
)
from speechbrain_apcodec.utils.errors import ConfigurationError


class StreamingCodec:
    """The part of a codec that works on streams; see ``lobes.codec.Codec``."""

    @property
    def streamable(self):
        """Whether every layer sees a limited time, both branches the same."""
        try:
            self._check_streamable()
        except ConfigurationError:
            return False
        return True

    def _check_streamable(self):
        if any(
            getattr(module, "statistic", "frame") == "utterance"
            for module in self.modules()
        ):
            raise ConfigurationError(
                "this model cannot be streamed: its normalisation looks at "
                "the whole utterance (grn_statistic: utterance), the end "
                "included. Take a model trained with grn_statistic: frame"
            )
        for network in (self.encoder, self.decoder):
            network.delay  # noqa: B018 (raises where the branches differ)

    @property
    def encoder_latency_samples(self):
        """Samples after the first one of a token that it depends on."""
        reach = self.analysis.window_length // 2 - 1
        return self.encoder.lookahead * self.stft_hop_length + reach

    @property
    def decoder_latency_samples(self):
        """Samples from a sample to the latest first one of its tokens."""
        reach = self.synthesis.lookahead
        return self.decoder.lookahead * self.stft_hop_length + reach

    @property
    def latency_samples(self):
        """Samples after a decoded one that it depends on, at most."""
        return self.encoder_latency_samples + self.decoder_latency_samples

    def make_streaming_context(self, batch_size=1, low_delay=False):
        """Make the state of streams that begin.

        Arguments
        ---------
        batch_size : int
            Number of streams.
        low_delay : bool
            Hand out decoded samples as soon as they are known, up to
            ``decoder_latency_samples`` earlier. Then ``decode_flush`` cannot
            cut a stream that ends within its last token.

        Returns
        -------
        StreamingContext

        Raises
        ------
        ConfigurationError
            If the model cannot be streamed.
        """
        self._check_streamable()
        return self._make_context(batch_size, low_delay)

    def _make_context(self, batch_size, low_delay=False):
        encoding = EncodingState.of(self.encoder, batch_size)
        decoding = DecodingState.of(self.decoder, batch_size)
        decoding.tail = self.synthesis.window.new_zeros(
            batch_size, self.synthesis.tail_length, 2
        )
        decoding.finished = torch.zeros(batch_size, dtype=torch.int64)
        return StreamingContext(encoding, decoding, low_delay)

    # Encoding -------------------------------------------------------------

    @torch.no_grad()
    def encode_chunk(self, context, wavs, num_samples=None, num_codebooks=None):
        """Encode the next samples of streams.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        wavs : torch.Tensor
            float [batch, samples], any number of them.
        num_samples : torch.Tensor, optional
            int64 [batch], valid samples of each stream, 0 for one that
            pauses; default: all.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks], the tokens that are complete
            now; ``context.num_tokens`` of them are each stream's own.

        Raises
        ------
        ConfigurationError
            If a stream has ended, or the batch is another one.
        """
        state = context.encoding
        counts = _counts(state, wavs, num_samples)
        for item, count in enumerate(counts.tolist()):
            if count:
                # A view of the batch would be kept alive by the queue.
                piece = wavs[item, :count].to(state.queues[item], copy=True)
                state.queues[item] = torch.cat([state.queues[item], piece])
        before = state.received
        state.received = before + counts
        half = self.analysis.window_length // 2
        for item, (now, then) in enumerate(
            zip(state.received.tolist(), before.tolist(), strict=True)
        ):
            if now > half >= then:
                state.queues[item] = self._begun(state.queues[item])
        begun = (state.received > half) & ~state.ended
        steps = [
            self._complete(queue) if ready else 0
            for queue, ready in zip(state.queues, begun.tolist(), strict=True)
        ]
        return self._encode_steps(state, steps, num_codebooks)

    @torch.no_grad()
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
            int64 [batch, frames, codebooks]; ``context.num_tokens`` of them
            are each stream's own. In all a stream has
            ceil(samples / hop_length).

        Raises
        ------
        ConfigurationError
            If a stream has ended already.
        """
        state = context.encoding
        hop, half = self.stft_hop_length, self.analysis.window_length // 2
        steps = [0] * context.batch_size
        for item in _ending(state, items):
            samples = int(state.received[item])
            if samples == 0:
                continue
            queue = state.queues[item]
            if samples <= half:
                queue = self._begun(F.pad(queue, (0, half + 1 - samples)))
            ending = queue[-half - 1 : -1].flip(0)
            frames = int(self.analysis.num_frames(samples))
            groups = -(-frames // self.encoder.ratio) + self.encoder.delay
            steps[item] = groups - int(state.network.position[item])
            needed = steps[item] * self.encoder.ratio * hop + 2 * half - hop
            queue = torch.cat([queue, ending])[:needed]
            state.queues[item] = F.pad(queue, (0, needed - len(queue)))
            state.network.total[item] = frames
        return self._encode_steps(state, steps, num_codebooks)

    def _begun(self, queue):
        """Put the reflected beginning before the samples."""
        half = self.analysis.window_length // 2
        return torch.cat([queue[1 : half + 1].flip(0), queue])

    def _complete(self, queue):
        """Count the groups of frames that lie in a queue."""
        behind = self.analysis.window_length - self.stft_hop_length
        return max(0, (len(queue) - behind) // self.hop_length)

    def _encode_steps(self, state, steps, num_codebooks):
        """Encode the given number of groups of frames of each stream."""
        counts = torch.tensor(steps)
        books = num_codebooks or self.num_codebooks
        if not counts.any():
            state.num_valid = torch.zeros_like(counts)
            shape = (len(steps), 0, books)
            return torch.zeros(
                shape, dtype=torch.int64, device=state.queues[0].device
            )
        behind = self.analysis.window_length - self.stft_hop_length
        pieces = []
        for item, count in enumerate(steps):
            queue, length = state.queues[item], count * self.hop_length
            pieces.append(queue[: length + behind] if count else queue[:0])
            state.queues[item] = queue[length:].clone()
        wavs, _ = joined(pieces, state.queues[0])
        stream = Stream(state.network, counts)
        tokens = self.encode_groups(wavs, stream, num_codebooks)
        starts, stops = stream.extent(1, self.encoder.delay)
        # Of a whole number of groups, the STFT has one frame more, whose
        # latent lies beyond the end.
        for item, samples in enumerate(state.received.tolist()):
            if state.ended[item] and steps[item]:
                first = int(state.network.position[item]) - self.encoder.delay
                most = self.num_frames(samples) - first
                stops[item] = max(starts[item], min(stops[item], most))
        stream.close()
        tokens, state.num_valid = joined(
            [
                item[start:stop]
                for item, start, stop in zip(tokens, starts, stops, strict=True)
            ],
            tokens,
        )
        return tokens

    def encode_groups(self, wavs, stream, num_codebooks=None):
        """Encode whole groups of frames.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples], the groups and what their last windows
            need behind them.
        stream : speechbrain_apcodec.lobes.streaming.Stream
            The stream that they are the next ones of; its past is updated.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [batch, groups, codebooks], which lag behind by
            ``encoder.delay``.
        """
        spectrum = self.analysis.spectrum(
            *self.analysis.transform_extended(wavs)
        )
        latent = self.encoder(spectrum.log_amplitude, spectrum.phase, stream)
        return self.quantizer.encode(latent, num_codebooks)

    # Decoding -------------------------------------------------------------

    @torch.no_grad()
    def decode_chunk(self, context, tokens, num_tokens=None):
        """Decode the next tokens of streams.

        Arguments
        ---------
        context : StreamingContext
            State of the streams; it is updated.
        tokens : torch.Tensor
            int64 [batch, frames, codebooks], any number of frames.
        num_tokens : torch.Tensor, optional
            int64 [batch], valid frames of each stream, 0 for one that
            pauses; default: all.

        Returns
        -------
        torch.Tensor
            float [batch, samples], the samples that are complete now;
            ``context.num_samples`` of them are each stream's own.

        Raises
        ------
        ConfigurationError
            If a stream has ended, or the batch is another one.
        """
        state = context.decoding
        counts = _counts(state, tokens, num_tokens)
        if counts.any():
            # What is wider than every stream's own tokens is no step.
            self._decode_steps(state, tokens[:, : int(counts.max())], counts)
        state.received = state.received + counts
        finished = state.finished
        if not context.low_delay:
            # The stream may yet be cut behind the first sample of its token.
            certain = (state.received - 1) * self.hop_length + 1
            finished = torch.minimum(finished, certain.clamp(min=0))
        return self._hand_out(state, finished)

    @torch.no_grad()
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
            float [batch, samples]; ``context.num_samples`` of them are each
            stream's own.

        Raises
        ------
        ConfigurationError
            If a stream has ended already, or its tokens do not hold that
            many samples, or more have been handed out.
        """
        state = context.decoding
        ending = _ending(state, items, check_only=True)
        covered = state.received * self.hop_length
        wanted = covered.clone()
        if num_samples is not None:
            lengths = torch.as_tensor(num_samples, device="cpu")
            if lengths.is_floating_point() or (
                lengths.dim() and lengths.shape != wanted.shape
            ):
                raise ConfigurationError(
                    f"num_samples is {num_samples}, but must be an integer, "
                    f"or int64 [{len(wanted)}], one for each stream"
                )
            wanted[:] = lengths
        for item in ending:
            most, number = int(covered[item]), int(wanted[item])
            least = max(0, most - self.hop_length + 1)
            least = max(
                least, int(state.finished[item]) - len(state.queues[item])
            )
            if not least <= number <= most:
                raise ConfigurationError(
                    f"stream {item} has {int(state.received[item])} tokens "
                    f"and ends after {least} to {most} samples, not {number}"
                )
        state.ended[ending] = True
        reach = -(-self.synthesis.lookahead // self.stft_hop_length)
        groups = -(-(self.decoder.delay + reach) // self.decoder.ratio)
        counts = torch.zeros_like(state.received)
        for item in ending:
            if covered[item]:
                counts[item] = groups
                frames = int(state.received[item]) * self.decoder.ratio
                state.network.total[item] = frames
        if counts.any():
            # Beyond the end no layer looks at them: any tokens will do.
            tokens = state.tail.new_zeros(
                (len(counts), int(counts.max()), 1), dtype=torch.int64
            )
            self._decode_steps(state, tokens, counts)
        finished = state.finished - torch.tensor(
            [len(queue) for queue in state.queues]
        )
        finished[ending] = wanted[ending]
        wavs = self._hand_out(state, finished)
        for item in ending:
            state.queues[item] = state.queues[item][:0]
        state.finished[ending] = wanted[ending]
        return wavs

    def _decode_steps(self, state, tokens, counts):
        """Decode tokens into the queues."""
        stream = Stream(state.network, counts)
        ratio, hop = self.decoder.ratio, self.stft_hop_length
        delay = self.decoder.delay
        wavs, state.tail = self.decode_groups(tokens, stream, state.tail)
        for item, position in enumerate(state.network.position.tolist()):
            first = (position * ratio - delay) * hop - self.synthesis.lookahead
            end = int(counts[item]) * self.hop_length
            if end and first + end > 0:
                state.queues[item] = torch.cat(
                    [state.queues[item], wavs[item, max(0, -first) : end]]
                )
                state.finished[item] = first + end
        stream.close()

    def decode_groups(self, tokens, stream, tail):
        """Decode tokens as far as no later frame adds to the sum.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, tokens, codebooks].
        stream : speechbrain_apcodec.lobes.streaming.Stream
            The stream that they are the next ones of; its past is updated.
        tail : torch.Tensor
            float [batch, tail_length, 2], what earlier frames add.

        Returns
        -------
        wavs : torch.Tensor
            float [batch, samples]: tokens * hop_length of them are done,
            from ``decoder.delay`` frames and ``synthesis.lookahead`` samples
            before the first token on.
        tail : torch.Tensor
            float [batch, tail_length, 2], what these frames add to later
            ones.
        """
        latent = self.quantizer.decode(tokens)
        real, imaginary = self.decode_latents(latent, stream)
        mask = stream.mask(self.decoder.ratio, self.decoder.delay, real)
        sums = self.synthesis.overlap_add(real, imaginary, mask)
        sums, length = sums.transpose(1, 2), tail.shape[1]
        sums[:, :length] += tail
        tail = stream.last(sums, length, self.hop_length)
        return self.synthesis.normalize(sums.transpose(1, 2)), tail

    def _hand_out(self, state, finished):
        """Take samples from the queues, up to the given ones."""
        pieces = []
        waiting = (state.finished - finished).tolist()
        for item, queue in enumerate(state.queues):
            number = max(0, len(queue) - max(0, waiting[item]))
            pieces.append(queue[:number])
            state.queues[item] = queue[number:].clone()
        wavs, state.num_valid = joined(pieces, state.tail)
        return wavs


def _counts(state, batch, lengths):
    """Check a piece, and count what it brings to each stream."""
    size = len(state.received)
    if len(batch) != size:
        raise ConfigurationError(
            f"the context is one of {size} streams, the chunk one of "
            f"{len(batch)}"
        )
    if lengths is None:
        counts = torch.full((size,), batch.shape[1])
    else:
        counts = lengths.to("cpu", torch.int64)
        if counts.shape != (size,) or not (
            counts.min() >= 0 and counts.max() <= batch.shape[1]
        ):
            raise ConfigurationError(
                f"the lengths {lengths.tolist()} do not fit a chunk of "
                f"{size} streams with up to {batch.shape[1]}"
            )
    late = (state.ended & (counts > 0)).nonzero()[:, 0].tolist()
    if late:
        raise ConfigurationError(
            f"the streams {late} have ended: call context.reset({late}) "
            "before they begin anew"
        )
    return counts


def _ending(state, items, check_only=False):
    """List the streams that a flush ends, and mark them."""
    if items is None:
        items = (~state.ended).nonzero()[:, 0].tolist()
    items = list(items)
    wrong = [
        i for i in items if not 0 <= i < len(state.ended) or state.ended[i]
    ]
    if wrong:
        raise ConfigurationError(
            f"the streams {wrong} have ended already or do not exist"
        )
    if not check_only:
        state.ended[items] = True
    return items
