"""From a training YAML to an inference YAML.

A training YAML holds paths, seeds, optimisers and data. A model's folder gets
a YAML of its own with only what its modules refer to, so that loading a model
neither needs a data set nor writes a folder.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable, Mapping
from typing import Any

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import dump, keys_behind, parse

#: Key of a training YAML below which its losses are.
LOSS = "loss"

_PRETRAINER = "speechbrain_apcodec.models.loading.SafetensorsPretrainer"


def inference_hparams(
    hparams: str,
    modules: list[str],
    loadables: Iterable[str] = (),
    others: Iterable[str] = (),
) -> str:
    r"""Reduce a training YAML to what some of its modules need.

    Arguments
    ---------
    hparams : str
        HyperPyYAML text of a training run, references unresolved.
    modules : list of str
        Keys of the modules to load, such as ``["codec"]``. With the
        ``discriminators`` the losses are kept too.
    loadables : list of str
        Keys of what is to be loaded and is no module.
    others : list of str
        Keys of what else the model needs.

    Returns
    -------
    str
        HyperPyYAML text with all of these, everything that they refer to,
        ``modules`` and a strict ``pretrainer``.

    Raises
    ------
    ConfigurationError
        If the text is no YAML mapping, or a key is missing.

    Example
    -------
    >>> text = "lr: 0.1\nwidth: 4\ncodec: !new:torch.nn.ReLU\n"
    >>> print(inference_hparams(text, ["codec"]))
    codec: !new:torch.nn.ReLU
    <BLANKLINE>
    modules:
        codec: !ref <codec>
    <BLANKLINE>
    pretrainer: !new:speechbrain_apcodec.models.loading.SafetensorsPretrainer
        loadables:
            codec: !ref <codec>
    <BLANKLINE>
    """
    tree = parse(hparams, "the hyper-parameters")
    wanted = [*modules, *loadables, *others]
    if "discriminators" in modules:
        wanted.append(LOSS)
    needed = keys_behind(tree, wanted)
    missing = sorted(needed - tree.keys())
    if missing:
        raise ConfigurationError(
            f"the hyper-parameters have no key '{missing[0]}', which the "
            "model needs"
        )
    for key in tree.keys() - needed:
        del tree[key]
    _drop_comments(tree)
    lines = ["", "modules:"]
    lines += [f"    {name}: !ref <{name}>" for name in modules]
    lines += ["", f"pretrainer: !new:{_PRETRAINER}", "    loadables:"]
    lines += [
        f"        {name}: !ref <{name}>" for name in (*modules, *loadables)
    ]
    return dump(tree) + "\n".join(lines) + "\n"


def _drop_comments(node: Any) -> None:
    """Drop the comments of a training YAML: they would be out of place."""
    if hasattr(node, "ca"):
        node.ca.comment, node.ca.end = None, []
        node.ca.items.clear()
    if isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            _drop_comments(value)
