"""The model card of an exported model, a README.md that hubs understand.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from typing import Any

import yaml

from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.models.loading import weights_file
from speechbrain_apcodec.utils.errors import CheckpointError

CODEC_FILE = weights_file("codec")

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
{checksum}

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
names. `APCodec.from_config("FOLDER_OR_HUB_ID")` loads the same model from
`config.json` and the tensors alone, and runs no code of theirs.

## Origin

{origin}

{licence}
"""

#: What a card says until somebody publishes the model.
UNLICENSED = (
    "The licence of the weights is for the one who publishes them to state "
    "here."
)

_FRONT_MATTER = re.compile(r"---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
_CHECKSUM = re.compile(r"SHA-256 of `?([\w.-]+)`?\W+([0-9a-f]{64})\b")


def model_card(
    config: dict[str, Any], codec: Codec, precision: str, origin: str
) -> str:
    """Write a model card, Markdown with YAML front matter.

    The ``precision`` is that of the weights on disk, such as ``"float32"``,
    the ``origin`` Markdown that tells where they come from.
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
        checksum=_checksum_row(config),
        licence=UNLICENSED,
    )


def card_checksums(card: str) -> dict[str, str]:
    """Read the checksums that a model card states, by the name of the file."""
    return dict(_CHECKSUM.findall(card))


def with_checksum(card: str, config: dict[str, Any]) -> str:
    """Let a model card state the checksum of ``codec.safetensors``.

    No other word of the card changes.

    Example
    -------
    >>> config = {"sha256": {"codec.safetensors": "0a" * 32}}
    >>> card_checksums(with_checksum("# A model", config)) == config["sha256"]
    True
    """
    row = _checksum_row(config)
    if CODEC_FILE in card_checksums(card):
        digest = config["sha256"][CODEC_FILE]
        return _CHECKSUM.sub(
            lambda found: (
                found[0].replace(found[2], digest)
                if found[1] == CODEC_FILE
                else found[0]
            ),
            card,
        )
    weights = re.search(r"^\| weights \|.*\n", card, re.MULTILINE)
    if weights:
        return f"{card[: weights.end()]}{row}\n{card[weights.end() :]}"
    return f"{card.rstrip()}\n\n| | |\n| --- | --- |\n{row}\n"


def publishable_card(
    card: str,
    config: dict[str, Any],
    repo_id: str,
    licence: str | None = None,
) -> str:
    """Give a model card all that a hub and its visitors want to know.

    What the card states stays. The licence of the weights is named as hubs
    name it, such as ``"apache-2.0"``.

    Raises
    ------
    CheckpointError
        If nothing names the licence, the card names another, or its front
        matter is no YAML.
    """
    found = _FRONT_MATTER.match(card)
    try:
        stated = yaml.safe_load(found[1]) or {} if found else {}
        front = {
            **yaml.safe_load(CARD.split("---\n")[1]),
            **({"license": licence} if licence else {}),
            **stated,
        }
    except (yaml.YAMLError, TypeError) as error:
        raise CheckpointError(
            "the front matter of README.md, between its lines ---, is no "
            "YAML mapping: mend it"
        ) from error
    if licence not in (None, front.get("license")):
        raise CheckpointError(
            f"README.md says license {front['license']}, not {licence}: "
            "change the card, or leave the licence out here"
        )
    if not front.get("license"):
        raise CheckpointError(
            "README.md does not say under which licence the weights are: "
            "add `license: ...` to its front matter, or give one here"
        )
    body = card[found.end() :] if found else f"\n{card}"
    missing = {key: front[key] for key in front if key not in stated}
    block = found[1] if found else ""
    if missing:
        block += yaml.safe_dump(missing, indent=4, sort_keys=False)
    body = body.replace(
        UNLICENSED, f"The weights are released under {front['license']}."
    ).replace("FOLDER_OR_HUB_ID", repo_id)
    return with_checksum(f"---\n{block}---\n{body}", config)


def _checksum_row(config: dict[str, Any]) -> str:
    return f"| SHA-256 of {CODEC_FILE} | `{config['sha256'][CODEC_FILE]}` |"
