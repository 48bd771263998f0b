"""Long recordings piece by piece, in limited memory.

Encoding and decoding of a whole waveform as a stream of it. A model whose
norms look at the utterance can be coded so as well, in more passes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.lobes.streaming_codec import StreamingCodec


class ChunkedCodec(StreamingCodec):
    """The part of a codec that cuts what is long; see ``lobes.codec.Codec``."""

    def encode_in_chunks(
        self, wavs, num_samples, num_codebooks=None, chunk_frames=3000
    ):
        """Encode whole waveforms piece by piece, in limited memory.

        Gives the tokens of ``encode``. A norm over the utterance needs its
        statistic first: each layer that has one costs a pass of its own.

        Arguments
        ---------
        wavs : torch.Tensor
            float [batch, samples].
        num_samples : torch.Tensor
            int64 [batch], on the CPU, valid samples of each item.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.
        chunk_frames : int
            Token frames per piece.

        Returns
        -------
        torch.Tensor
            int64 [batch, frames, codebooks], 0 beyond an item's own frames.
        """
        size = chunk_frames * self.hop_length

        def run(context):
            for piece, counts in _chunks(wavs, num_samples, size):
                tokens = self.encode_chunk(
                    context, piece, counts, num_codebooks
                )
                yield tokens, context.num_tokens
            tokens = self.encode_flush(context, None, num_codebooks)
            yield tokens, context.num_tokens

        energies = self._energies(self.encoder, len(wavs), "encoding", run)
        context = self._make_context(len(wavs))
        context.encoding.network.energies = energies
        frames = self.num_frames(wavs.shape[1])
        shape = (len(wavs), frames, num_codebooks or self.num_codebooks)
        tokens = torch.zeros(shape, dtype=torch.int64, device=wavs.device)
        return _collected(run(context), tokens)

    def decode_in_chunks(self, tokens, num_frames, chunk_frames=3000):
        """Decode whole waveforms piece by piece, in limited memory.

        Gives the waveforms of ``decode``; see ``encode_in_chunks``.

        Arguments
        ---------
        tokens : torch.Tensor
            int64 [batch, frames, codebooks].
        num_frames : torch.Tensor
            int64 [batch], on the CPU, valid frames of each item.
        chunk_frames : int
            Token frames per piece.

        Returns
        -------
        torch.Tensor
            float [batch, frames * hop_length], zero beyond an item's own
            frames.
        """

        def run(context):
            for piece, counts in _chunks(tokens, num_frames, chunk_frames):
                wavs = self.decode_chunk(context, piece, counts)
                yield wavs, context.num_samples
            yield self.decode_flush(context), context.num_samples

        energies = self._energies(self.decoder, len(tokens), "decoding", run)
        context = self._make_context(len(tokens))
        context.decoding.network.energies = energies
        length = tokens.shape[1] * self.hop_length
        wavs = context.decoding.tail.new_zeros(len(tokens), length)
        return _collected(run(context), wavs)

    def _energies(self, network, batch_size, side, run):
        """Gather the statistics of the norms over the utterance, if any.

        The statistic of a layer depends on those of the layers before it;
        the two branches go hand in hand.
        """
        depths = {}
        for module in network.modules():
            if getattr(module, "statistic", "frame") == "utterance":
                _, place = module.path.split(".", 1)
                depths.setdefault(place, set()).add(module.path)
        energies, waiting = {}, set().union(*depths.values())
        for paths in depths.values():
            context = self._make_context(batch_size)
            state = getattr(context, side).network
            state.energies, state.gathering = dict(energies), waiting
            for _ in run(context):
                pass
            # Where no item has a sample, there is none, and none is needed.
            energies |= {
                path: energy
                for path, energy in state.energies.items()
                if path in paths
            }
            waiting = waiting - paths
        return energies


def _chunks(batch, lengths, size):
    """Cut a padded batch into pieces, each with the lengths in it."""
    for start in range(0, batch.shape[1], size):
        piece = batch[:, start : start + size]
        yield piece, (lengths - start).clamp(0, piece.shape[1])


def _collected(pieces, whole):
    """Put what a batch of streams puts out behind each other."""
    ends = [0] * len(whole)
    for piece, counts in pieces:
        for item, count in enumerate(counts.tolist()):
            whole[item, ends[item] :][:count] = piece[item, :count]
            ends[item] += count
    return whole
