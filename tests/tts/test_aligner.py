"""Alignment of text and tokens: exact sums, exact paths, and what it finds."""

import itertools

import pytest
import torch

from speechbrain_apcodec.tts.aligner import (
    TokenAligner,
    best_path,
    diagonal_prior,
    forward_sum_loss,
)


def all_paths(pieces, frames):
    """Yield all ways to say all pieces, one after the other."""
    for cuts in itertools.combinations(range(1, frames), pieces - 1):
        steps = torch.arange(frames)
        yield sum((steps >= cut).long() for cut in cuts) + 0 * steps


@pytest.mark.parametrize("seed", range(20))
def test_best_path_is_the_best_of_all(seed):
    torch.manual_seed(seed)
    scores = 3 * torch.randn(3, 8, 4)
    num_text, num_frames = torch.tensor([4, 1, 3]), torch.tensor([8, 5, 3])
    paths = best_path(scores, num_text, num_frames)
    for item, (pieces, frames) in enumerate(
        zip(num_text.tolist(), num_frames.tolist(), strict=True)
    ):
        own = scores[item].log_softmax(dim=-1)

        def likelihood(path, own=own, frames=frames):
            return own[torch.arange(frames), path].sum()

        best = max(all_paths(pieces, frames), key=likelihood)
        assert torch.equal(paths[item, :frames], best)
        assert (paths[item, frames:] == pieces - 1).all()


def test_loss_sums_over_all_paths():
    torch.manual_seed(0)
    # Where a blank costs much, only paths without one are left.
    scores = torch.randn(2, 7, 3).double() + 40
    num_text, num_frames = torch.tensor([3, 2]), torch.tensor([7, 4])
    scores[1, :, 2] = -1e4
    loss = forward_sum_loss(scores, num_text, num_frames)
    wanted = []
    for item, (pieces, frames) in enumerate(((3, 7), (2, 4))):
        own = scores[item].log_softmax(dim=-1)
        sums = [
            own[torch.arange(frames), path].sum()
            for path in all_paths(pieces, frames)
        ]
        wanted.append(-torch.stack(sums).logsumexp(dim=0) / pieces)
    torch.testing.assert_close(loss, torch.stack(wanted).mean())


def test_prior_is_the_beta_binomial_distribution():
    from scipy.stats import betabinom

    prior = diagonal_prior(torch.tensor([6, 4]), torch.tensor([9, 7]), 9)
    for item, (pieces, frames) in enumerate(((6, 9), (4, 7))):
        for frame in range(frames):
            wanted = betabinom(pieces - 1, frame + 1, frames - frame).pmf(
                range(pieces)
            )
            torch.testing.assert_close(
                prior[item, frame, :pieces].double(),
                torch.from_numpy(wanted),
                rtol=1e-3,
                atol=1e-6,
            )
    assert (prior[1, 7:] == 0).all() and (prior[1, :, 4:] == 0).all()


def test_an_item_is_scored_alone_as_in_a_batch():
    torch.manual_seed(0)
    aligner = TokenAligner(9, 6, 8).eval()
    text, latents = torch.randint(9, (2, 5)), torch.randn(2, 12, 6)
    num_text, num_frames = torch.tensor([5, 3]), torch.tensor([12, 6])
    latents[1, 6:] = 0
    both = aligner(text, num_text, latents, num_frames)
    alone = aligner(text[:1], num_text[:1], latents[:1], num_frames[:1])
    torch.testing.assert_close(both[:1], alone)


def test_alignment_is_found_without_labels():
    """Latents that tell their letter, each letter of a length of its own."""
    torch.manual_seed(0)
    letters, kinds = 8, 3  # tokens of a letter
    aligner = TokenAligner(letters, 12, 16)
    codewords = torch.randn(letters * kinds, 12)
    optimizer = torch.optim.Adam(aligner.parameters(), 0.02)
    for step in range(151):
        text = torch.stack([torch.randperm(letters) for _ in range(16)])
        length = torch.randint(1, 9, (16, letters))
        truth = [
            torch.repeat_interleave(torch.arange(letters), own)
            for own in length
        ]
        num_frames = torch.tensor([len(own) for own in truth])
        truth = torch.nn.utils.rnn.pad_sequence(
            truth, batch_first=True, padding_value=letters - 1
        )
        kind = torch.randint(kinds, truth.shape)
        latents = codewords[text.gather(1, truth) * kinds + kind]
        num_text = torch.full((16,), letters)
        scores = aligner(text, num_text, latents, num_frames)
        if step < 150:
            optimizer.zero_grad()
            forward_sum_loss(scores, num_text, num_frames).backward()
            optimizer.step()
    found = best_path(scores, num_text, num_frames)
    assert (found == truth).double().mean() > 0.97
