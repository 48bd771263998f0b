"""All pages that the project shows, and the code in them."""

import re
import shlex
from pathlib import Path

from tests.installed import ROOT

PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "recipes/**/*.md",
    "speechbrain_apcodec/**/*.md",
)
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def read(name):
    """Read a document by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(path, *languages):
    """Read the code blocks of a document in one of the languages.

    What Sphinx includes, lists or shows of other files is no code.
    """
    text = path.read_text(encoding="utf-8")
    pattern = r"^```([^`\n]*)\n(.*?)^```$"
    return [
        block
        for language, block in re.findall(pattern, text, re.MULTILINE | re.S)
        if language in languages
    ]


def commands(path):
    """List the command lines of a document, each with its folder."""
    for block in blocks(path, "bash", "sh", ""):
        folder = path.parent
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|", line):
                words = shlex.split(command, comments=True)
                if words[:1] == ["cd"]:
                    folder = ROOT / words[1]
                elif words:
                    yield folder, words


def links(path):
    """List the files that a document links to, relative to its folder."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            yield Path(target.split("#")[0])


def table(text, name):
    """Read the rows of the table between two comments that name it.

    Each is a list of its cells, without emphasis.
    """
    pattern = rf"<!-- {name} -->\n(.*?)<!-- /{name} -->"
    (block,) = re.findall(pattern, text, re.S)
    rows = [line.strip("|\n ") for line in block.strip().splitlines()]
    return [
        [cell.strip(" *`") for cell in row.split(" | ")] for row in rows[2:]
    ]
