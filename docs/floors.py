"""Draw the floors of the package into the page of its architecture.

``python docs/floors.py`` reads what the files import, YAMLs included, and
writes the picture anew. A file that reaches up is an error.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "speechbrain_apcodec"
PAGE = ROOT / "docs" / "architecture.md"

#: From the bottom up.
FLOORS = (
    "utils",
    "tokens",
    "streams",
    "lobes",
    "losses",
    "models",
    "training",
    "files",
    "inference",
    "release",
    "onnx",
    "corpus",
    "evaluation",
    "tts",
    "cli",
)

_NAME = re.compile(rf"\b{PACKAGE}\.({'|'.join(FLOORS)})\b")
_PICTURE = re.compile(
    r"(<!-- floors -->\n```\n).*?(```\n<!-- /floors -->)", re.S
)


def floors_named(path):
    """Collect the floors that a file needs, lazily or not.

    A YAML names them after ``!new:``, ``!name:`` and ``!apply:``; so does a
    text in Python of which a YAML is made. Docstrings do not count.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = "\n".join(_names(_Needed().visit(ast.parse(text)), path))
    return set(_NAME.findall(text))


class _Needed(ast.NodeTransformer):
    """Leaves out what type checkers alone import: nobody needs it to run."""

    def visit_If(self, node):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)


def _names(tree, path):
    """Yield what a module imports, and its texts but for docstrings."""
    documented = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: imports are absolute here")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Expr):
            documented.add(node.value)
        elif isinstance(node, ast.Constant) and node not in documented:
            yield str(node.value)


def find_needs(root=ROOT):
    """Tell what each floor, and each YAML that names any, stands on."""
    needs = {}
    for floor in FLOORS:
        paths = sorted((root / PACKAGE / floor).rglob("*.py"))
        needs[floor] = set().union(*map(floors_named, paths)) - {floor}
        above = needs[floor] - set(FLOORS[: FLOORS.index(floor)])
        if above:
            raise ValueError(f"{floor} reaches up to {', '.join(above)}")
    for folder in ("hparams", "recipes"):
        for path in sorted((root / folder).rglob("*.yaml")):
            # Results are what former versions wrote.
            if "results" not in path.parts and (named := floors_named(path)):
                needs[path.relative_to(root).as_posix()] = named
    return needs


def draw(needs):
    """Draw a row for each floor, and its users in the column below it."""
    rows = []
    for name, below in needs.items():
        columns = FLOORS[: FLOORS.index(name)] if name in FLOORS else FLOORS
        marks = ["●" if floor in below else "·" for floor in columns]
        rows.append(" ".join([*marks, name]) + "\n")
    return "".join(rows)


def with_picture(page, picture):
    """Put the picture between the comments of a page that name it."""
    return _PICTURE.sub(lambda parts: parts[1] + picture + parts[2], page)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_picture(page, draw(find_needs())), encoding="utf-8")
