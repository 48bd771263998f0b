"""The Transformer of text and tokens: both ways through it are one."""

import pytest
import torch
from speechbrain.lobes.models.transformer.Transformer import TransformerDecoder

from speechbrain_apcodec.tts.decoder import Decoder
from speechbrain_apcodec.tts.transformer import (
    TokenTransformer,
    TransformerSizes,
)
from speechbrain_apcodec.utils.errors import ConfigurationError

WIDTHS = {"d_model": 16, "nhead": 4, "d_ffn": 24}
SIZES = {
    "num_pieces": 20,
    "num_streams": 3,
    "codebook_size": 8,
    "num_special": 3,
    "codeword_dim": 5,
    "sizes": TransformerSizes(
        **WIDTHS, num_encoder_layers=2, num_decoder_layers=3, dropout=0.2
    ),
    "max_steps": 40,
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = TokenTransformer(**SIZES).double().eval()
    model.know_codewords(torch.randn(3, 8, 5))
    return model


def draw(batch=3, pieces=9, steps=14, seed=1):
    generator = torch.Generator().manual_seed(seed)
    text = torch.randint(20, (batch, pieces), generator=generator)
    inputs = torch.randint(11, (batch, steps, 3), generator=generator)
    num_text = torch.tensor([pieces, pieces - 4, 1])[:batch]
    read = torch.rand(batch, steps, generator=generator) < 0.5
    pieces = torch.minimum(read.cumsum(dim=1) - 1, num_text[:, None] - 1)
    return text, num_text, inputs, pieces.clamp(min=0)


def speechbrains_decoder():
    return TransformerDecoder(
        3,
        **WIDTHS,
        activation=torch.nn.GELU,
        normalize_before=True,
    )


def test_weights_are_those_of_speechbrains_decoder():
    """The same names, order and initial values."""
    torch.manual_seed(0)
    theirs = speechbrains_decoder()
    torch.manual_seed(0)
    ours = Decoder(3, *WIDTHS.values(), 0.0)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for (name, one), (wanted, other) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == wanted and torch.equal(one, other)


def test_layers_do_what_speechbrains_decoder_does(model):
    text, num_text, inputs, pieces = draw()
    memory, padding = model.encode(text, num_text)
    steps = inputs.shape[1]
    embeddings = model.embeddings(model.codewords)
    x = sum(embeddings[s][inputs[:, :, s]] for s in range(3))
    x = x + model.positions[:steps]
    for item in range(len(text)):
        for step in range(steps):
            piece = pieces[item, step]
            begun = int((pieces[item] == piece).nonzero()[0])
            x[item, step] += memory[item, piece]
            x[item, step] += model.elapsed_embedding.weight[step - begun]
    future = torch.ones(steps, steps, dtype=torch.bool).triu(1)
    decoder = speechbrains_decoder().double().eval()
    decoder.load_state_dict(model.decoder.state_dict())
    wanted, _, attention = decoder(
        x, memory, tgt_mask=future, memory_key_padding_mask=padding
    )
    prediction = model(text, num_text, inputs, pieces)
    heads = model.heads(model.codewords)
    for s in range(3):
        torch.testing.assert_close(
            prediction.logits[:, :, s], wanted @ heads[s].T
        )
    torch.testing.assert_close(
        prediction.advance[..., None], model.advance(wanted)
    )
    torch.testing.assert_close(
        prediction.attention, torch.stack(attention, dim=1)
    )


def test_steps_with_a_cache_are_the_whole_forward(model):
    text, num_text, inputs, pieces = draw()
    whole = model(text, num_text, inputs, pieces)
    cache = model.start(text, num_text, max_steps=20)
    for step in range(inputs.shape[1]):
        one = model.step(cache, inputs[:, step], pieces[:, step])
        torch.testing.assert_close(one.logits, whole.logits[:, step])
        torch.testing.assert_close(one.advance[:, 0], whole.advance[:, step])
        torch.testing.assert_close(
            one.attention[:, :, 0], whole.attention[:, :, step]
        )
    assert cache.step == inputs.shape[1]


def test_caches_do_not_share_anything(model):
    text, num_text, inputs, pieces = draw()
    alone, busy = (model.start(text, num_text, 20) for _ in range(2))
    for step in range(5):
        model.step(busy, inputs[:, -1 - step], pieces[:, -1 - step])
    for step in range(5):
        got = model.step(alone, inputs[:, step], pieces[:, step]).logits
    whole = model(text, num_text, inputs, pieces).logits
    torch.testing.assert_close(got, whole[:, 4])


def test_no_step_sees_what_comes_later(model):
    text, num_text, inputs, pieces = draw()
    changed = inputs.clone()
    changed[:, 8:] = 0
    later = pieces.clone()
    later[:, 8:] = 0
    before, after, read = (
        model(text, num_text, x, y)
        for x, y in ((inputs, pieces), (changed, pieces), (inputs, later))
    )
    for other in (after, read):
        for name in ("logits", "advance"):
            one, two = getattr(before, name), getattr(other, name)
            torch.testing.assert_close(one[:, :8], two[:, :8])
            assert not torch.allclose(one[:, 8:], two[:, 8:])


def test_padding_of_the_text_is_not_seen(model):
    text, num_text, inputs, pieces = draw()
    alone = model(text[1:2, :5], num_text[1:2], inputs[1:2], pieces[1:2])
    together = model(text, num_text, inputs, pieces)
    torch.testing.assert_close(together.logits[1:2], alone.logits)
    attention = together.attention
    assert attention[1, :, :, 5:].abs().max() == 0
    torch.testing.assert_close(
        attention.sum(dim=-1), torch.ones_like(attention[..., 0])
    )


def test_wanted_steps_are_those_of_all(model):
    text, num_text, inputs, pieces = draw()
    where = torch.rand(inputs.shape[:2]) < 0.5
    some = model(text, num_text, inputs, pieces, where).logits
    torch.testing.assert_close(
        some, model(text, num_text, inputs, pieces).logits[where]
    )


def test_hidden_input_has_no_influence(model):
    text, num_text, inputs, pieces = draw()
    hidden = torch.zeros(inputs.shape[:2], dtype=torch.bool)
    hidden[:, 3:6] = True
    changed = inputs.clone()
    changed[:, 3:6] = (changed[:, 3:6] + 1) % 11
    one, other = (
        model(text, num_text, x, pieces, hidden=hidden).logits
        for x in (inputs, changed)
    )
    torch.testing.assert_close(one, other)
    seen = model(text, num_text, inputs, pieces).logits
    assert not torch.allclose(one, seen)


def test_hidden_text_has_no_influence(model):
    text, num_text, inputs, pieces = draw()
    textless = torch.tensor([True, False, True])
    other = draw(seed=2)
    one = model(text, num_text, inputs, pieces, textless=textless).logits
    two = model(other[0], num_text, inputs, other[3], textless=textless).logits
    torch.testing.assert_close(one[textless], two[textless])
    seen = model(text, num_text, inputs, pieces).logits
    torch.testing.assert_close(one[~textless], seen[~textless])
    assert not torch.allclose(one[textless], seen[textless])

    cache = model.start(text, num_text, 20, textless)
    for step in range(inputs.shape[1]):
        got = model.step(cache, inputs[:, step], pieces[:, step]).logits
        torch.testing.assert_close(got, one[:, step])


def test_codewords_belong_to_the_weights(model):
    text, num_text, inputs, pieces = draw()
    other = TokenTransformer(**SIZES).double().eval()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(
        other(text, num_text, inputs, pieces).logits,
        model(text, num_text, inputs, pieces).logits,
    )


def test_scale_of_the_codewords_does_not_count(model):
    before = model.codewords.clone()
    model.know_codewords(100 * before)
    torch.testing.assert_close(model.codewords, before)


def test_codewords_of_another_codec_are_refused(model):
    with pytest.raises(ConfigurationError, match=r"\[3, 9, 5\].*codebook_size"):
        model.know_codewords(torch.randn(3, 9, 5))


def test_every_parameter_learns(model):
    text, num_text, inputs, pieces = draw()
    hidden = torch.zeros(inputs.shape[:2], dtype=torch.bool)
    hidden[:, 3] = True
    textless = torch.tensor([False, True, False])
    said = model(
        text, num_text, inputs, pieces, hidden=hidden, textless=textless
    )
    (said.logits.square().sum() + said.advance.square().sum()).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
