"""From the place of an exported model to its modules with their weights.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from hyperpyyaml import load_hyperpyyaml
from speechbrain.inference.interfaces import Pretrained
from speechbrain.utils.fetching import (
    FetchConfig,
    FetchFrom,
    FetchSource,
    LocalStrategy,
)

from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.network import build_codec
from speechbrain_apcodec.models.config import CONFIG_FILE, read_config
from speechbrain_apcodec.models.loading import (
    SafetensorsPretrainer,
    weights_file,
)
from speechbrain_apcodec.models.network import gather_network
from speechbrain_apcodec.models.sources import (
    claim_savedir,
    fetch_file,
    find_source,
)
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError
from speechbrain_apcodec.utils.hparams import dump, parse, place_overrides
from speechbrain_apcodec.utils.types import AnyPath

Interface = TypeVar("Interface", bound=Pretrained)


@dataclasses.dataclass(frozen=True)
class FoundModel:
    """An exported model, and how its files are fetched."""

    source: FetchSource
    #: Folder in which its files are collected.
    savedir: Path | None
    #: ``local_strategy`` and ``fetch_config``.
    how: dict[str, Any]
    config: dict[str, Any]


def find_model(
    source: AnyPath | FetchSource,
    savedir: AnyPath | None,
    local_strategy: LocalStrategy,
    fetch_config: FetchConfig,
) -> FoundModel:
    """Find a model and read its ``config.json``.

    See ``APCodec.from_hparams`` for the arguments and errors.
    """
    source = find_source(source)
    savedir = claim_savedir(savedir, source, fetch_config)
    if source.FetchFrom == FetchFrom.LOCAL:
        # The folder may have been exported anew since the last time.
        fetch_config = dataclasses.replace(fetch_config, overwrite=True)
    how = {"local_strategy": local_strategy, "fetch_config": fetch_config}
    config = read_config(fetch_file(CONFIG_FILE, source, savedir, **how))
    return FoundModel(source, savedir, how, config)


def load_pretrained(
    cls: type[Interface],
    found: FoundModel,
    hparams_file: str,
    overrides: dict[str, Any] | str | None = None,
    overrides_must_match: bool = True,
    download_only: bool = False,
    **kwargs: Any,
) -> Interface | None:
    """Build an interface from a model's YAML, and load its weights.

    SpeechBrain's ``pretrained_from_hparams``, of which these are the
    arguments, reads the YAML as it is. What an earlier version exported may
    name classes and arguments otherwise.
    """
    path = fetch_file(hparams_file, found.source, found.savedir, **found.how)
    text = dump(parse(path.read_text(encoding="utf-8"), path))
    yaml = StringIO(text)
    yaml.name = str(path)  # from which HyperPyYAML looks for included files
    hparams = load_hyperpyyaml(
        yaml, place_overrides(overrides, text), overrides_must_match
    )
    hparams["savedir"] = found.savedir
    pretrainer = hparams["pretrainer"]
    pretrainer.set_collect_in(found.savedir)
    pretrainer.collect_files(default_source=found.source, **found.how)
    if download_only:
        return None
    pretrainer.load_collected()
    return cls(modules=hparams["modules"], hparams=hparams, **kwargs)


def load_by_config(found: FoundModel) -> tuple[Codec, SafetensorsPretrainer]:
    """Build a codec from its ``config.json``, and load its weights.

    The pretrainer that is returned beside it knows the checksums.
    """
    network = found.config.get("network") or gather_network(
        found.config.get("architecture", {})
    )
    if not network:
        raise CheckpointError(
            f"{CONFIG_FILE} of {found.config['model_id']} does not say how the "
            "network is built: load it by its YAML, or export it anew "
            "with `apcodec export FOLDER OUT_DIR`"
        )
    try:
        codec = build_codec(network)
    # Whatever stands there, such as a size of -1.
    except (
        APCodecError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"the network in {CONFIG_FILE} cannot be built: {reason}"
        ) from error
    pretrainer = SafetensorsPretrainer(found.savedir, {"codec": codec})
    pretrainer.collect_files(default_source=found.source, **found.how)
    pretrainer.load_collected()
    return codec, pretrainer


def check_agreement(
    codec: Codec, config: Mapping[str, Any], sha256: Mapping[str, str]
) -> None:
    """Compare a codec with the ``config.json`` that was fetched first.

    The pretrainer compares with the ``config.json`` beside the weights. There
    is none if a hub's branch has moved on between two files. ``sha256`` are
    the checksums of the files that were loaded, by the name of the module.
    """
    for key in ("sample_rate", "hop_length", "num_codebooks", "codebook_size"):
        if config[key] != getattr(codec, key):
            raise CheckpointError(
                f"{CONFIG_FILE} says {key} {config[key]}, but the "
                f"model has {getattr(codec, key)}: export the model again"
            )
    file = weights_file("codec")
    expected, loaded = config.get("sha256", {}).get(file), sha256.get("codec")
    if expected and loaded and loaded != expected:
        raise CheckpointError(
            f"{file} is not the file that {CONFIG_FILE} tells of: "
            "fetch the model again"
        )
