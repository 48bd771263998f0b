"""A page to listen to a codec: original and decoded sounds side by side.

One static HTML file with relative links: it works from a disk, from any web
server and without a network, and runs no script.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote

from speechbrain_apcodec.evaluation.charts import save_spectrogram
from speechbrain_apcodec.evaluation.means import GroupMeans
from speechbrain_apcodec.utils.atomic import atomic_path
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.figures import spectrogram_decibels

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --text: #1c1c22; --quiet: #5c5c68;
  --page: #f6f6f8; --card: #ffffff; --line: #dcdce2; --accent: #8a2a6d; }}
@media (prefers-color-scheme: dark) {{ :root {{ --text: #ececf0;
  --quiet: #a5a5b2; --page: #17171b; --card: #212127; --line: #383842;
  --accent: #f08fd0; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 84rem; padding: 2rem 1.25rem 3rem;
  font: 16px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--page); }}
h1 {{ margin: 0 0 1rem; font-size: 1.9rem; line-height: 1.2; }}
h2 {{ margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }}
h3 {{ margin: 0; font-size: 1rem; color: var(--accent); }}
p {{ margin: .2rem 0 1rem; color: var(--quiet); }}
dl {{ display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem;
  margin: 0 0 1.5rem; }}
dt {{ color: var(--quiet); }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
section {{ margin: 0 0 1.5rem; padding: 1.1rem 1.25rem 1.25rem;
  border: 1px solid var(--line); border-radius: .75rem;
  background: var(--card); }}
.sounds {{ display: grid; gap: 1.25rem; margin: 0; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); }}
.sounds li {{ list-style: none; min-width: 0; }}
.sounds dl {{ grid-template-columns: 1fr auto; margin: 0; font-size: .85rem; }}
.sounds dd {{ text-align: right; font-variant-numeric: tabular-nums; }}
audio {{ display: block; width: 100%; margin: .4rem 0; }}
img {{ display: block; width: 100%; height: auto; margin-bottom: .4rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; }}
caption {{ padding-bottom: .4rem; text-align: left; font-weight: 600; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid var(--line);
  text-align: right; font-variant-numeric: tabular-nums; }}
th {{ font-weight: 600; vertical-align: bottom; }}
th:first-child {{ padding-left: 0; text-align: left; white-space: nowrap; }}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
{facts}
</header>
<main>
{content}
</main>
<footer>
<p>↑ higher is better, ↓ lower is better. The spectrograms of a recording
share one scale of levels: black is 90 dB below its loudest point.</p>
</footer>
</body>
</html>
"""

_SOUND = """\
<li>
<h3>{label}</h3>
<audio controls preload="metadata" src="{sound}"
 aria-label="{name}, {label}"></audio>
<img src="{picture}" width="680" height="380" loading="lazy"
 alt="Spectrogram of {name}, {label}">
{figures}</li>
"""

_SECTION = """\
<section aria-labelledby="recording-{number}">
<h2 id="recording-{number}">{name}</h2>
<p>{note}</p>
<ul class="sounds">
{items}</ul>
</section>"""

_TABLE = """\
<section class="wide" tabindex="0" aria-label="{caption}">
<table>
<caption>{caption}</caption>
<thead><tr><th scope="col">system</th>{headings}</tr></thead>
<tbody>
{lines}
</tbody>
</table>
</section>"""


@dataclass(frozen=True)
class Sound:
    """A sound of a recording: who made it, its WAV or FLAC, measured figures.

    Browsers play mono WAV and FLAC. Figures are names and texts.
    """

    label: str
    path: Path
    figures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """A recording, a line on it, and its sounds, the original first.

    All sounds have one sampling rate.
    """

    name: str
    note: str
    sounds: Sequence[Sound]


def write_listening_page(
    path: Path,
    title: str,
    facts: Mapping[str, str],
    examples: Iterable[Example],
    means: Iterable[GroupMeans] = (),
) -> None:
    """Write a listening page, and the spectrograms that it shows.

    The sounds lie in the page's folder or below it; a folder
    ``spectrograms`` beside the page gets a picture of each. Facts are names
    and texts, such as the model and its bitrate; empty texts are left out.
    """
    parts = [_table(group) for group in means]
    parts += [
        _section(path.parent, number, example)
        for number, example in enumerate(examples, start=1)
    ]
    text = _PAGE.format(
        title=escape(title),
        facts=_definitions(facts),
        content="\n".join(parts),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _section(folder: Path, number: int, example: Example) -> str:
    """Write the section of a recording."""
    waveforms = [read_audio(sound.path) for sound in example.sounds]
    loudest = max(
        spectrogram_decibels(wav, rate)[0].max().item()
        for wav, rate in waveforms
    )
    pictures = folder / "spectrograms"
    pictures.mkdir(exist_ok=True)
    items = []
    for sound, (wav, rate) in zip(example.sounds, waveforms, strict=True):
        picture = pictures / f"{sound.path.stem}.png"
        save_spectrogram(picture, wav, rate, loudest)
        items.append(
            _SOUND.format(
                name=escape(example.name),
                label=escape(sound.label),
                sound=_link(sound.path, folder),
                picture=_link(picture, folder),
                figures=_definitions(sound.figures),
            )
        )
    return _SECTION.format(
        number=number,
        name=escape(example.name),
        note=escape(example.note),
        items="".join(items),
    )


def _table(group: GroupMeans) -> str:
    """Write the means of a group of recordings."""
    columns = group.tables[0]
    headings = "".join(
        f'<th scope="col">{escape(column.heading)}</th>' for column in columns
    )
    # No line break before an arrow.
    headings = headings.replace(" ↑", "&nbsp;↑").replace(" ↓", "&nbsp;↓")
    lines = []
    for system in group.systems:
        cells = "".join(f"<td>{column.cell(system)}</td>" for column in columns)
        lines.append(f'<tr><th scope="row">{escape(system)}</th>{cells}</tr>')
    many = "s"[: group.num_files > 1]
    caption = f"Means of {group.num_files} recording{many}: {group.name}"
    return _TABLE.format(
        caption=escape(caption), headings=headings, lines="\n".join(lines)
    )


def _definitions(facts: Mapping[str, str]) -> str:
    """Write a list of names and texts; nothing if all texts are empty."""
    items = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        for name, text in facts.items()
        if text
    )
    return f"<dl>\n{items}\n</dl>\n" if items else ""


def _link(path: Path, folder: Path) -> str:
    """Write a file's path relative to the page, for an attribute."""
    return quote(path.relative_to(folder).as_posix())
