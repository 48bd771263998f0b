"""From a training YAML to an inference YAML.

A training YAML holds paths, seeds, optimisers and data. A model's folder gets
a YAML of its own with only what its modules refer to, so that loading a model
neither needs a data set nor writes a folder.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from collections.abc import Mapping, Sequence
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.moved import with_present_names

#: Key of a training YAML below which its losses are.
LOSS = "loss"

_REFERENCE = re.compile(r"<([^>\[.]+)[^>]*>")

_PRETRAINER = "speechbrain_apcodec.models.loading.SafetensorsPretrainer"


def inference_hparams(hparams, modules, loadables=(), others=()):
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
    yaml = _round_trip()
    try:
        tree = yaml.load(with_present_names(hparams))
    except YAMLError as error:
        raise ConfigurationError(
            f"the hyper-parameters are no valid YAML: {error}"
        ) from error
    wanted = [*modules, *loadables, *others]
    if "discriminators" in modules:
        wanted.append(LOSS)
    needed = set()
    while wanted:
        key = wanted.pop()
        if not isinstance(tree, Mapping) or key not in tree:
            raise ConfigurationError(
                f"the hyper-parameters have no key '{key}', which the model "
                "needs"
            )
        if key not in needed:
            needed.add(key)
            wanted.extend(_references(tree[key]))
    reduced = CommentedMap(
        (key, _without_comments(value))
        for key, value in tree.items()
        if key in needed
    )
    stream = StringIO()
    yaml.dump(reduced, stream)
    lines = ["", "modules:"]
    lines += [f"    {name}: !ref <{name}>" for name in modules]
    lines += ["", f"pretrainer: !new:{_PRETRAINER}", "    loadables:"]
    lines += [
        f"        {name}: !ref <{name}>" for name in (*modules, *loadables)
    ]
    return stream.getvalue() + "\n".join(lines) + "\n"


def _references(node):
    """Yield the top-level keys that a node refers to."""
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _references(value)
    elif _tag(node) in ("!ref", "!copy"):
        yield from _REFERENCE.findall(node.value)


def _without_comments(node):
    """Copy a node; comments of the training YAML would be out of place."""
    if isinstance(node, Mapping):
        copy = CommentedMap(
            (key, _without_comments(value)) for key, value in node.items()
        )
    elif isinstance(node, Sequence) and not isinstance(node, str):
        copy = CommentedSeq(_without_comments(value) for value in node)
        if node.fa.flow_style():
            copy.fa.set_flow_style()
    else:
        return node
    if _tag(node):
        copy.yaml_set_ctag(node.tag)
    return copy


def _tag(node):
    tag = getattr(node, "tag", None)
    return getattr(tag, "value", None)


def _round_trip():
    """Return a reader and writer in the style of the package's YAMLs."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.indent(mapping=4, sequence=6, offset=4)
    yaml.width = 4096  # a folded !ref expression would be hard to read
    return yaml
