"""How far ahead a codec looks, and how early a stream puts things out."""

from pathlib import Path

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.random_codec import (
    APCODEC_S,
    CAUSAL,
    NON_CAUSAL,
    make_codec,
    random_codec,
)
from tests.support.signals import noise

HPARAMS = Path(__file__).parents[2] / "hparams"
CODECS = {
    "apcodec-s": lambda: make_codec(**APCODEC_S).double(),
    "causal": lambda: make_codec(**CAUSAL).double(),
    "non-causal": lambda: make_codec(**NON_CAUSAL).double(),
    # Odd numbers are in float64.
    **{f"random {n}": lambda n=n: random_codec(n) for n in range(1, 24, 2)},
}


@pytest.fixture(scope="module", params=CODECS, name="codec")
def make(request):
    return CODECS[request.param]()


def whole(codec, wavs):
    """Code and decode without the quantiser, which would hide changes."""
    return codec.synthesis(*codec.decode_latents(codec.latents(wavs)))


def with_change(wavs, first):
    """Change the samples from one on, so much that a window's edge shows."""
    changed = wavs.clone()
    changed[:, first:] += 1e6
    return changed


def far_token(codec):
    """Return a token in front of which and behind which lies enough."""
    return 2 + codec.timing.latency_samples // codec.hop_length


@torch.no_grad()
def test_tokens_depend_on_nothing_later(codec):
    token = far_token(codec)
    last = token * codec.hop_length + codec.timing.encoder_latency_samples
    wavs = noise(1, last + 2000).double()
    latents = codec.latents(wavs)
    for first, tokens in ((last + 1, token + 1), (last, token)):
        change = codec.latents(with_change(wavs, first)) - latents
        change = change.abs().amax(dim=(0, 1))
        assert change[:tokens].max() < 1e-12
        assert change[tokens] > 1e-9


@torch.no_grad()
def test_samples_depend_on_no_later_token(codec):
    token = far_token(codec)
    sample = token * codec.hop_length - codec.timing.decoder_latency_samples
    wavs = noise(1, (2 * token + 10) * codec.hop_length).double()
    latents = codec.latents(wavs)
    changed = latents.clone()
    changed[..., token:] += 1.0
    before, after = (
        codec.synthesis(*codec.decode_latents(latent))[0]
        for latent in (latents, changed)
    )
    change = (after - before).abs()
    assert change[:sample].max() < 1e-12
    assert change[sample] > 1e-12


@torch.no_grad()
def test_decoded_samples_depend_on_nothing_later(codec):
    # At the phase at which a sample barely needs another token.
    token = far_token(codec)
    sample = token * codec.hop_length - codec.timing.decoder_latency_samples
    last = sample + codec.timing.latency_samples
    assert (
        last == token * codec.hop_length + codec.timing.encoder_latency_samples
    )
    wavs = noise(1, last + 2000).double()
    decoded = whole(codec, wavs)[0]
    for first, samples in ((last + 1, sample + 1), (last, sample)):
        changed = whole(codec, with_change(wavs, first))[0]
        change = (changed - decoded).abs()
        # The earlier samples are bit for bit what they were.
        assert change[:samples].max() < 1e-14
    assert change[sample] > 1e-13


def test_a_token_comes_within_a_hop_of_its_last_sample(codec):
    """And at once where the network looks no further than the token."""
    context, token = codec.make_streaming_context(), far_token(codec)
    needed = token * codec.hop_length + codec.timing.encoder_latency_samples + 1
    wavs = noise(1, needed + codec.hop_length).double()
    tokens = context.encode(wavs[:, : needed - 1]).shape[1]
    late = 0
    while tokens <= token:
        sample = wavs[:, needed - 1 + late : needed + late]
        tokens += context.encode(sample).shape[1]
        late += 1
    assert tokens == token + 1
    assert 1 <= late <= codec.hop_length
    if codec.timing.encoder.lookahead == codec.encoder.ratio - 1:
        assert late == 1


def test_samples_come_within_a_hop_of_their_last_token(codec):
    """With low delay; otherwise what may yet be cut off is held back."""
    books = torch.randint(64, (1, 2 * far_token(codec), 4))
    early = codec.make_streaming_context(low_delay=True)
    certain = codec.make_streaming_context()
    given = held = 0
    for n, token in enumerate(books.split(1, dim=1), start=1):
        given += early.decode(token).shape[1]
        held += certain.decode(token).shape[1]
        known = n * codec.hop_length - codec.timing.decoder_latency_samples
        assert max(0, known - codec.hop_length) <= given <= max(0, known)
        reach = codec.decoder.amplitude.upsample.reach
        if reach.lookahead == reach.right * reach.ratio:
            assert given == max(0, known)
        assert held == min(given, (n - 1) * codec.hop_length + 1)


@pytest.mark.parametrize(
    ("yaml", "latency"),
    [
        ("48khz_6kbps_streaming", 598),
        ("48khz_6kbps_causal", 598),
        ("48khz_6kbps", 4798),
        ("mini", 3798),
        ("default", 4718),
        ("default_streaming", 558),
    ],
)
def test_latency_of_the_configurations(yaml, latency):
    """As the site says; the norm over the utterance aside."""
    text = merge_hparams(HPARAMS / f"{yaml}.yaml")
    codec = load_hyperpyyaml(inference_hparams(text, ["codec"]))["codec"]
    assert codec.timing.latency_samples == latency
