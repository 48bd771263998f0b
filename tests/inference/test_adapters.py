"""Adapters, against the interfaces that they stand in for.

The contracts are what callers of SpeechBrain's Encodec lobe, of DASB's
tokenizers, of audiocraft's codecs and of SpeechBrain's front ends rely on.
"""

import ast
import doctest
from pathlib import Path

import numpy
import pytest
import speechbrain
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.dataio.dataloader import make_dataloader
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_utils import undo_padding

from speechbrain_apcodec.inference.adapters.dasb import DASBTokenizer
from speechbrain_apcodec.inference.adapters.encodec import EncodecInterface
from speechbrain_apcodec.inference.adapters.features import FeatureExtractor
from speechbrain_apcodec.inference.adapters.musicgen import CompressionModel
from speechbrain_apcodec.utils.errors import APCodecError
from tests.support.signals import quiet_noise

ADAPTERS = [
    CompressionModel,
    DASBTokenizer,
    EncodecInterface,
    FeatureExtractor,
]


@pytest.mark.parametrize("adapter_class", ADAPTERS)
def test_adapters_freeze_move_and_load(adapter_class, tiny_model_folder):
    adapter = adapter_class(tiny_model_folder)
    assert adapter.sample_rate == 48000
    assert not any(p.requires_grad for p in adapter.parameters())
    adapter.device = "cpu"
    assert adapter.to("cpu").device == "cpu"
    assert next(adapter.parameters()).device == torch.device("cpu")
    free = adapter_class(tiny_model_folder, freeze=False)
    assert all(p.requires_grad for p in free.parameters())
    with pytest.raises(APCodecError):
        adapter_class(tiny_model_folder / "none")


@pytest.mark.parametrize(
    "adapter_class", [CompressionModel, DASBTokenizer, FeatureExtractor]
)
def test_codebooks_that_are_not_there_are_refused(adapter_class, tiny_model):
    with pytest.raises(APCodecError, match="1 to 4 codebooks, not 5"):
        adapter_class(tiny_model, num_codebooks=5)


# --- SpeechBrain's Encodec lobe -------------------------------------------


def encodec_example():
    """Read the example in the lobe's source: it imports transformers."""
    package = Path(speechbrain.__file__).parent
    path = package / "integrations" / "huggingface" / "encodec.py"
    (lobe,) = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    ]
    docstring = ast.get_docstring(lobe)
    return docstring[docstring.index(">>>") :]


def test_encodec_docstring_example_holds(tiny_model_folder, tmp_path):
    example = encodec_example()
    for theirs, ours in (
        ('"facebook/encodec_24khz"', repr(str(tiny_model_folder))),
        ('"savedir"', repr(str(tmp_path / "savedir"))),
        # Two codebooks have other kilobits per second and other widths.
        ("save_path)", "save_path, bandwidth=3.0)"),
        ("save_path, flat", "save_path, bandwidth=3.0, flat"),
        ("[4, 4, 2, 128]", "[4, 4, 2, 8]"),
        ("[4, 4, 256]", "[4, 4, 16]"),
    ):
        assert theirs in example
        example = example.replace(theirs, ours)
    names = {"Encodec": EncodecInterface, "torch": torch}
    case = doctest.DocTestParser().get_doctest(example, names, "", None, 0)
    assert len(case.examples) > 12
    assert doctest.DocTestRunner().run(case).failed == 0


def test_encodec_tokens_and_embeddings_are_the_codecs(tiny_model):
    model = EncodecInterface(tiny_model, renorm_embeddings=False)
    wavs, length = quiet_noise(3, 1000), torch.tensor([1.0, 0.4, 0.7])
    given_wavs = wavs.clone()
    tokens, emb = model.encode(wavs, length)
    assert torch.equal(wavs, given_wavs)
    assert torch.equal(tokens, tiny_model.encode(wavs, length)[0])
    assert torch.equal(model(wavs[:, None], length)[0], tokens)
    assert torch.equal(emb, tiny_model.embeddings(tokens))
    assert model.vocabulary.shape == (4, 1024, model.emb_dim)
    assert model.token_index_offsets.shape == (1, 1, 4)
    looked_up = model.vocabulary_flat[tokens + model.token_index_offsets]
    torch.testing.assert_close(looked_up, emb)
    assert (model.num_heads, model.num_tokens) == (4, 1024)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("renorm", [False, True])
def test_encodec_embeddings_lead_back(tiny_model, flat, renorm):
    model = EncodecInterface(
        tiny_model, flat_embeddings=flat, renorm_embeddings=renorm
    )
    wavs, length = quiet_noise(2, 3200), torch.tensor([1.0, 0.5])
    tokens, emb = model.encode(wavs, length)
    given_emb = emb.clone()
    assert torch.equal(model.tokens(emb, length), tokens)
    decoded = model.decode(tokens, length)
    assert torch.equal(model.decode_emb(emb, length), decoded)
    assert torch.equal(emb, given_emb)
    assert (decoded[1, 0, 1600:] == 0).all()
    assert (decoded[1, 0, :1600] != 0).any()


def test_encodec_embeddings_are_normalised(tiny_model):
    model = EncodecInterface(tiny_model)
    every = torch.arange(1024)[None, :, None].expand(1, 1024, 4)
    emb = model.embeddings(every)
    torch.testing.assert_close(
        emb.mean(dim=(0, 1, 3)), torch.zeros(4), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(emb.std(dim=(0, 1, 3)), torch.ones(4))
    wavs, length = quiet_noise(2, 9600), torch.tensor([1.0, 0.5])
    mean, std = model.calibrate(wavs, length)
    assert mean.shape == std.shape == (4,)
    tokens, _ = model.encode(wavs, length)
    own = model.embeddings(tokens)
    own = torch.cat([own[0], own[1, :15]])
    torch.testing.assert_close(
        own.mean(dim=(0, 2)), torch.zeros(4), atol=1e-5, rtol=0
    )
    assert {"emb_mean", "emb_std"} <= model.state_dict().keys()


def test_encodec_partial_frames_are_decoded(tiny_model):
    # 0.55 of 4 frames are 2.2: the third has samples of the item.
    model = EncodecInterface(tiny_model)
    tokens, _ = model.encode(quiet_noise(1, 1280), torch.ones(1))
    wavs = model.decode(tokens, torch.tensor([0.55]))
    assert (wavs[0, 0, 640:700] != 0).any()
    assert (wavs[0, 0, 704:] == 0).all()


def test_encodec_refuses_another_rate_or_bandwidth(tiny_model):
    with pytest.raises(APCodecError, match="works at 48000 Hz"):
        EncodecInterface(tiny_model, sample_rate=24000)
    with pytest.raises(APCodecError, match="1 to 4 codebooks"):
        EncodecInterface(tiny_model, bandwidth=24.0)


# --- DASB ------------------------------------------------------------------


def extract(tokenizer, dataset, device, num_codebooks):
    """Extract as DASB's recipes do: by any tokenizer of its interface."""
    tokenizer.device = device
    tokenizer = tokenizer.to(device).eval()
    extracted = {}
    for batch in make_dataloader(dataset, batch_size=2):
        wavs, lengths = batch.to(next(tokenizer.parameters()).device).sig
        tokens = tokenizer.sig_to_tokens(
            wavs, lengths, num_codebooks=num_codebooks
        )
        own = undo_padding(tokens, lengths)
        for identity, item in zip(batch.id, own, strict=True):
            extracted[identity] = numpy.array(item)
    return extracted


def test_dasb_extraction_runs(tiny_model):
    wavs = {
        "long": quiet_noise(3200),
        "short": quiet_noise(1600),
        "other": quiet_noise(960),
    }
    dataset = DynamicItemDataset({key: {"wav": key} for key in wavs})
    dataset.add_dynamic_item(wavs.get, takes="wav", provides="sig")
    dataset.set_output_keys(["id", "sig"])
    extracted = extract(DASBTokenizer(tiny_model), dataset, "cpu", 2)
    for key, wav in wavs.items():
        alone, _ = tiny_model.encode(wav[None], num_codebooks=2)
        assert extracted[key].shape == alone[0].shape
        # In a padded batch, two codewords can be equally near in float32.
        assert (extracted[key] == alone[0].numpy()).mean() > 0.9


def test_dasb_embeddings_serve_a_flat_vocabulary(tiny_model):
    tokenizer = DASBTokenizer(tiny_model)
    table = tokenizer.get_pretrained_embeddings(1024, 3)
    assert table.shape == (3 * 1024, 8)
    tokens = tokenizer.sig_to_tokens(quiet_noise(1, 960), torch.ones(1), 3)
    # A layer of DASB adds the offsets in place.
    fresh = tokens.clone()
    fresh += tiny_model.token_index_offsets[:3]
    torch.testing.assert_close(table[fresh], tiny_model.embeddings(tokens))
    table += 1
    assert not torch.equal(table, tokenizer.get_pretrained_embeddings(1024, 3))
    with pytest.raises(APCodecError, match="has 1024 codewords"):
        tokenizer.get_pretrained_embeddings(1000, 3)


def test_dasb_signals_are_the_codecs(tiny_model):
    tokenizer = DASBTokenizer(tiny_model)
    tokens = tokenizer.sig_to_tokens(quiet_noise(2, 1000))
    given_tokens = tokens.clone()
    signal = tokenizer.tokens_to_sig(tokens)
    assert torch.equal(tokens, given_tokens)
    assert torch.equal(signal, tiny_model.decode(tokens)[0])


# --- audiocraft and Hugging Face -------------------------------------------


def test_musicgen_axes(tiny_model):
    model = CompressionModel(tiny_model)
    x = quiet_noise(2, 1, 1000)
    codes, scale = model.encode(x)
    tokens, _ = tiny_model.encode(x[:, 0])
    assert scale is None
    assert torch.equal(codes, tokens.transpose(1, 2))
    wavs, _ = tiny_model.decode(tokens)
    assert torch.equal(model.decode(codes, scale), wavs[:, None])
    assert torch.equal(model(x), wavs[:, None, :1000])
    latent = tiny_model.latents(tokens).transpose(1, 2)
    assert torch.equal(model.decode_latent(codes), latent)
    facts = model.cardinality, model.frame_rate, model.channels
    assert facts == (1024, 150.0, 1)


def test_musicgen_codebooks_can_be_set(tiny_model):
    model = CompressionModel(tiny_model)
    model.set_num_codebooks(2)
    assert (model.num_codebooks, model.total_codebooks) == (2, 4)
    assert model.encode(quiet_noise(1, 1, 640))[0].shape == (1, 2, 2)
    with pytest.raises(APCodecError):
        model.set_num_codebooks(5)
    with pytest.raises(APCodecError, match="mono batch"):
        model.encode(quiet_noise(1, 2, 640))


# --- front ends ------------------------------------------------------------


@pytest.mark.parametrize("codebooks", [2, 4])
def test_features_are_what_the_tokens_stand_for(tiny_model, codebooks):
    extractor = FeatureExtractor(tiny_model, num_codebooks=codebooks)
    wavs, wav_lens = quiet_noise(2, 1000), torch.tensor([1.0, 0.5])
    features = extractor(wavs, wav_lens)
    tokens, _ = tiny_model.encode(wavs, wav_lens, codebooks)
    latents = tiny_model.latents(tokens)
    assert features.shape == (2, 4, extractor.latent_dim)
    torch.testing.assert_close(features[0], latents[0])
    torch.testing.assert_close(features[1, :2], latents[1, :2])
    assert (features[1, 2:] == 0).all()


def test_free_features_teach_the_encoder(tiny_model_folder):
    extractor = FeatureExtractor(
        tiny_model_folder, freeze=False, quantized=False
    )
    features = extractor(quiet_noise(1, 1000))
    features.square().sum().backward()
    encoder = extractor.codec.mods["codec"].encoder
    assert any(p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_a_yaml_puts_the_extractor_where_a_mel_front_end_was(
    tiny_model_folder,
):
    front_ends = {
        "speechbrain.lobes.features.Fbank": "n_mels: 8",
        "speechbrain_apcodec.inference.adapters.features.FeatureExtractor": (
            f"source: {tiny_model_folder}"
        ),
    }
    for name, option in front_ends.items():
        hparams = load_hyperpyyaml(
            f"compute_features: !new:{name}\n    {option}\n"
            "model: !new:speechbrain.nnet.linear.Linear\n"
            "    input_size: 8\n    n_neurons: 3\n"
        )
        wavs = quiet_noise(2, 4800)
        feats = hparams["compute_features"](wavs)
        assert hparams["model"](feats).shape == (2, feats.shape[1], 3)
