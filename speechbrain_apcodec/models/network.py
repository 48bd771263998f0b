"""What a YAML, of this version or an earlier one, says of a codec's network.

It is one mapping, ``network``; ``lobes/network.py`` builds it. Before, the
parts of the codec were listed with their arguments, in a YAML as ``!new:``
and in ``config.json`` as ``architecture``, a tree of the same names.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping
from typing import Any

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.hparams import (
    dump,
    keys_behind,
    parse,
    resolve,
    tag_of,
)

# What an error calls the text.
_SOURCE = "the hyper-parameters"

_LOBES = "speechbrain_apcodec.lobes."

_CODEC = f"""\
codec: !apply:{_LOBES}network.build_codec
    network: !ref <network>
quantizer: !ref <codec.quantizer>
"""

_FORMER_KEYS = (
    "amplitude_encoder",
    "phase_encoder",
    "amplitude_decoder",
    "phase_decoder",
    "quantizer",
)

# Of the former parts: their classes, arguments that follow from others, and
# arguments that have another name now.
_PARTS = {
    "BackboneSizes",
    "Codec",
    "Decoder",
    "Encoder",
    "MelPrior",
    "ResidualVectorQuantizer",
    "STFTAnalysis",
    "STFTSynthesis",
    "SubDecoder",
    "SubEncoder",
}
_DERIVED = {"class", "bins", "num_heads", "prior"}
_RENAMED = {"out_channels": "encoder_channels", "num_mels": "amplitude_prior"}


def describe_network(hparams: str) -> dict[str, Any] | None:
    """Say in plain values what a YAML's ``codec`` is.

    Arguments
    ---------
    hparams : str
        HyperPyYAML text of any version.

    Returns
    -------
    dict or None
        What ``build_codec`` takes; None if the codec has parts that are not
        of this package, or such as no ``network`` describes.

    Example
    -------
    >>> text = '''
    ... ratio: 8
    ... network:
    ...     ratio: !ref <ratio>
    ...     channels: 256
    ... codec: !apply:speechbrain_apcodec.lobes.network.build_codec
    ...     network: !ref <network>
    ... '''
    >>> describe_network(text)
    {'ratio': 8, 'channels': 256}
    """
    tree = parse(hparams, _SOURCE)
    if f":{_LOBES}" not in tag_of(tree.get("codec")):
        return None
    for key in tree.keys() - keys_behind(tree, ["codec"]):
        del tree[key]
    codec = parse(resolve(dump(tree), _SOURCE), _SOURCE)["codec"]
    try:
        plain = _plain(codec)
    except KeyError:
        return None
    return plain["network"] if "network" in plain else gather_network(plain)


def with_network(hparams: str) -> str:
    """Let ``network`` hold, in plain values, what a YAML's ``codec`` is."""
    network = describe_network(hparams)
    tree = parse(hparams, _SOURCE)
    if network is None:
        return dump(tree)
    if "network" in tree:
        tree["network"] = network
    else:
        tree.insert(list(tree).index("codec"), "network", network)
        for key, value in parse(_CODEC, "the codec").items():
            tree[key] = value
    return dump(tree)


def check_parts(hparams: str) -> None:
    """Refuse parts of a codec that would be built and not used.

    Before there was ``network``, a YAML could change a part by its key.
    """
    tree = parse(hparams, _SOURCE)
    used = keys_behind(tree, ["codec"])
    parts = [key for key in _FORMER_KEYS if isinstance(tree.get(key), Mapping)]
    unused = [key for key in parts if key not in used]
    if unused:
        raise ConfigurationError(
            f"the codec does not use {' and '.join(unused)}: set its sizes "
            "under 'network', or list all parts under 'codec'"
        )


def gather_network(codec: Mapping[str, Any]) -> dict[str, Any] | None:
    """Gather what the parts of a codec say, each in its own arguments.

    Arguments
    ---------
    codec : dict
        The ``architecture`` of a ``config.json`` of version 1.

    Returns
    -------
    dict or None
        What ``build_codec`` takes; None if it cannot be said so.
    """
    network: dict[str, Any] = {}

    def gather(part: Mapping[str, Any]) -> None:
        if part["class"] not in _PARTS:
            raise KeyError(part["class"])
        for name, value in part.items():
            if isinstance(value, Mapping):
                gather(value)
            elif name not in _DERIVED:
                name = _RENAMED.get(name, name)
                if network.setdefault(name, value) != value:
                    raise KeyError(name)

    try:
        encoder = codec["encoder"]
        # Of the phase alone.
        amplitude = dict(encoder["amplitude"])
        if amplitude.pop("unit_circle", False):
            return None
        gather({**codec, "encoder": {**encoder, "amplitude": amplitude}})
    except (KeyError, TypeError, ValueError):
        return None
    return {"amplitude_prior": None, **network}


def _plain(node: Any) -> Any:
    """Free a node of what the reader notes; KeyError if it is foreign."""
    kind, _, path = tag_of(node).partition(":")
    if kind and not path.startswith(_LOBES):
        raise KeyError(path)
    name = path.rpartition(".")[2]
    if isinstance(node, Mapping):
        values = {key: _plain(value) for key, value in node.items()}
        return {"class": name, **values} if kind == "!new" else values
    if kind:
        return {"class": name} if kind == "!new" else name
    for plain in (bool, int, float, str):
        if isinstance(node, plain):
            return plain(node)
    return node
