"""Recordings from disk to disk in limited memory, whatever their length.

A recording is read, resampled, coded and written block by block, all channels
side by side. Only the tokens are kept, a few megabytes an hour. Each channel
is a stream of its own, cut as the codec cuts a whole recording too, so that
tokens and samples are the same. A model that cannot be streamed takes the
memory of the whole recording.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speechbrain_apcodec.utils.resampling import BlockResampler
from speechbrain_apcodec.utils.types import Tokens, Wav

if TYPE_CHECKING:
    from speechbrain_apcodec.files.apc_header import ApcHeader
    from speechbrain_apcodec.inference.apcodec import APCodec
    from speechbrain_apcodec.inference.streaming import CheckedContext

# Token frames that are decoded at a time where all fit in one piece.
_ALL = 1 << 62


class _Encoder:
    """One channel that is encoded as it arrives."""

    def __init__(self, model: APCodec, num_codebooks: int) -> None:
        self._model = model
        self._num_codebooks = num_codebooks
        self._size = _ALL
        if model.chunk_frames is not None:
            self._size = model.chunk_frames * model.hop_length
        self._context: CheckedContext | None = None
        self._pieces: list[Wav] = []
        self._tokens: list[Tensor] = []

    def push(self, wav: Wav) -> None:
        """Take the next samples."""
        self._pieces.append(wav)
        if sum(map(len, self._pieces)) <= self._size:
            return
        wav = torch.cat(self._pieces)
        # The last piece is left: if it is the only one, it is all there is.
        while len(wav) > self._size:
            self._encode(wav[: self._size])
            wav = wav[self._size :]
        self._pieces = [wav.clone()]

    def end(self) -> Tensor:
        """Return the tokens of all samples, int32 [frames, codebooks]."""
        wav = torch.cat(self._pieces)
        if self._context is None:
            tokens, _ = self._model.encode(
                wav[None].to(self._model.device),
                num_codebooks=self._num_codebooks,
            )
            return tokens[0].int().cpu()
        self._encode(wav)
        self._keep(self._context.flush_encoder())
        return torch.cat(self._tokens)

    def _encode(self, wav: Wav) -> None:
        if self._context is None:
            self._context = self._model.make_streaming_context(
                num_codebooks=self._num_codebooks
            )
        self._keep(self._context.encode(wav[None].to(self._model.device)))

    def _keep(self, tokens: Tokens) -> None:
        self._tokens.append(tokens[0].int().cpu())


def encode_blocks(
    model: APCodec,
    blocks: Iterable[Tensor],
    sample_rate: int,
    num_codebooks: int,
) -> Tensor:
    """Turn the blocks of a recording, float [channels, samples], into tokens.

    They are int32 [channels, frames, num_codebooks].
    """
    resampler = BlockResampler(sample_rate, model.sample_rate)
    encoders: list[_Encoder] = []
    for block in blocks:
        if not encoders:
            encoders = [_Encoder(model, num_codebooks) for _ in block]
        for encoder, channel in zip(
            encoders, resampler.push(block), strict=True
        ):
            encoder.push(channel)
    for encoder, channel in zip(encoders, resampler.flush(), strict=True):
        encoder.push(channel)
    return torch.stack([encoder.end() for encoder in encoders])


def decode_blocks(
    model: APCodec,
    header: ApcHeader,
    tokens: Tensor,
    done: Callable[[int], None],
) -> Iterator[Tensor]:
    """Turn [channels, frames, num_codebooks] back into blocks of a recording.

    They are float32 [channels, samples], with as many samples in all as the
    header says. ``done`` gets the number of token frames of each block.
    """
    resampler = BlockResampler(header.codec_rate, header.sample_rate)
    coded, missing = header.codec_samples, header.num_samples
    for wav, frames in _decoded(model, tokens):
        wav = wav[:, :coded]
        coded -= wav.shape[1]
        block = resampler.push(wav)[:, :missing]
        missing -= block.shape[1]
        yield block
        done(frames)
    block = resampler.flush()[:, :missing]
    # Rates are rounded up on the way, and zeros are padded.
    yield torch.nn.functional.pad(block, (0, missing - block.shape[1]))


def _decoded(model: APCodec, tokens: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield float32 [channels, samples], and the frames that they took."""
    size = model.chunk_frames or _ALL
    if tokens.shape[1] <= size:
        for_each = [_decode(model, channel) for channel in tokens]
        yield torch.stack(for_each), tokens.shape[1]
        return
    contexts = [model.make_streaming_context() for _ in tokens]
    for piece in tokens.split(size, dim=1):
        wavs = [
            context.decode(channel[None].to(model.device))[0]
            for context, channel in zip(contexts, piece, strict=True)
        ]
        yield torch.stack(wavs).float().cpu(), piece.shape[1]
    wavs = [context.flush_decoder()[0] for context in contexts]
    yield torch.stack(wavs).float().cpu(), 0


def _decode(model: APCodec, tokens: Tensor) -> Wav:
    wavs, _ = model.decode(tokens[None].to(model.device))
    return wavs[0].float().cpu()
