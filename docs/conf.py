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

DOCS = Path(__file__).parent
ROOT = DOCS.parent
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
nitpick_ignore_regex = [("py:(class|exc|obj)", r"(?!speechbrain_apcodec\.).*")]
nitpick_ignore = [("py:func", "measure_codebooks")]

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


def relink(text, path, name):
    """Let the relative links of a page hold on the site.

    Arguments
    ---------
    text : str
        The Markdown of the page.
    path : pathlib.Path
        The file that its links start from.
    name : str
        Name of the page.

    Returns
    -------
    str
        A link to another page leads there, one to another file downloads it,
        and of one to a folder the text is left.
    """
    folder = (DOCS / name).parent
    pages = {ROOT / file: f"{page}.md" for page, file in PAGES.items()}

    def lead(match):
        words, target, anchor = match.groups()
        linked = (path.parent / target).resolve()
        if not linked.exists():
            return match.group()
        if linked.is_dir():
            return words
        linked = DOCS / pages[linked] if linked in pages else linked
        target = os.path.relpath(linked, folder)
        if linked.suffix == ".md" and not linked.is_relative_to(DOCS):
            # MyST would look for a page.
            return f"{{download}}`{words} <{target}>`"
        return f"[{words}]({target}{anchor or ''})"

    return re.sub(r"\[([^]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)", lead, text)


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
    """Complete a page as it is read."""
    path = Path(app.env.doc2path(name))
    if name in PAGES:
        path = ROOT / PAGES[name]
        source[0] = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        source[0] = relink(source[0], path, name)
    elif path.suffix == ".rst":
        source[0] += "\n" + describe_floor(name.removeprefix("api/"))


def leave_out_authors(app, what, name, obj, options, lines):
    """Drop the authors that SpeechBrain's modules end with."""
    if what == "module" and "Authors" in lines:
        del lines[lines.index("Authors") :]


def setup(app):
    """Register the hooks of this file."""
    app.connect("source-read", fill_page)
    app.connect("autodoc-process-docstring", leave_out_authors)
