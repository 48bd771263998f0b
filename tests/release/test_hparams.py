"""The inference YAML holds what the model needs, and nothing else."""

import pytest
from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml import YAML

from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import merge_hparams
from tests.tiny_model import HPARAMS, tiny_hparams

TRAINING = """
# A training YAML
seed: 1  # of everything
__set_seed: !apply:speechbrain.utils.seed_everything [!ref <seed>]
data_folder: !PLACEHOLDER

# Sizes
hop: 40
ratio: 8
both: !ref <hop> * <ratio>  # samples
lists:
    a: [1, !ref <hop>]
    b: (2, 3)
unused: !ref <data_folder>/train
codec: !new:collections.OrderedDict
    product: !ref <both>  # at the end of a line
    sizes: !ref <lists[a]>
    copied: !copy <lists>
    inner: !new:collections.OrderedDict
        text: !ref samples_<hop>
        function: !name:math.floor
layer: !ref <codec>
"""


def top_level_keys(text):
    return list(YAML().load(text))


def test_only_what_the_codec_refers_to():
    text = inference_hparams(TRAINING, ["codec"])
    assert top_level_keys(text) == [
        "hop",
        "ratio",
        "both",
        "lists",
        "codec",
        "modules",
        "pretrainer",
    ]
    # A comment of the training YAML would stand in the wrong place.
    assert "#" not in text


def test_it_means_the_same():
    text = inference_hparams(TRAINING, ["codec"])
    codec = load_hyperpyyaml(text)["codec"]
    overrides = {"data_folder": "data"}
    assert codec == load_hyperpyyaml(TRAINING, overrides)["codec"]
    assert codec["product"] == 320
    assert codec["copied"]["b"] == (2, 3)
    assert codec["inner"]["text"] == "samples_40"


def test_references_stay_references():
    text = inference_hparams(TRAINING, ["codec"])
    codec = load_hyperpyyaml(text, {"hop": 50})["codec"]
    assert codec["product"] == 400
    assert codec["sizes"] == [1, 50]


def test_modules_and_pretrainer_name_the_same_object():
    hparams = load_hyperpyyaml(inference_hparams(tiny_hparams(), ["codec"]))
    codec = hparams["codec"]
    assert hparams["modules"]["codec"] is codec
    assert hparams["pretrainer"].loadables == {"codec": codec}


def test_discriminators_bring_the_losses():
    text = inference_hparams(tiny_hparams(), ["codec", "discriminators"])
    keys = top_level_keys(text)
    assert {"discriminators", "loss", "loss_weights"} <= set(keys)
    hparams = load_hyperpyyaml(text)
    assert set(hparams["modules"]) == {"codec", "discriminators"}


@pytest.mark.parametrize(
    "path", sorted(HPARAMS.glob("*.yaml")), ids=lambda path: path.stem
)
def test_no_training_keys_in_any_configuration(path):
    if path.stem.startswith("tts"):
        # As a voice is exported.
        text = inference_hparams(
            merge_hparams(path), ["model"], ["tokenizer"], ["generate"]
        )
        needed = {"model", "tokenizer", "generate", "pattern"}
        assert "tokenizer: !ref <tokenizer>" in text.split("loadables:")[1]
    else:
        text = inference_hparams(merge_hparams(path), ["codec"])
        needed = {"sample_rate", "codec"}
    keys = set(top_level_keys(text))
    assert needed | {"modules", "pretrainer"} <= keys
    assert not keys & {
        "codec_model",
        "train_tokenizer",
        "__set_seed",
        "output_folder",
        "learning_rate",
        "batch_size",
        "checkpointer",
        "discriminators",
        "loss",
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("width: 4", "no key 'codec'"),
        ("codec: !ref <gone>", "no key 'gone'"),
        ("- codec", "must hold 'key: value' lines"),
        ("codec: [", "no valid YAML"),
    ],
)
def test_unusable_yaml(text, message):
    with pytest.raises(ConfigurationError, match=message):
        inference_hparams(text, ["codec"])
