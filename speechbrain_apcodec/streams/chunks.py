"""Long recordings piece by piece, in limited memory.

A whole waveform is coded as a stream. A model whose norms look at the utterance
needs more passes: each norm needs its statistic first, which depends on those
of the norms before it.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from speechbrain_apcodec.streams.context import (
    StreamableCodec,
    StreamingContext,
)
from speechbrain_apcodec.utils.types import Tokens, Wavs

#: Padded batches, each with the lengths in it.
Pieces = Iterator[tuple[Tensor, Tensor]]


def encode_in_chunks(
    codec: StreamableCodec,
    wavs: Wavs,
    num_samples: Tensor | None,
    num_codebooks: int | None,
    chunk_frames: int,
) -> Tokens:
    """Encode whole waveforms, ``chunk_frames`` token frames at a time."""
    hop = codec.timing.hop_length

    def run(context: StreamingContext) -> Pieces:
        for piece, counts in _cut(wavs, num_samples, chunk_frames * hop):
            tokens = context.encode(piece, counts)
            yield tokens, context.num_tokens
        tokens = context.flush_encoder()
        yield tokens, context.num_tokens

    context = StreamingContext(codec, len(wavs), num_codebooks=num_codebooks)
    state = context.encoding.network
    state.energies = _gather(codec, len(wavs), "encoding", state.norms, run)
    frames = -(-wavs.shape[1] // hop)
    shape = (len(wavs), frames, num_codebooks or codec.num_codebooks)
    whole = torch.zeros(shape, dtype=torch.int64, device=wavs.device)
    return _collect(run(context), whole)


def decode_in_chunks(
    codec: StreamableCodec,
    tokens: Tokens,
    num_frames: Tensor | None,
    chunk_frames: int,
) -> Wavs:
    """Decode whole waveforms, ``chunk_frames`` token frames at a time."""

    def run(context: StreamingContext) -> Pieces:
        for piece, counts in _cut(tokens, num_frames, chunk_frames):
            wavs = context.decode(piece, counts)
            yield wavs, context.num_samples
        yield context.flush_decoder(), context.num_samples

    context = StreamingContext(codec, len(tokens))
    state = context.decoding.network
    state.energies = _gather(codec, len(tokens), "decoding", state.norms, run)
    length = tokens.shape[1] * codec.timing.hop_length
    whole = codec.like.new_zeros(len(tokens), length)
    return _collect(run(context), whole)


def _gather(
    codec: StreamableCodec,
    batch_size: int,
    side: str,
    norms: list[str],
    run: Callable[[StreamingContext], Pieces],
) -> dict[str, Tensor]:
    """Sum the energies of the norms over the utterance, if there are any.

    Norms of amplitude and phase at the same depth share a pass.
    """
    depths: dict[str, set[str]] = {}
    for path in norms:
        _, depth = path.split(".", 1)
        depths.setdefault(depth, set()).add(path)
    energies: dict[str, Tensor] = {}
    waiting = set(norms)
    for paths in depths.values():
        context = StreamingContext(codec, batch_size, num_codebooks=1)
        state = getattr(context, side).network
        state.energies, state.gathering = dict(energies), waiting
        for _ in run(context):
            pass
        # Where no item has a sample, there is no energy, and none is needed.
        energies |= {
            path: energy
            for path, energy in state.energies.items()
            if path in paths
        }
        waiting = waiting - paths
    return energies


def _cut(batch: Tensor, lengths: Tensor | None, size: int) -> Pieces:
    """Cut a padded batch into pieces, each with the lengths in it."""
    if lengths is None:
        lengths = torch.full((len(batch),), batch.shape[1])
    lengths = lengths.cpu()
    for start in range(0, batch.shape[1], size):
        piece = batch[:, start : start + size]
        yield piece, (lengths - start).clamp(0, piece.shape[1])


def _collect(pieces: Pieces, whole: Tensor) -> Tensor:
    """Concatenate the pieces of each stream, into a batch."""
    ends = [0] * len(whole)
    for piece, counts in pieces:
        for item, count in enumerate(counts.tolist()):
            whole[item, ends[item] :][:count] = piece[item, :count]
            ends[item] += count
    return whole
