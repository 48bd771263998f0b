"""Terms, weights and totals of the whole loss."""

import functools
from pathlib import Path

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.lobes.codec import CodecOutput
from speechbrain_apcodec.lobes.quantizer import Quantized
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis
from speechbrain_apcodec.losses.codec import CodecLoss
from speechbrain_apcodec.losses.spectral import MelLoss
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import merge_hparams, parse
from tests.installed import ROOT

SPECTRAL = {
    "amplitude",
    "instantaneous_phase",
    "group_delay",
    "instantaneous_angular_frequency",
    "consistency",
    "real",
    "imaginary",
    "mel_mae",
    "mel_mse",
}


ALL = dict.fromkeys(SPECTRAL, 1.0)
MEL = {"mel_mae", "mel_mse"}


@functools.cache
def base_hparams():
    """The YAML from which recipes take their losses."""
    return merge_hparams(ROOT / "hparams" / "base.yaml")


def make_loss(**weights):
    """Make the loss of the recipes, for spectra of 129 bins."""
    text = inference_hparams(base_hparams(), [], others=["loss"])
    sizes = {"sample_rate": 16000, "n_fft": 256, "num_mels": 20}
    loss = load_hyperpyyaml(text, sizes)["loss"]
    return CodecLoss(weights, dict(enumerate(loss.terms)))


def make_former_loss(**weights):
    """Make it as YAMLs of version 0.1 do."""
    return CodecLoss(weights, mel=MelLoss(16000, 256, 20))


def make_output(wavs, decoded, quantized=None):
    analysis = STFTAnalysis(256, 40, 160)
    predicted = analysis(decoded)
    return CodecOutput(
        wavs=wavs,
        decoded=decoded,
        natural=analysis(wavs),
        predicted=predicted,
        consistent=(predicted.real, predicted.imaginary),
        latent=torch.zeros(1, 4, 5),
        quantized=quantized,
    )


def test_a_perfect_codec_has_no_loss():
    wavs = torch.randn(2, 1560)
    terms = make_loss(**ALL).reconstruction(make_output(wavs, wavs))
    assert set(terms) == SPECTRAL
    assert all(value == 0 for value in terms.values())


def test_yamls_of_an_earlier_version_have_the_same_loss():
    torch.manual_seed(0)
    wavs = torch.randn(2, 2, 16000)
    quantized = Quantized(None, None, torch.tensor(2.0), torch.tensor(3.0))
    output = make_output(*wavs, quantized)
    # Terms that came later have no weight there.
    former = make_former_loss()
    names = [name for term in former.terms for name in term.names]
    weights = {name: float(i) for i, name in enumerate(names, 1)}
    loss, former = make_loss(**weights), make_former_loss(**weights)
    terms, others = (x.reconstruction(output) for x in (loss, former))
    assert list(terms) == list(others) == names
    assert terms == others
    assert loss.total(terms) == former.total(others)


def test_terms_are_given_once():
    for arguments in ({}, {"terms": {}, "mel": MelLoss(16000, 256, 20)}):
        with pytest.raises(ConfigurationError, match="either terms or mel"):
            CodecLoss({}, **arguments)


def test_only_terms_with_a_weight_are_computed_and_the_mel_terms():
    torch.manual_seed(0)
    output = make_output(torch.randn(2, 1560), torch.randn(2, 1560))
    loss = make_loss(weighted_phase=3.0, weighted_amplitude=2.0, amplitude=0.0)
    terms = loss.reconstruction(output)
    assert set(terms) == MEL | {"weighted_phase", "weighted_amplitude"}
    torch.testing.assert_close(
        loss.total(terms),
        3 * terms["weighted_phase"] + 2 * terms["weighted_amplitude"],
    )


def test_a_worse_codec_has_a_larger_loss():
    torch.manual_seed(0)
    wavs, noise = torch.randn(2, 1560), torch.randn(2, 1560)
    better, worse = (
        make_loss(**ALL).reconstruction(make_output(wavs, wavs + level * noise))
        for level in (0.05, 0.5)
    )
    # Each spectrum here is that of a waveform: consistent at any level.
    for name in SPECTRAL - {"consistency"}:
        assert 0 < better[name] < worse[name], name


def test_terms_of_the_quantizer():
    wavs = torch.randn(1, 1560)
    quantized = Quantized(None, None, torch.tensor(2.0), torch.tensor(3.0))
    terms = make_loss().reconstruction(make_output(wavs, wavs, quantized))
    assert set(terms) == MEL | {"codebook", "commitment"}
    loss = make_loss(codebook=10.0, commitment=2.5)
    assert loss.total(terms) == 2.0 * 10.0 + 3.0 * 2.5


def test_a_term_without_weight_does_not_train():
    trained = torch.tensor(2.0, requires_grad=True)
    watched = torch.tensor(3.0, requires_grad=True)
    total = make_loss(real=4.0).total({"real": trained, "mel_mae": watched})
    total.backward()
    assert total == 8.0
    assert trained.grad == 4.0
    assert watched.grad is None


def test_no_weight_at_all_is_an_error():
    with pytest.raises(ConfigurationError, match="mel_mae.*amplitude"):
        make_loss(amplitude=1.0).total({"mel_mae": torch.tensor(1.0)})


def test_gradients_are_finite_at_silence():
    decoded = torch.zeros(1, 1560, requires_grad=True)
    loss = make_loss(**dict.fromkeys(SPECTRAL - {"amplitude"}, 1.0))
    # The predicted log-amplitude comes from the decoder, never from here.
    for wavs in (torch.zeros(1, 1560), torch.randn(1, 1560)):
        output = make_output(wavs, decoded)
        loss.total(loss.reconstruction(output)).backward()
        assert torch.isfinite(decoded.grad).all()


def test_losses_are_float32_under_autocast():
    wavs = torch.randn(1, 1560)
    output = make_output(wavs, 0.9 * wavs)
    expected = make_loss(**ALL).reconstruction(output)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = make_loss(**ALL).reconstruction(output)
    for name, value in terms.items():
        assert torch.equal(value, expected[name]), name


def test_the_recipe_of_the_default_model_has_its_weights():
    """A weight that is changed unawares would be noticed days later."""
    recipe = loss_weights_of(merge_hparams(ROOT / "hparams" / "default.yaml"))
    losses = Path(DEFAULT_MODEL, "losses.yaml").read_text(encoding="utf-8")
    trained = loss_weights_of(losses)
    assert {k: w for k, w in recipe.items() if w} == {
        k: w for k, w in trained.items() if w
    }


def loss_weights_of(text):
    return dict(parse(text, "a recipe")["loss_weights"])
