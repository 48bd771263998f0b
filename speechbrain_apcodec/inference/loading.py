"""Ways to an ``APCodec`` from an exported model.

These functions are class methods of ``APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speechbrain.utils.fetching import FetchConfig, FetchSource, LocalStrategy

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.models.pretrained import (
    find_model,
    load_by_config,
    load_pretrained,
)
from speechbrain_apcodec.utils.damage import damage_named
from speechbrain_apcodec.utils.errors import CheckpointError
from speechbrain_apcodec.utils.types import AnyPath

if TYPE_CHECKING:
    from speechbrain_apcodec.inference.apcodec import APCodec


def from_hparams(
    cls: type[APCodec],
    /,
    source: AnyPath | FetchSource = DEFAULT_MODEL,
    hparams_file: str = "hyperparams.yaml",
    savedir: AnyPath | None = None,
    local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
    fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
    **kwargs: Any,
) -> APCodec:
    """Load an exported model, of whose weights every tensor must fit.

    Arguments
    ---------
    cls : type
        ``APCodec``, or a subclass.
    source : str or pathlib.Path or FetchSource
        Folder of an exported model, hub id or URL; default: the model
        inside the package.
    hparams_file : str
        Name of the YAML in it. It executes code: load models only from
        people whom you trust.
    savedir : str or pathlib.Path, optional
        Folder, for this model and revision alone, in which its files
        are collected; default: they are read where they lie (folders)
        or from the hub's cache.
    local_strategy : LocalStrategy
        Whether ``savedir`` gets links or copies.
    fetch_config : FetchConfig
        Revision, token, network and so on.
    **kwargs : dict
        ``run_opts``, ``overrides`` and others of SpeechBrain's
        ``pretrained_from_hparams``.

    Returns
    -------
    APCodec
        The model, in evaluation mode.

    Raises
    ------
    CheckpointError
        If there is no model, ``savedir`` holds another one, or a weight
        file is damaged, was changed, or does not fit.
    """
    found = find_model(source, savedir, local_strategy, fetch_config)
    with damage_named(
        CheckpointError,
        f"{hparams_file} of {found.config['model_id']} builds no codec",
        "export the model again, or see the overrides",
    ):
        return load_pretrained(  # type: ignore[return-value]  # or download_only
            cls, found, hparams_file, config=found.config, **kwargs
        )


def from_config(
    cls: type[APCodec],
    /,
    source: AnyPath | FetchSource = DEFAULT_MODEL,
    savedir: AnyPath | None = None,
    local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
    fetch_config: FetchConfig = FetchConfig(),  # noqa: B008 (frozen)
    run_opts: Any = None,
    freeze_params: bool = True,
) -> APCodec:
    """Load an exported model without its YAML: no code of it is run.

    The network is built from ``config.json``, of nothing but this
    package's classes, and the weights are read from safetensors. It is
    the same model as `from_hparams` loads, and the arguments are those.
    ``config.json`` must describe the network; an older one does not.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> APCodec.from_config().model_id == APCodec.from_hparams().model_id
    True
    """
    found = find_model(source, savedir, local_strategy, fetch_config)
    codec, pretrainer = load_by_config(found)
    hparams = {"pretrainer": pretrainer}
    return cls({"codec": codec}, hparams, run_opts, freeze_params, found.config)
