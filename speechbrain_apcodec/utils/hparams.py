"""YAML files that state only what differs from the files they include.

SpeechBrain's recipes repeat the whole configuration in every YAML. Here a
YAML names the files it builds on, and each number is stated once:

.. code-block:: yaml

    include:
        - base.yaml
    num_codebooks: 8

The merged text is plain HyperPyYAML, without ``include``: it is what a run
writes into its output folder, and ``load_hyperpyyaml`` alone can read it.

How files are merged:

* ``include`` is a list of paths relative to the file that holds it. The
  files are merged in order, each after the files it includes itself, and
  then the file's own keys. A file that is reached twice is merged once, at
  its first place.
* A mapping without a tag updates the mapping it meets key by key, so that
  ``codec: {latent_dim: 64}`` changes one argument of a ``!new:`` object and
  keeps its tag. Everything else (a number, a list, a tagged object, null)
  replaces what it meets.
* A key that the mapping ``network`` has and the top level has not is one of
  ``network``: ``ratio: 4`` is short for ``network: {ratio: 4}``.
* A key keeps the place where it stood first.
* Overrides come last, by the same rules, and only for keys that exist.

HyperPyYAML's own ``!include:`` nests the included file below a key, so that
it cannot serve for this.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hyperpyyaml import load_hyperpyyaml, resolve_references
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RepresenterError

from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.moved import (
    gather_arguments,
    with_present_names,
)

if TYPE_CHECKING:
    from speechbrain_apcodec.utils.types import AnyPath

Overrides: TypeAlias = str | Mapping[str, Any]


def merge_hparams(
    path: AnyPath, overrides: Overrides = "", above: Iterable[AnyPath] = ()
) -> str:
    r"""Merge a YAML with the files it includes into one HyperPyYAML text.

    References, tags, placeholders and comments are kept as they are.

    Arguments
    ---------
    path : str or pathlib.Path
    overrides : str or dict
        Values that replace those of the files, as YAML or (nested) dictionary.
    above : list of str or pathlib.Path
        Files merged above that one, such as a recipe's `dataset.yaml`.

    Returns
    -------
    str
        HyperPyYAML text without ``include``.

    Raises
    ------
    ConfigurationError
        If a file is missing, no YAML mapping or includes itself, or if an
        override names no key, or gives words for a number.

    Example
    -------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "base.yaml").write_text("rate: 48000\nbooks: 4\n")
    >>> _ = (folder / "more.yaml").write_text("include: [base.yaml]\nbooks: 8")
    >>> print(merge_hparams(folder / "more.yaml", "rate: 16000"), end="")
    rate: 16000
    books: 8
    """
    done: set[Path] = set()
    merged, *others = (
        mapping
        for file in (path, *above)
        for mapping in _in_order(Path(file).resolve(), (), done)
    )
    for other in others:
        _update(merged, other)
    if isinstance(overrides, str):
        overrides = parse(overrides, "the overrides")
    for key, value in (overrides or {}).items():
        home = _home(key, merged)
        if key not in home:
            raise ConfigurationError(_unknown_key(key, merged, path))
        _check_number(key, home[key], value)
    _update(merged, overrides or {})
    # A file may set an argument of what another file names.
    gather_arguments(merged)
    return dump(merged)


def load_hparams(
    path: AnyPath, overrides: Overrides = "", above: Iterable[AnyPath] = ()
) -> dict[str, Any]:
    r"""Merge a YAML as ``merge_hparams`` does and build what it describes.

    A placeholder without a value and a reference that leads nowhere are errors.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "hparams.yaml"
    >>> _ = path.write_text("hop: 40\nratio: 8\nn: !ref <hop> * <ratio>\n")
    >>> load_hparams(path, {"ratio": 4})["n"]
    160
    """
    # An error from a constructor is passed on with its type and traceback.
    merged = merge_hparams(path, overrides, above)
    return load_hyperpyyaml(resolve(merged, path))


def place_overrides(overrides: Overrides | None, text: str) -> dict[str, Any]:
    """Put overrides where `merge_hparams` puts them, for HyperPyYAML."""
    if isinstance(overrides, str):
        overrides = parse(overrides, "the overrides")
    tree, placed = parse(text, "the text"), dict(overrides or {})
    for key in [key for key in placed if _home(key, tree) is not tree]:
        network = placed.get("network", {})
        placed["network"] = {**network, key: placed.pop(key)}
    return placed


def read_values(merged: str, path: AnyPath) -> dict[str, Any]:
    r"""Resolve the references of a merged text, without building anything.

    The result maps top keys to numbers, texts and lists; objects have no
    meaning in it. ``path`` is the source of the text, for the error.

    Example
    -------
    >>> read_values("hop: 40\nfolder: !ref run/<hop>\n", "a.yaml")["folder"]
    'run/40'
    """
    return dict(parse(resolve(merged, path), path))


def resolve(merged: str, path: AnyPath) -> str:
    """Resolve the references of a text; one that fails is one line."""
    try:
        return resolve_references(merged).getvalue()
    except ValueError as error:
        reason = " ".join(str(part) for part in error.args)
        raise ConfigurationError(
            f"{path}: {reason} Give the value in the YAML or as an override "
            "(--KEY VALUE)."
        ) from error


def keys_behind(tree: Mapping[str, Any], roots: Iterable[str]) -> set[str]:
    r"""Collect those top keys of a parsed text that ``roots`` refer to.

    The result holds the roots too, and is closed under reference.

    Example
    -------
    >>> text = "rate: 48000\nhop: 40\nmodel: !new:M\n    rate: !ref <rate>\n"
    >>> sorted(keys_behind(parse(text, "the text"), ["model"]))
    ['model', 'rate']
    """
    found, open_keys = set(), list(roots)
    while open_keys:
        key = open_keys.pop()
        if key not in found:
            found.add(key)
            open_keys += _references(tree.get(key))
    return found


def _references(node: Any) -> Iterator[str]:
    """Yield the top keys that a node refers to."""
    if isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from _references(value)
    elif tag_of(node) in ("!ref", "!copy"):
        yield from re.findall(r"<(\w+)", node.value)


def tag_of(node: object) -> str:
    """Return the tag of what the parser made, such as ``!new:Class``."""
    return getattr(getattr(node, "tag", None), "value", None) or ""


def _in_order(
    path: Path, including: tuple[Path, ...], done: set[Path]
) -> Iterator[CommentedMap]:
    """Yield the files that a file includes, then its own keys; each once."""
    if path in including:
        chain = " -> ".join(file.name for file in (*including, path))
        raise ConfigurationError(f"{path} includes itself: {chain}.")
    if path in done:
        return
    done.add(path)
    own = _read(path, including)
    for name in _pop_include(own, path):
        included = (path.parent / name).resolve()
        yield from _in_order(included, (*including, path), done)
    yield own


def _read(path: Path, including: tuple[Path, ...]) -> CommentedMap:
    """Parse one file; the error says which file asked for it."""
    asked = f" (included by {including[-1]})" if including else ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigurationError(
            f"Cannot read the hyper-parameters {path}{asked}: {reason}."
        ) from error
    return parse(text, path)


def parse(text: str, source: AnyPath) -> CommentedMap:
    """Parse text, of any version, and keep its tags and comments."""
    try:
        mapping = _round_trip().load(with_present_names(text))
    except YAMLError as error:
        reason = getattr(error, "problem", None) or "not readable"
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(
            f"{source}{line} is no valid YAML: {reason}."
        ) from error
    if mapping is None:  # comments alone, or nothing
        return CommentedMap()
    if not isinstance(mapping, CommentedMap):
        raise ConfigurationError(
            f"{source} must hold 'key: value' lines at its top level."
        )
    gather_arguments(mapping)
    return mapping


def _pop_include(mapping: CommentedMap, path: Path) -> list[str]:
    """Take the ``include`` list out of a mapping."""
    names = mapping.pop("include", [])
    if not isinstance(names, list) or not all(
        isinstance(name, str) for name in names
    ):
        raise ConfigurationError(
            f"{path}: 'include' must be a list of YAML paths."
        )
    return list(names)


def _update(below: MutableMapping[str, Any], above: Mapping[str, Any]) -> None:
    """Update a mapping in place by the rules of the module docstring."""
    for key, value in above.items():
        home = _home(key, below)
        known = home.get(key)
        plain = isinstance(value, Mapping) and not tag_of(value)
        if plain and isinstance(known, MutableMapping):
            _update(known, value)
        elif key in home:
            home[key] = value
            _replace_comment(home, above, key)
        else:
            home[key] = value
            if tokens := _comments(above).get(key):
                _comments(home)[key] = tokens


def _home(
    key: str, mapping: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Return the mapping that a key belongs to."""
    network = mapping.get("network")
    if key in mapping or not isinstance(network, MutableMapping):
        return mapping
    return network if key in network else mapping


def _comments(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return ruamel's comment tokens by key; a plain mapping has none."""
    return mapping.ca.items if isinstance(mapping, CommentedMap) else {}


def _replace_comment(
    below: MutableMapping[str, Any], above: Mapping[str, Any], key: str
) -> None:
    """Drop the comment at the end of a line whose value was replaced.

    It described the old value and would now lie. What follows on the next
    lines is the heading of the next key and stays.
    """
    token, own = (
        _comments(mapping).get(key, (None, None, None))[2]
        for mapping in (below, above)
    )
    new = own.value.split("\n", 1)[0] if own else ""
    if token is not None:
        _, newline, heading = token.value.partition("\n")
        token.value = new + newline + heading
    elif new:
        own.value = new + "\n"
        _comments(below)[key] = _comments(above)[key]


def _check_number(key: str, known: object, value: object) -> None:
    """Refuse words where a number is meant."""
    if isinstance(known, bool) or not isinstance(known, int | float):
        return
    if isinstance(value, bool | str | list):
        raise ConfigurationError(f"{key} is {value!r}: it must be a number")


def _unknown_key(key: str, mapping: CommentedMap, path: AnyPath) -> str:
    """Say which keys the user may have meant."""
    known = [str(k) for k in (*mapping, *(mapping.get("network") or ()))]
    close = difflib.get_close_matches(str(key), known)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"{path} has no hyper-parameter '{key}'.{hint}"


def dump(mapping: CommentedMap) -> str:
    """Write a mapping as text."""
    stream = StringIO()
    try:
        _round_trip().dump(mapping, stream)
    except RepresenterError as error:
        raise ConfigurationError(
            "An override is no plain YAML value (number, text, list, "
            f"mapping): {error}."
        ) from error
    return stream.getvalue()


def _round_trip() -> YAML:
    """Return a reader and writer that keeps tags, quotes and comments."""
    yaml = YAML()
    yaml.preserve_quotes = True
    # House style of the YAMLs, so that the merged file reads like them.
    yaml.indent(mapping=4, sequence=6, offset=4)
    yaml.width = 4096  # a folded !ref expression would be hard to read
    return yaml
