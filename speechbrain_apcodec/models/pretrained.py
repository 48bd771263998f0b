"""SpeechBrain's way from a model's YAML to an interface, for any version.

SpeechBrain's ``pretrained_from_hparams`` reads the YAML as it is. A folder
that an earlier version exported may name classes by their former modules.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from hyperpyyaml import load_hyperpyyaml
from speechbrain.inference.interfaces import Pretrained
from speechbrain.utils.fetching import FetchConfig, FetchSource, LocalStrategy

from speechbrain_apcodec.models.sources import fetch_file
from speechbrain_apcodec.utils.moved import with_present_names

Interface = TypeVar("Interface", bound=Pretrained)


def load_pretrained(
    cls: type[Interface],
    source: FetchSource,
    hparams_file: str,
    savedir: Path | None,
    local_strategy: LocalStrategy,
    fetch_config: FetchConfig,
    overrides: dict | str | None = None,
    overrides_must_match: bool = True,
    download_only: bool = False,
    **kwargs: Any,
) -> Interface | None:
    """Build an interface from a model's YAML, and load its weights.

    Arguments
    ---------
    cls : type
        The interface.
    source : FetchSource
        Where the model is.
    hparams_file : str
        Name of the YAML in it, which has ``modules`` and ``pretrainer``.
    savedir : pathlib.Path, optional
        Folder in which the files are collected.
    local_strategy : LocalStrategy
        Whether ``savedir`` gets links or copies.
    fetch_config : FetchConfig
        Revision, token, network and so on.
    overrides : dict or str, optional
        Changes to the YAML.
    overrides_must_match : bool
        Whether the YAML must have each key of ``overrides``.
    download_only : bool
        Whether only to fetch the files.
    **kwargs : dict
        Further arguments of ``cls``.

    Returns
    -------
    Pretrained or None
        None after ``download_only``.
    """
    fetching = {"local_strategy": local_strategy, "fetch_config": fetch_config}
    path = fetch_file(hparams_file, source, savedir, **fetching)
    yaml = StringIO(with_present_names(path.read_text(encoding="utf-8")))
    yaml.name = str(path)  # from which HyperPyYAML looks for included files
    hparams = load_hyperpyyaml(yaml, overrides, overrides_must_match)
    hparams["savedir"] = savedir
    pretrainer = hparams["pretrainer"]
    pretrainer.set_collect_in(savedir)
    pretrainer.collect_files(default_source=source, **fetching)
    if download_only:
        return None
    pretrainer.load_collected()
    return cls(modules=hparams["modules"], hparams=hparams, **kwargs)
