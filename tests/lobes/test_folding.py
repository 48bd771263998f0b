"""A folded codec is the same function, in every mode of its layers."""

import random

import pytest
import torch

from speechbrain_apcodec.lobes.folding import FusedUpsample, fold
from tests.random_codec import NON_CAUSAL, make_codec, random_architecture

LENGTHS = torch.tensor([4000, 1, 2100])


def close(ours, theirs):
    assert (ours - theirs).abs().max() <= 1e-9 * theirs.abs().max()


@pytest.mark.parametrize("statistic", ["frame", "utterance"])
@pytest.mark.parametrize("number", range(10))
@torch.no_grad()
def test_the_function_stays(number, statistic):
    architecture = random_architecture(random.Random(number))
    # Two of the same weights: copies would share the weight-normed classes,
    # which folding takes apart.
    plain, folded = (
        make_codec(number, statistic, folded=False, **architecture).double()
        for _ in range(2)
    )
    fold(folded)
    generator = torch.Generator().manual_seed(number)
    wavs = torch.randn(3, 4000, generator=generator).double()
    for lengths in (None, LENGTHS):
        latents = plain.latents(wavs, lengths)
        frames = None if lengths is None else plain.num_frames(lengths)
        own = [latents.shape[2]] * 3 if frames is None else frames.tolist()
        theirs = folded.latents(wavs, lengths)
        for item, count in enumerate(own):
            close(theirs[item, :, :count], latents[item, :, :count])
        tokens, _ = plain.encode(wavs, lengths)
        assert torch.equal(folded.encode(wavs, lengths)[0], tokens)
        close(folded.decode(tokens, frames), plain.decode(tokens, frames))


@torch.no_grad()
def test_folding_twice_is_folding_once():
    codec = make_codec(**NON_CAUSAL)
    assert isinstance(codec.decoder.phase.upsample, FusedUpsample)
    before = {name: value.clone() for name, value in codec.named_parameters()}
    fold(codec)
    after = dict(codec.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_is_as_before_where_nothing_is_folded():
    codec = make_codec(folded=False)
    names = set(codec.state_dict())
    assert any(name.endswith("original0") for name in names)
    assert not any("folded" in name or "table" in name for name in names)
