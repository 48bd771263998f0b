"""The network of a model as plain JSON, which runs no code.

A YAML of HyperPyYAML can name any function of the machine that loads it. Here
a network is a tree of names and numbers: the names are those of a fixed list
of this package's classes, and every argument is stated, so that neither a
YAML nor a default decides what is built.

::

    {"class": "Codec", "sample_rate": 48000, "analysis": {"class": ...}, ...}

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import inspect
from collections.abc import Mapping, Sequence
from io import StringIO

from hyperpyyaml import resolve_references
from ruamel.yaml import YAML

from speechbrain_apcodec.lobes.autoencoder import (
    Decoder,
    Encoder,
    SubDecoder,
    SubEncoder,
)
from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.convolutions import (
    CausalConv1d,
    CausalDownsample,
    CausalUpsample,
    Downsample,
    FeedForward,
    NonCausalConv1d,
    Upsample,
)
from speechbrain_apcodec.lobes.mel_prior import MelPrior
from speechbrain_apcodec.lobes.quantizer import ResidualVectorQuantizer
from speechbrain_apcodec.lobes.spectrum import STFTAnalysis, STFTSynthesis
from speechbrain_apcodec.utils.errors import APCodecError, CheckpointError


def _by_name(*classes):
    return {one.__name__: one for one in classes}


#: What a network is built of.
PARTS = _by_name(
    Codec,
    Decoder,
    Encoder,
    MelPrior,
    ResidualVectorQuantizer,
    STFTAnalysis,
    STFTSynthesis,
    SubDecoder,
    SubEncoder,
)

#: Classes that the parts take as arguments, for each such argument.
LAYERS = {
    "convolution": _by_name(CausalConv1d, FeedForward, NonCausalConv1d),
    "downsample": _by_name(CausalDownsample, Downsample),
    "upsample": _by_name(CausalUpsample, Upsample),
}

_LOBES = "speechbrain_apcodec.lobes."


def describe_architecture(hparams):
    """Say in plain values what a YAML's ``codec`` is.

    Arguments
    ---------
    hparams : str
        HyperPyYAML text with a ``codec``.

    Returns
    -------
    dict or None
        What `build_codec` takes; None if the codec has parts that are not of
        this package, which no such description can name.

    Example
    -------
    >>> text = '''
    ... hop: 40
    ... codec: !new:speechbrain_apcodec.lobes.spectrum.STFTAnalysis
    ...     n_fft: 1024
    ...     stft_hop_length: !ref <hop>
    ... '''
    >>> describe_architecture(text)  # doctest: +NORMALIZE_WHITESPACE
    {'class': 'STFTAnalysis', 'n_fft': 1024, 'stft_hop_length': 40,
    'window_length': 320, 'floor': 1e-05, 'double_precision': False}
    """
    resolved = resolve_references(StringIO(hparams))
    try:
        return _describe(YAML().load(resolved)["codec"])
    except KeyError:
        return None


def build_codec(architecture):
    """Build the codec that a ``config.json`` describes.

    Arguments
    ---------
    architecture : dict
        From `describe_architecture`, or from anybody: nothing outside this
        package's list of classes is imported or called.

    Returns
    -------
    speechbrain_apcodec.lobes.codec.Codec

    Raises
    ------
    CheckpointError
        If it describes no codec.

    Example
    -------
    >>> build_codec({"class": "os.system", "command": "true"})
    Traceback (most recent call last):
        ...
    speechbrain_apcodec.utils.errors.CheckpointError: the architecture in \
config.json cannot be built: there is no part 'os.system'
    """
    try:
        codec = _build(architecture)
    # Whatever stands there, such as a size of -1 or the wrong part.
    except (APCodecError, ArithmeticError, AttributeError, LookupError) as e:
        raise _unusable(e) from e
    except (MemoryError, RuntimeError, TypeError, ValueError) as e:
        raise _unusable(e) from e
    if not isinstance(codec, Codec):
        raise _unusable(f"it is a {type(codec).__name__}, no Codec")
    return codec


def _describe(node):
    """Turn a tagged YAML node into plain values; KeyError if it is foreign."""
    tag = str(getattr(getattr(node, "tag", None), "value", None) or "")
    kind, _, path = tag.partition(":")
    if kind == "!new":
        part = _of_this_package(path, PARTS)
        return {"class": part.__name__, **_arguments(part, node)}
    if kind == "!name" and not isinstance(node, Mapping):
        layers = {k: v for kind in LAYERS.values() for k, v in kind.items()}
        return _of_this_package(path, layers).__name__
    if tag.startswith("!"):
        raise KeyError(tag)
    return _plain(node)


def _arguments(part, node):
    """Return the arguments of a part by name, defaults included."""
    given = node if isinstance(node, Mapping) else {}
    bound = inspect.signature(part).bind(
        **{key: _describe(value) for key, value in given.items()}
    )
    bound.apply_defaults()
    return {
        key: value.__name__ if isinstance(value, type) else value
        for key, value in bound.arguments.items()
    }


def _of_this_package(path, classes):
    """Return the class that a YAML names; KeyError if it is not listed."""
    if not path.startswith(_LOBES):
        raise KeyError(path)
    return classes[path.rpartition(".")[2]]


def _plain(value):
    """Free a value from what the YAML reader remembers about it."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if value is None:
        return None
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise KeyError(type(value).__name__)


def _build(node):
    """Build a part and, before it, those that it consists of."""
    if not isinstance(node, dict) or "class" not in node:
        raise CheckpointError(f"{node!r:.60} is no part")
    if node["class"] not in PARTS:
        raise CheckpointError(f"there is no part {node['class']!r:.60}")
    arguments = {}
    for name, value in node.items():
        if name in LAYERS:
            if value not in LAYERS[name]:
                raise CheckpointError(f"there is no {name} {value!r:.60}")
            arguments[name] = LAYERS[name][value]
        elif name != "class":
            is_part = isinstance(value, dict)
            arguments[name] = _build(value) if is_part else value
    return PARTS[node["class"]](**arguments)


def _unusable(reason):
    reason = " ".join(str(reason).split()) or type(reason).__name__
    return CheckpointError(
        f"the architecture in config.json cannot be built: {reason}"
    )
