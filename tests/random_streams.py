"""Random streams through one context, and what must come out of them."""

import copy
import math

import torch
from torch.nn import functional as F


def noise(rng, num_samples, dtype):
    """Draw a waveform of random level.

    Arguments
    ---------
    rng : random.Random
        Where the numbers come from.
    num_samples : int
        Its length.
    dtype : torch.dtype
        float32 or float64.

    Returns
    -------
    torch.Tensor
        float [samples].
    """
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    level = 10 ** rng.uniform(-4, 0)
    return (level * torch.randn(num_samples, generator=generator)).to(dtype)


def random_length(rng, hop_length, most=2500):
    """Draw a length, often one at an edge.

    Arguments
    ---------
    rng : random.Random
        Where the numbers come from.
    hop_length : int
        Samples per token frame.
    most : int
        Largest length that is no edge.

    Returns
    -------
    int
        Samples, at least 1.
    """
    edges = [1, 2, 159, 160, 161, 319, 320, 321]
    edges += [n * hop_length + d for n in (1, 2, 5) for d in (-1, 0, 1)]
    if rng.random() < 0.4:
        return rng.choice(edges)
    return rng.randint(1, most)


def run_streams(rng, context, playlists, largest, chunk, flush, valid):
    """Play waveforms, or tokens, in random pieces.

    Streams pause, end, begin anew, or break off and begin anew at different
    times. The padding of a batch is loud.

    Arguments
    ---------
    rng : random.Random
        Where the numbers come from.
    context : StreamingContext
        State of the streams.
    playlists : list of list of torch.Tensor
        [length, ...], what each stream plays one after the other.
    largest : int
        Longest piece.
    chunk : callable
        From a padded batch and int64 [batch] lengths to a batch.
    flush : callable
        From a list of streams that end to a batch.
    valid : callable
        Returns int64 [batch], the lengths in the batch that came last.

    Returns
    -------
    list of list of torch.Tensor
        What came out, one tensor a source.
    """
    batch_size = len(playlists)
    outputs = [[[]] for _ in playlists]
    places = [0] * batch_size
    playing = set(range(batch_size))
    breakable = {item for item in playing if rng.random() < 0.2}

    def collect(batch):
        lengths = valid().tolist()
        assert batch.shape[1] == max(lengths)
        for item, length in enumerate(lengths):
            outputs[item][-1].append(batch[item, :length].clone())

    def source(item):
        return playlists[item][len(outputs[item]) - 1]

    while playing:
        counts = [
            0
            if item not in playing or rng.random() < 0.2
            else min(rng.randint(1, largest), len(source(item)) - places[item])
            for item in range(batch_size)
        ]
        width = max(counts) + rng.choice([0, 0, 1, 30])
        pieces = [
            _padded(source(item)[place : place + count], width)
            for item, (place, count) in enumerate(
                zip(places, counts, strict=True)
            )
        ]
        collect(chunk(torch.stack(pieces), torch.tensor(counts)))
        places = [p + c for p, c in zip(places, counts, strict=True)]
        ending = [
            item
            for item in playing
            if places[item] == len(source(item)) and rng.random() < 0.7
        ]
        if ending:
            collect(flush(ending))
        for item in ending:
            if len(outputs[item]) < len(playlists[item]):
                outputs[item].append([])
                places[item] = 0
                context.reset([item])
            else:
                playing.remove(item)
        breaking = [item for item in breakable & playing if places[item]]
        if breaking:
            context.reset(breaking)
        for item in breaking:
            outputs[item][-1], places[item] = [], 0
            breakable.remove(item)
    return [[torch.cat(output) for output in outs] for outs in outputs]


def encode_streams(rng, context, playlists, largest):
    """Encode; see ``run_streams``."""
    return run_streams(
        rng,
        context,
        playlists,
        largest,
        context.encode,
        context.flush_encoder,
        lambda: context.num_tokens,
    )


def decode_streams(rng, context, playlists, largest):
    """Decode; see ``run_streams``."""
    return run_streams(
        rng,
        context,
        playlists,
        largest,
        context.decode,
        lambda items: context.flush_decoder(items=items),
        lambda: context.num_samples,
    )


def distance(whole, other):
    """Compute the largest difference, in units of the peak."""
    return ((other - whole).abs().max() / whole.abs().max()).item()


class Contract:
    """Compares with what the whole waveform gives.

    float64: the same tokens, and waveforms to 1e-9 of the peak. float32: the
    same tokens but for ties, and waveforms to 1e-5, or to four times what the
    whole waveform itself is off: a phase can hang on the last digit, which
    depends on the kernels that PyTorch takes.
    """

    def __init__(self):
        self.num_tokens = 0
        self.num_ties = 0

    def check_tokens(self, codec, wav, whole, other, case):
        """Compare the tokens [frames, codebooks] of a waveform."""
        assert other.shape == whole.shape, case
        wrong = whole != other
        if wav.dtype == torch.float32:
            self.num_tokens += whole.numel()
            self.num_ties += int(wrong.sum())
            if wrong.any():
                wrong &= ~ties(codec, wav, whole.shape[1])
        assert not wrong.any(), case

    def check_wav(self, whole, other, case, codec=None, tokens=None):
        """Compare decoded waveforms [samples]; see the class."""
        assert other.shape == whole.shape, case
        tolerance = 1e-5 if whole.dtype == torch.float32 else 1e-9
        if len(whole):
            error = distance(whole, other)
            if error > tolerance and codec is not None:
                exact = copy.deepcopy(codec).double().decode(tokens[None])[0]
                tolerance = 4 * distance(exact[: len(whole)], whole)
            assert error <= tolerance, (case, error, tolerance)

    def check_share(self):
        """Allow one token in a thousand to differ, for ties."""
        assert self.num_ties <= self.num_tokens / 1000


@torch.no_grad()
def ties(codec, wav, num_codebooks):
    """Find the tokens that rounding errors may change.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        The codec.
    wav : torch.Tensor
        float [samples].
    num_codebooks : int
        Codebooks used.

    Returns
    -------
    torch.Tensor
        bool [frames, codebooks].
    """
    find = _tied_directions
    if codec.quantizer.search_width is not None:
        find = _tied_sequences
    tied = find(codec.quantizer, codec.latents(wav[None]), num_codebooks)
    # At DC and Nyquist a phase of pi is exact.
    phase = codec.analysis(wav[None]).phase[0, 1:-1]
    encoder = codec.encoder
    past = encoder.ratio * encoder.joint_convolution.reach.left + sum(
        layer.reach.left
        for layer in encoder.amplitude.modules()
        if hasattr(layer, "reach")
    )
    for frame in (math.pi - phase.abs() < 1e-5).any(0).nonzero()[:, 0]:
        first = max(0, int(frame - encoder.clock.lookahead) // encoder.ratio)
        tied[first : int(frame + past) // encoder.ratio + 2] = True
    return tied


def _tied_directions(quantizer, residual, num_codebooks):
    tied = []
    for stage in quantizer.quantizers[:num_codebooks]:
        direction = F.normalize(stage.in_proj(residual), dim=1)[0].T
        codewords = F.normalize(stage.codebook.weight, dim=1)
        best = (direction @ codewords.T).topk(2, dim=-1)
        tied.append(best.values[:, 0] - best.values[:, 1] < 1e-5)
        chosen = best.indices[None, :, 0]
        residual = residual - stage.decode(chosen)
    return torch.stack(tied, dim=1).cumsum(1) > 0


def _tied_sequences(quantizer, latent, num_codebooks):
    """Find frames of which two sequences, kept or left, are equally near."""
    latent = latent[0].T
    tolerance = 1e-6 * latent.square().sum(dim=1)
    sums = latent.new_zeros(len(latent), 1, quantizer.latent_dim)
    tied = torch.zeros(len(latent), dtype=torch.bool)
    for stage in quantizer.quantizers[:num_codebooks]:
        sums = (sums[:, :, None] + stage.vocabulary).flatten(1, 2)
        errors = (latent[:, None] - sums).square().sum(dim=2)
        best = errors.topk(quantizer.search_width + 1, largest=False)
        tied |= best.values[:, -1] - best.values[:, -2] < tolerance
        sums = sums.gather(
            1, best.indices[:, :-1, None].expand(-1, -1, sums.shape[2])
        )
    tied |= best.values[:, 1] - best.values[:, 0] < tolerance
    return tied[:, None].repeat(1, num_codebooks)


def _padded(piece, width):
    """Extend a piece by what must not matter."""
    padding = piece.new_full((width - len(piece), *piece.shape[1:]), 7)
    return torch.cat([piece, padding])
