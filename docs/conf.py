"""Sphinx builds the site of this folder.

``sphinx-build -W -n --keep-going docs site`` writes it to ``site``.

Two kinds of page are not written here: what docstrings say of each floor of
the package, and the pages of ``PAGES``, which lie elsewhere in the repository.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "speechbrain_apcodec"
sys.path.insert(0, str(ROOT))

project = PACKAGE
author = "speechbrain_apcodec contributors"
project_copyright = "2026, speechbrain_apcodec contributors"
html_title = PACKAGE
html_theme = "furo"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
# The tests run the notebook; `-D nb_execution_mode=force` shows its outputs.
nb_execution_mode = "off"

# SpeechBrain's docstrings: "Arguments", underlined by dashes.
napoleon_google_docstring = False
napoleon_custom_sections = [("Arguments", "params_style")]
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_default_options = {"members": True, "ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name the types

# Types in docstrings are words for readers, and most are foreign.
nitpick_ignore_regex = [("py:(class|exc|obj)", r".*")]

#: Pages of the site that are files of the repository.
PAGES = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "recipes/audio_folder": "recipes/AudioFolder/codec/README.md",
    "recipes/audio_folder_tts": (
        "recipes/AudioFolder/TTS/apcodec_tokens/README.md"
    ),
    "recipes/libritts": "recipes/LibriTTS/codec/README.md",
    "recipes/ljspeech": "recipes/LJSpeech/codec/README.md",
    "recipes/ljspeech_tts": "recipes/LJSpeech/TTS/apcodec_tokens/README.md",
    "recipes/vctk": "recipes/VCTK/codec/README.md",
    "results/models": "recipes/AudioFolder/codec/results/README.md",
    "results/trials": "recipes/AudioFolder/codec/results/trials.md",
    "results/tts": "recipes/AudioFolder/TTS/apcodec_tokens/results/README.md",
}


def read_page(name):
    """Read a file of the repository, with links that hold on the site.

    Arguments
    ---------
    name : str
        Name of the page, a key of ``PAGES``.

    Returns
    -------
    str
        Markdown. A link to another page leads there, one to another file
        downloads it, and of one to a folder the text is left.
    """
    path = ROOT / PAGES[name]
    folder = (ROOT / "docs" / name).parent
    pages = {ROOT / file: f"{page}.md" for page, file in PAGES.items()}

    def relink(match):
        text, target, anchor = match.groups()
        linked = (path.parent / target).resolve()
        if linked.is_dir():
            return text
        if linked in pages:
            linked = ROOT / "docs" / pages[linked]
        return f"[{text}]({os.path.relpath(linked, folder)}{anchor or ''})"

    return re.sub(
        r"\[([^]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)",
        relink,
        path.read_text(encoding="utf-8"),
    )


def describe_floor(floor):
    """Write the directives that show the modules of a floor.

    Arguments
    ---------
    floor : str
        A folder of the package.

    Returns
    -------
    str
        reStructuredText.
    """
    lines = [f".. automodule:: {PACKAGE}.{floor}", "   :no-members:", ""]
    for path in sorted((ROOT / PACKAGE / floor).rglob("*.py")):
        if path.stem == "__init__":
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        title = "/".join(parts[1:]) + ".py"
        lines += [title, "-" * len(title), ""]
        lines += [f".. automodule:: {'.'.join(parts)}", ""]
    return "\n".join(lines)


def fill_page(app, name, source):
    """Give a page that is not written here its text."""
    if name in PAGES:
        source[0] = read_page(name)
    elif name.startswith("api/") and name != "api/index":
        source[0] += "\n" + describe_floor(name.removeprefix("api/"))


def leave_out_authors(app, what, name, obj, options, lines):
    """Drop the authors that SpeechBrain's modules end with."""
    if what == "module" and "Authors" in lines:
        del lines[lines.index("Authors") :]


def setup(app):
    """Register the hooks of this file."""
    app.connect("source-read", fill_page)
    app.connect("autodoc-process-docstring", leave_out_authors)
