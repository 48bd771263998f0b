"""Drawing tokens: what is forced, when it ends, and that chance repeats."""

import pytest
import torch

from speechbrain_apcodec.tokens.patterns import DelayPattern
from speechbrain_apcodec.tts.generation import generate_tokens
from speechbrain_apcodec.tts.steps import Prediction
from speechbrain_apcodec.tts.transformer import (
    TokenTransformer,
    TransformerSizes,
)

CODEWORDS = 8


def make_model(frames_per_step, seed=0):
    torch.manual_seed(seed)
    model = TokenTransformer(
        num_pieces=20,
        num_streams=2 * frames_per_step,
        codebook_size=CODEWORDS,
        num_special=3,
        codeword_dim=4,
        sizes=TransformerSizes(16, 2, 1, 2, d_ffn=16, dropout=0.0),
        max_steps=200,
    )
    model.know_codewords(torch.randn(2 * frames_per_step, CODEWORDS, 4))
    return model.eval()


class Script:
    """A model that says what it is told, and keeps what it is fed.

    It goes on to the next piece with the probability that it is told.
    """

    max_steps = 200

    def __init__(self, sequence, classes, advance=1.0):
        self.sequence, self.classes = sequence, classes
        self.advance = torch.tensor(advance, dtype=torch.float64).logit()
        self.fed, self.read = [], []

    def start(self, text, num_text, max_steps, textless):
        return {"step": 0}

    def step(self, cache, inputs, pieces):
        self.fed.append(inputs.clone())
        self.read.append(pieces.clone())
        now = self.sequence[:, min(cache["step"], self.sequence.shape[1] - 1)]
        now = now[: len(inputs)]
        cache["step"] += 1
        logits = torch.nn.functional.one_hot(now, self.classes).double()
        return Prediction(
            logits,
            self.advance.expand(len(now), 1),
            torch.ones(len(now), 1, 1, 3) / 3,
        )


def speak(model, pattern, text=None, num_text=None, **options):
    if text is None:
        text = torch.arange(12).reshape(2, 6)
        num_text = torch.tensor([6, 3])
    options = {"frames_per_piece": 5, "temperature": 1.0, "top_k": 5} | options
    return generate_tokens(model, text, num_text, pattern, **options)


@pytest.mark.parametrize("frames_per_step", [1, 2, 3])
def test_what_training_teaches_is_said_and_fed_back(frames_per_step):
    pattern = DelayPattern(2, CODEWORDS, frames_per_step)
    special = pattern.special
    tokens = torch.randint(CODEWORDS, (2, 9, 2))
    num_frames = torch.tensor([9, 4])
    sequence, num_steps = pattern.build(
        special.append_eos(tokens, num_frames), num_frames + 1
    )
    script = Script(sequence, special.vocabulary_size)
    text, num_text = torch.ones(2, 2, dtype=torch.int64), torch.tensor([2, 1])
    options = {"temperature": 0, "frames_per_piece": 10}
    said = speak(script, pattern, text, num_text, **options)
    assert said.num_frames.tolist() == [9, 4]
    assert said.ended.all()
    for item, frames in enumerate((9, 4)):
        assert torch.equal(said.tokens[item, :frames], tokens[item, :frames])
        assert (said.tokens[item, frames:] == special.pad).all()
    # The history is that of teacher forcing, to the last PAD and EOS.
    fed = torch.stack(script.fed, dim=1)
    wanted = special.prepend_bos(sequence)[:, : fed.shape[1]]
    for item, steps in enumerate(num_steps):
        assert torch.equal(fed[item, :steps], wanted[item, :steps])


@pytest.mark.parametrize("frames_per_step", [1, 2])
def test_greedy_tokens_are_what_the_whole_forward_finds(frames_per_step):
    pattern = DelayPattern(2, CODEWORDS, frames_per_step)
    model = make_model(frames_per_step)
    text, num_text = torch.arange(12).reshape(2, 6), torch.tensor([6, 3])
    said = speak(model, pattern, text, num_text, temperature=0)
    special = pattern.special
    sequence, _ = pattern.build(
        special.append_eos(said.tokens, said.num_frames), said.num_frames + 1
    )
    inputs = special.prepend_bos(sequence)[:, :-1]
    inputs = inputs[:, : said.pieces.shape[1]]
    logits = model(text, num_text, inputs, said.pieces).logits
    logits = logits[..., :CODEWORDS]
    found, _ = pattern.revert(logits.argmax(dim=-1))
    for item, frames in enumerate(said.num_frames):
        assert torch.equal(found[item, :frames], said.tokens[item, :frames])


def test_endless_speech_is_cut():
    pattern = DelayPattern(2, CODEWORDS)
    never = torch.zeros(2, 50, 2, dtype=torch.int64)
    script = Script(never, pattern.special.vocabulary_size)
    said = speak(script, pattern, temperature=0)
    assert said.num_frames.tolist() == [30, 15]
    assert not said.ended.any()


def test_same_seed_gives_the_same_speech_alone_and_in_a_batch():
    pattern = DelayPattern(2, CODEWORDS, 2)
    model = make_model(2).double()
    text, num_text = torch.arange(12).reshape(2, 6), torch.tensor([6, 3])
    both = speak(model, pattern, text, num_text, seed=7)
    again = speak(model, pattern, text, num_text, seed=7)
    other = speak(model, pattern, text, num_text, seed=8)
    assert torch.equal(both.tokens, again.tokens)
    assert not torch.equal(both.tokens, other.tokens)
    alone = speak(model, pattern, text[1:, :3], num_text[1:], seed=7)
    frames = alone.num_frames[0]
    assert frames == both.num_frames[1] > 0
    assert torch.equal(both.tokens[1, :frames], alone.tokens[0])


def test_tokens_are_codewords_whatever_the_weights():
    pattern = DelayPattern(2, CODEWORDS, 2)
    for seed in range(5):
        said = speak(make_model(2, seed), pattern, top_k=11, temperature=5.0)
        for tokens, frames in zip(said.tokens, said.num_frames, strict=True):
            assert frames >= 1
            assert tokens[:frames].max() < CODEWORDS


def test_top_k_of_one_is_greedy():
    pattern = DelayPattern(2, CODEWORDS)
    model = make_model(1)
    greedy = speak(model, pattern, temperature=0).tokens
    # What is read is left to chance as well, but for a low temperature.
    drawn = speak(model, pattern, top_k=1, temperature=1e-6).tokens
    assert torch.equal(drawn, greedy)


class Reading(Script):
    """A model that says one thing of the text, and another without it."""

    def start(self, text, num_text, max_steps, textless):
        self.textless = textless
        return super().start(text, num_text, max_steps, textless)

    def step(self, cache, inputs, pieces):
        prediction = super().step(cache, inputs, pieces)
        scores = torch.tensor([[0.0, 3.0, 2.0], [4.0, 0.0, 0.0]])
        prediction.logits = torch.zeros_like(prediction.logits)
        prediction.logits[..., :3] = scores.double()[self.textless.long(), None]
        return prediction


@pytest.mark.parametrize(
    ("guidance", "token"), [(0.0, 0), (0.3, 0), (0.8, 1), (1, 1), (3.0, 1)]
)
def test_guidance_counts_what_the_text_adds(guidance, token):
    pattern = DelayPattern(2, CODEWORDS)
    script = Reading(
        torch.zeros(4, 1, 2, dtype=torch.int64),
        pattern.special.vocabulary_size,
    )
    said = speak(script, pattern, temperature=0, guidance=guidance)
    assert (said.tokens[0] == token).all()
    assert len(said.tokens) == len(said.attention) == len(said.pieces) == 2


def test_guidance_of_one_is_what_the_model_says():
    pattern = DelayPattern(2, CODEWORDS)
    model = make_model(1).double()
    plain = speak(model, pattern)
    nearly = speak(model, pattern, guidance=1 + 1e-9)
    assert torch.equal(plain.tokens, nearly.tokens)
    assert not torch.equal(
        plain.tokens, speak(model, pattern, guidance=9).tokens
    )


@pytest.mark.parametrize("temperature", [0, 0.7, 1.0, 3.0])
def test_text_is_read_piece_by_piece_to_its_end(temperature):
    pattern = DelayPattern(2, CODEWORDS)
    for seed in range(5):
        # EOS is all that it would say.
        script = Script(
            torch.full((2, 1, 2), pattern.special.eos),
            pattern.special.vocabulary_size,
            advance=0.3,
        )
        options = {"frames_per_piece": 50, "top_k": 11, "seed": seed}
        said = speak(script, pattern, temperature=temperature, **options)
        assert torch.equal(said.pieces, torch.stack(script.read, dim=1))
        for pieces, frames, last in zip(
            said.pieces, said.num_frames, (5, 2), strict=True
        ):
            assert pieces[0] == 0 and set(pieces.diff().tolist()) <= {0, 1}
            assert pieces.max() == last and pieces[frames] == last
        assert said.ended.all()


def test_piece_lasts_as_the_model_says():
    pattern = DelayPattern(2, CODEWORDS)
    text, num_text = torch.ones(1, 300, dtype=torch.int64), torch.tensor([300])

    def durations(temperature):
        script = Script(
            torch.zeros(1, 1, 2, dtype=torch.int64),
            pattern.special.vocabulary_size,
            advance=0.2,
        )
        script.max_steps = 2000
        said = speak(
            script,
            pattern,
            text,
            num_text,
            temperature=temperature,
            frames_per_piece=6,
        )
        counts = torch.bincount(said.pieces[0])[:-1].double()
        return counts[:250]

    # 0.8 to the power of 4 is the first less than a half.
    assert (durations(0) == 4).all()
    drawn = durations(1.0)
    # A geometric distribution: mean 5, standard deviation 4.5.
    assert abs(drawn.mean() - 5) < 4 * 4.5 / 250**0.5
    assert abs((drawn == 1).double().mean() - 0.2) < 0.1
