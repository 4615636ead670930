"""A page of words, tables and pictures as one HTML file that needs nothing else.

What is on it is data (`Section`, `Table`, `Picture`); how it looks is decided here alone, so the
report and the comparison read the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Table:
    """Rows of ready text. The first column is left-aligned, the others right unless `words` or among `texts`.

    shade: for each row one number a column (the first excluded) in -1..1, or None: how green or red.
    strong: indices of rows to set in bold.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: bool = False
    shade: Sequence[Sequence[float | None]] | None = None
    strong: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows, in words for those who cannot see it."""

    png: bytes
    alt: str

    @property
    def source(self) -> str:
        """The picture itself, as the address of an `img`."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Form:
    """A button that has the browser post these fields to another page, in a tab of its own."""

    label: str
    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, tables, pictures and buttons in their order, then files beside this one to open."""

    title: str
    text: Sequence[str] = ()
    blocks: Sequence[Table | Picture | Form] = field(default_factory=tuple)
    files: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """Where the table of contents leads."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())


@dataclass(frozen=True)
class Page:
    """title and subtitle; the verdict, first sentence largest, and the outcome it tells; then sections."""

    title: str
    subtitle: str
    verdict: Sequence[str]
    outcome: Literal["good", "none", "bad"]
    sections: Sequence[Section]


def render(page: Page) -> str:
    """The page as HTML. The same page gives the same text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests["picture"] = lambda block: isinstance(block, Picture)
    environment.tests["form"] = lambda block: isinstance(block, Form)
    environment.filters["shade"] = _shade
    return environment.from_string(_TEMPLATE).render(page=page, style=Markup(STYLE)) + "\n"


def _shade(strength: float | None) -> str:
    """A background from red through none to green."""
    if strength is None or strength != strength:
        return ""
    colour = "43, 122, 75" if strength > 0 else "179, 64, 47"
    return f"background: rgba({colour}, {min(abs(strength), 1) * 0.45:.2f})"


STYLE = """\
<style>
  :root { --ink: #1b2733; --quiet: #5b6773; --line: #dde3e9; --pale: #f5f7f9; --model: #1f5fa8; }
  * { box-sizing: border-box; }
  body { margin: 0; color: var(--ink); background: white;
         font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
  main { max-width: 88rem; margin: 0 auto; padding: 2.2rem 1.4rem 5rem; }
  h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .2rem; }
  h2 { font-size: 1.25rem; margin: 2.8rem 0 .5rem; padding-top: .7rem; border-top: 1px solid var(--line); }
  p { margin: .5rem 0; max-width: 46rem; }
  .subtitle { color: var(--quiet); }
  .verdict { margin: 1.4rem 0; padding: 1rem 1.3rem; border-left: 6px solid; background: var(--pale); }
  .verdict p:first-child { font-size: 1.25rem; line-height: 1.35; font-weight: 650; margin-top: 0; }
  .good { border-color: #2b7a4b; } .none { border-color: #b08900; } .bad { border-color: #b3402f; }
  nav { font-size: .9rem; color: var(--quiet); line-height: 1.9; }
  nav a { color: var(--model); text-decoration: none; margin-right: 1.1rem; white-space: nowrap; }
  figure { margin: 1.1rem 0; }
  figcaption { font-size: .83rem; color: var(--quiet); padding: .2rem 0 .5rem; max-width: 46rem; }
  /* What is wider than its place scrolls: shadows at the edges say so, and words where the browser can tell. */
  .scroll { overflow-x: auto; background:
    linear-gradient(to right, white 40%, transparent) 0 0 / 3rem 100% no-repeat local,
    linear-gradient(to left, white 40%, transparent) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(to right, #0003, transparent) 0 0 / .8rem 100% no-repeat scroll,
    linear-gradient(to left, #0003, transparent) 100% 0 / .8rem 100% no-repeat scroll; }
  .hint { position: sticky; left: 0; width: fit-content; margin: 0; overflow: hidden; font-size: .8rem;
          line-height: 1.6; max-height: calc(var(--overflows, 0) * 1.6em); color: var(--model); }
  .hint::before { content: "scroll sideways →"; }
  @supports not (animation-timeline: scroll(self inline)) {
    @media (max-width: 52rem) { .scroll { --overflows: 1; } .words { --overflows: 0; } }
  }
  @supports (animation-timeline: scroll(self inline)) {
    .scroll { animation: overflowing linear; animation-timeline: scroll(self inline); }
  }
  @keyframes overflowing { from, to { --overflows: 1; } }
  table { border-collapse: separate; border-spacing: 0; font-size: .83rem; line-height: 20px;
          font-variant-numeric: tabular-nums; }
  th { text-align: right; font-weight: 600; border-bottom: 2px solid var(--line); vertical-align: bottom; }
  th, td { padding: 5px 6px; }
  td { text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; padding-left: .1rem; }
  th.text, td.text { text-align: left; }
  thead th { max-width: 9rem; }
  th.long { min-width: 5.5rem; }
  td.long { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
  .words th, .words td { min-width: 0; text-align: left; white-space: normal; vertical-align: top;
                         overflow-wrap: break-word; }
  .strong td { font-weight: 650; background: #eef4fb; }
  form { margin: 1.1rem 0; }
  button { font: inherit; font-weight: 650; color: white; background: var(--model); border: 0; border-radius: 6px;
           padding: .8rem 1.2rem; min-height: 2.75rem; max-width: 100%; cursor: pointer; }
  button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
  img { display: block; width: 100%; max-width: 66rem; height: auto; }
  @media (max-width: 52rem) {
    main { padding: 1.4rem .9rem 4rem; }
    /* Drawn for the whole width of the page: narrower than this, their letters are too small to read. */
    img { width: 50rem; max-width: none; }
    th:first-child, td:first-child { position: sticky; left: 0; background: white; background-clip: padding-box; }
    .strong td:first-child { background-color: #eef4fb; }
    td:first-child { white-space: normal; min-width: 6.5rem; max-width: 9rem; }
    .words td { min-width: 5rem; max-width: 16rem; }
    .words td.long { min-width: 10rem; }
  }
  @media print { nav, form { display: none; } h2 { break-after: avoid; } img, table { break-inside: avoid; } }
</style>
"""
_TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ page.title }}</title>
{{ style }}
</head>
<body>
<main>
<h1>{{ page.title }}</h1>
<p class="subtitle">{{ page.subtitle }}</p>
<div class="verdict {{ page.outcome }}">
{% for sentence in page.verdict %}
<p>{{ sentence }}</p>
{% endfor %}
</div>
<nav>{% for section in page.sections %}<a href="#{{ section.anchor }}">{{ section.title }}</a> {% endfor %}</nav>
{% for section in page.sections %}
<section>
<h2 id="{{ section.anchor }}">{{ section.title }}</h2>
{% for paragraph in section.text %}
<p>{{ paragraph }}</p>
{% endfor %}
{% for block in section.blocks %}
{% if block is picture %}
<figure class="scroll" tabindex="0"><p class="hint"></p>
<img src="{{ block.source }}" alt="{{ block.alt }}"></figure>
{% elif block is form %}
<form method="post" action="{{ block.action }}" target="_blank" rel="noopener noreferrer">
{% for name, value in block.fields.items() %}
<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}
<button>{{ block.label }}</button>
</form>
{% else %}
<figure>
{% if block.caption %}
<figcaption>{{ block.caption }}</figcaption>
{% endif %}
<div class="scroll{% if block.words %} words{% endif %}" tabindex="0"><p class="hint"></p><table>
<thead><tr>{% for name in block.columns -%}
<th scope="col" class="{{ 'long' if name | length > 14 }}{{ ' text' if name in block.texts }}">{{ name }}</th>
{%- endfor %}</tr></thead>
<tbody>
{% for row in block.rows %}
{% set shades = block.shade[loop.index0] if block.shade is not none else none %}
<tr{% if loop.index0 in block.strong %} class="strong"{% endif %}>{% for cell in row -%}
<td class="{{ 'long' if cell | length > 24 }}{{ ' text' if block.columns[loop.index0] in block.texts }}"
{%- if shades is not none and not loop.first %} style="{{ shades[loop.index0 - 1] | shade }}"{% endif %}>
{{- cell }}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody>
</table></div></figure>
{% endif %}
{% endfor %}
{% for file in section.files %}
<p><a href="{{ file }}">Open {{ file }}</a></p>
{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""
