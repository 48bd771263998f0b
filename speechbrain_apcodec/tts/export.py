"""From a training run of speech to a model's folder.

=======================  ====================================================
``hyperparams.yaml``     builds and loads the model, nothing else
``model.safetensors``    its weights
``tokenizer.model``      the pieces of text, SentencePiece
``codec/``               the codec whose tokens it predicts
``config.json``          model id, SHA-256 of all weights, rate and sizes
``README.md``            model card
=======================  ====================================================

Authors
 * speechbrain_apcodec contributors, 2026
"""

import json
import shutil
from pathlib import Path
from typing import Any

from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml import YAML

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.models.config import (
    CONFIG_FILE,
    FORMAT_VERSION,
    file_sha256,
    read_config,
)
from speechbrain_apcodec.models.fit import load_state
from speechbrain_apcodec.models.loading import (
    TEXT_SUFFIX,
    read_checkpoint,
    weights_file,
)
from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.release.export import (
    describe_origin,
    find_checkpoint,
    find_hparams,
)
from speechbrain_apcodec.release.folder import (
    CARD_FILE,
    HPARAMS_FILE,
    checked_name,
    exported_folder,
    write_weights,
)
from speechbrain_apcodec.release.hparams import inference_hparams
from speechbrain_apcodec.tts.interface import (
    CODEC_FILES,
    CODEC_FOLDER,
    TokenTTS,
)
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

_TOKENIZER_FILE = f"tokenizer{TEXT_SUFFIX}"

_OWN_FILES = {
    HPARAMS_FILE,
    CARD_FILE,
    CONFIG_FILE,
    CODEC_FOLDER,
    _TOKENIZER_FILE,
    weights_file("model"),
}

_LEAVE = "leave the checkpoint in the output folder of its run"

_CARD = """\
---
library_name: speechbrain
pipeline_tag: text-to-speech
tags:
    - speechbrain
    - speechbrain_apcodec
    - text-to-speech
---

# {model_id}

A Transformer that reads text and predicts the tokens of the codec
{codec_id}, which is in the folder `codec` and makes speech of {sample_rate} Hz
of them.

## Use

```python
from speechbrain_apcodec.tts import TokenTTS

tts = TokenTTS.from_hparams("FOLDER_OR_HUB_ID")
wav = tts.synthesize("Good morning.")  # [samples]
```

```bash
apcodec say "Good morning." morning.wav --model FOLDER_OR_HUB_ID
```

`hyperparams.yaml` is HyperPyYAML: loading it executes the code that it
names. The weights are plain tensors, and `config.json` holds their SHA-256.

## Origin

{origin}

Ask the speaker before you publish a voice. The licence of the weights is for
the one who publishes them to state here.
"""


def is_tts_run(checkpoint_dir: AnyPath) -> bool:
    """Tell a checkpoint or run of speech from one of a codec."""
    try:
        checkpoint = find_checkpoint(checkpoint_dir)
    except CheckpointError:  # maybe the folder of a model, which has none
        return False
    return "codec_model" in _read_hparams(checkpoint)


def export_tts(
    checkpoint_dir: AnyPath,
    out_dir: AnyPath,
    name: str | None = None,
    half: bool = False,
    codec_model: str | None = None,
    force: bool = False,
) -> Path:
    """Export a checkpoint of a TTS run, with its codec, as a model's folder.

    Of a run's folder it takes the checkpoint that did best in validation. A
    codec that was moved is named by ``codec_model``, folder or hub id.
    ``half`` stores float16; ``force`` replaces an earlier export.
    """
    checkpoint = find_checkpoint(checkpoint_dir)
    hparams = _read_hparams(checkpoint)
    hparams_file = find_hparams(checkpoint)
    if "codec_model" not in hparams:
        raise CheckpointError(
            f"{hparams_file} names no codec_model: it is of no TTS run"
        )
    codec_model = codec_model or hparams["codec_model"]
    codec = APCodec.from_hparams(codec_model)
    manifests = hparams_file.parent / "manifests"
    meta = _read_meta(manifests / "tokens_meta.json")
    if codec.weights_sha256 != meta["weights_sha256"]:
        raise CheckpointError(
            f"the codec {codec_model} is not {meta['model_id']}, whose tokens "
            "the run was trained on: name that one with --codec"
        )
    name = checked_name(name, out_dir)
    with exported_folder(
        out_dir, _OWN_FILES, CONFIG_FILE, read_config, force
    ) as folder:
        (folder / CODEC_FOLDER).mkdir()
        for file in CODEC_FILES:
            shutil.copyfile(
                fetch_file(file, codec_model), folder / CODEC_FOLDER / file
            )
        shutil.copyfile(manifests / _TOKENIZER_FILE, folder / _TOKENIZER_FILE)
        text = inference_hparams(
            hparams_file.read_text(encoding="utf-8"),
            ["model"],
            loadables=["tokenizer"],
            others=["generate", "phonemes"],
        )
        (folder / HPARAMS_FILE).write_text(
            f"# {name}, written by speechbrain_apcodec\n{text}",
            encoding="utf-8",
        )
        what = f"{hparams_file} builds no model"
        with damage_named(CheckpointError, what, _LEAVE):
            model = load_hyperpyyaml(text)["model"]
        state = read_checkpoint(checkpoint / "ema.ckpt")
        load_state(model, state, "the checkpoint's model")
        config = {
            "format_version": FORMAT_VERSION,
            "model_id": name,
            "sha256": {
                weights_file("model"): write_weights(
                    folder / weights_file("model"), model, half
                ),
                _TOKENIZER_FILE: file_sha256(folder / _TOKENIZER_FILE),
            },
            "codec_sha256": codec.weights_sha256,
            "sample_rate": codec.sample_rate,
            "hop_length": codec.hop_length,
            "num_codebooks": meta["num_codebooks"],
            "codebook_size": codec.codebook_size,
        }
        (folder / CONFIG_FILE).write_text(
            json.dumps(config, indent=4) + "\n", encoding="utf-8"
        )
        (folder / CARD_FILE).write_text(
            _CARD.format(
                model_id=name,
                codec_id=codec.model_id,
                sample_rate=codec.sample_rate,
                origin=describe_origin(checkpoint, averaged=True),
            ),
            encoding="utf-8",
        )
        TokenTTS.from_hparams(folder, run_opts={"device": "cpu"})
    return Path(out_dir)


def _read_hparams(checkpoint: Path) -> dict[str, Any]:
    """Read the plain values of a run's YAML."""
    path = find_hparams(checkpoint)
    with damage_named(CheckpointError, f"{path} is damaged", _LEAVE):
        return dict(YAML().load(path.read_text(encoding="utf-8")))


def _read_meta(path: Path) -> dict[str, Any]:
    """Read what a run says of its tokens."""
    with damage_named(CheckpointError, f"{path} is damaged", _LEAVE):
        meta = json.loads(path.read_text(encoding="utf-8"))
        names = "weights_sha256", "model_id", "num_codebooks"
        return {name: meta[name] for name in names}
