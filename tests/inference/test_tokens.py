"""What a model of tokens needs of the codec."""

import pytest
import torch

from speechbrain_apcodec.utils.errors import APCodecError


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 1024, (2, 7, 4), generator=generator)


@pytest.mark.parametrize("codebooks", [1, 3, 4])
def test_embeddings_sum_to_the_latent_that_is_decoded(
    tiny_model, tokens, codebooks
):
    tokens = tokens[..., :codebooks]
    given_tokens = tokens.clone()
    embeddings = tiny_model.embeddings(tokens)
    assert embeddings.shape == (2, 7, codebooks, 8)
    latents = tiny_model.latents(tokens)
    torch.testing.assert_close(embeddings.sum(2), latents)
    quantizer = tiny_model.mods["codec"].quantizer
    assert torch.equal(latents.transpose(1, 2), quantizer.decode(tokens))
    assert torch.equal(tokens, given_tokens)


def test_embeddings_are_rows_of_the_vocabulary(tiny_model, tokens):
    vocabulary = tiny_model.vocabulary
    assert vocabulary.shape == (4, 1024, tiny_model.latent_dim)
    flat = tiny_model.flatten(tokens)
    offsets = tiny_model.token_index_offsets
    assert torch.equal(flat, (tokens + offsets).flatten(1))
    torch.testing.assert_close(
        vocabulary.flatten(0, 1)[flat].view(2, 7, 4, -1),
        tiny_model.embeddings(tokens),
    )


@pytest.mark.parametrize("codebooks", [2, 4])
def test_unflatten_undoes_flatten(tiny_model, tokens, codebooks):
    tokens = tokens[..., :codebooks]
    flat = tiny_model.flatten(tokens)
    assert torch.equal(tiny_model.unflatten(flat, codebooks), tokens)


def test_special_tokens_follow_the_codewords(tiny_model):
    special = tiny_model.special_tokens
    assert (special.pad, special.bos, special.eos) == (1024, 1025, 1026)


def test_silence_tokens_are_those_of_silence(tiny_model):
    silence = tiny_model.silence_tokens(5)
    tokens, _ = tiny_model.encode(torch.zeros(1, 5 * 320))
    assert torch.equal(silence, tokens[0])
    assert tiny_model.silence_tokens(0).shape == (0, 4)


@pytest.mark.parametrize("method", ["embeddings", "latents"])
def test_what_is_no_token_has_no_embedding(tiny_model, tokens, method):
    for wrong in (tokens[0], tokens.float(), tokens + 1024, tokens - 1024):
        with pytest.raises(APCodecError):
            getattr(tiny_model, method)(wrong)
