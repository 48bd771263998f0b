"""The model card of an exported model, a README.md that hubs understand.

Authors
 * speechbrain_apcodec contributors, 2026
"""

CARD = """\
---
library_name: speechbrain
pipeline_tag: audio-to-audio
tags:
    - speechbrain
    - speechbrain_apcodec
    - apcodec
    - audio-codec
    - neural-codec
    - speech
---

# {model_id}

APCodec ([paper](https://arxiv.org/abs/2402.10533)): a neural codec that
codes the amplitude and the phase spectrum of speech.

| | |
| --- | --- |
| sampling rate | {sample_rate} Hz, mono |
| token frames | {frame_rate:g} per second, one for {hop_length} samples |
| tokens per frame | {num_codebooks}, from 0 to {last_token} |
| bitrate | {bitrates} |
| parameters | {parameters:.1f} million |
| weights | safetensors, {precision} |

## Use

```python
from speechbrain_apcodec.inference import APCodec

codec = APCodec.from_hparams("FOLDER_OR_HUB_ID")
tokens = codec.encode_file("speech.wav")  # [1, frames, {num_codebooks}]
codec.decode_file(tokens, "decoded.wav")
```

```bash
apcodec encode --model FOLDER_OR_HUB_ID speech.wav speech.apc
apcodec decode --model FOLDER_OR_HUB_ID speech.apc decoded.wav
```

`hyperparams.yaml` is HyperPyYAML: loading it executes the code that it
names. The weights are plain tensors, and `config.json` holds their SHA-256.

## Origin

{origin}

The licence of the weights is for the one who publishes them to state here.
"""


def model_card(config, codec, precision, origin):
    """Write the text of a model card.

    Arguments
    ---------
    config : dict
        Content of its ``config.json``.
    codec : speechbrain_apcodec.lobes.codec.Codec
        The codec.
    precision : str
        Precision of the weights on disk, such as ``"float32"``.
    origin : str
        Where the weights come from, Markdown.

    Returns
    -------
    str
        Markdown with YAML front matter.
    """
    bits = (codec.codebook_size - 1).bit_length() * codec.frame_rate
    bitrates = ", ".join(
        f"{books * bits / 1000:g} kbps ({books})"
        for books in range(1, codec.num_codebooks + 1)
    )
    return CARD.format(
        model_id=config["model_id"],
        sample_rate=codec.sample_rate,
        frame_rate=codec.frame_rate,
        hop_length=codec.hop_length,
        num_codebooks=codec.num_codebooks,
        last_token=codec.codebook_size - 1,
        bitrates=bitrates,
        parameters=sum(p.numel() for p in codec.parameters()) / 1e6,
        precision=precision,
        origin=origin,
    )
