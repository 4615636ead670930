"""The log of experiments as a page that is sorted and filtered without a server."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from niftyformer_assets.portfolio.formatting import NONE, number, percent, readable_name
from niftyformer_assets.portfolio.report.page import STYLE
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.words import counted

# Texts of many words: the last columns, so that figures stand beside names.
LONG = ("verdict", "differs")
TEXTS = {*LONG, "experiment", "study", "finished", "train", "test", "model", "device", "code"}
HEADINGS = {
    "differs": "differs from the published setting in",
    "rank_ic": "rank IC",
    "rank_ic_t": "its t",
    "excess_return_equal_weight": "above equal weight",
    "sharpe": "Sharpe ratio",
    "sharpe_low": "95% from",
    "sharpe_high": "95% to",
    "finished": "finished (UTC)",
}
_TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Experiments of {{ workspace }}</title>
{{ style }}<style>
  th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--model); }
  th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
  input { font: inherit; padding: .35rem .6rem; width: min(30rem, 100%); }
  td { vertical-align: top; }
  td.long { white-space: normal; min-width: 60rem; overflow-wrap: break-word; }
</style>
</head>
<body>
<main>
<h1>Experiments of {{ workspace }}</h1>
<p class="subtitle">{{ said }}</p>
<p><label>Show those with all of these words: <input id="wanted" type="search" placeholder="ridge 2021"></label>
<span id="count"></span></p>
<div class="scroll" tabindex="0"><p class="hint"></p><table>
<thead><tr>{% for name, kind in columns -%}
<th scope="col" class="{{ kind }}"><button>{{ name }}</button></th>
{%- endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for shown, value in row -%}
<td data-value="{{ value }}" class="{{ columns[loop.index0][1] }}">{{ shown }}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
</main>
<script>
const body = document.querySelector("tbody"), rows = [...body.rows];
const wanted = document.getElementById("wanted"), count = document.getElementById("count");
function show() {
  const words = wanted.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    shown += !row.hidden;
  }
  count.textContent = words.length ? `${shown} of ${rows.length}` : "";
}
wanted.addEventListener("input", show);
document.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending";
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const of = row => row.cells[column].dataset.value;
  const number = rows.every(row => of(row) === "" || !isNaN(of(row)));
  rows.sort((one, other) => {
    const a = of(one), b = of(other);
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = number ? a - b : a.localeCompare(b);
    return down ? -order : order;
  });
  body.append(...rows);
}));
</script>
</body>
</html>
"""


def write_experiment_log(csv: Path, html: Path, table: pd.DataFrame, workspace: str) -> None:
    """Write both files."""
    write_text(csv, table.to_csv(index=False))
    write_text(html, log_page(table, workspace))


def log_page(table: pd.DataFrame, workspace: str) -> str:
    """The page; what has not been finished has no row."""
    from jinja2 import Environment
    from markupsafe import Markup

    table = table[[*(name for name in table.columns if name not in LONG), *LONG]]
    of_study = table["study"][table["study"] != ""]
    of_studies, studies = len(of_study), of_study.nunique()
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TEMPLATE)
    return page.render(
        workspace=workspace,
        style=Markup(STYLE),
        said=f"{counted(len(table), 'finished experiment')}"
        f"{f', {of_studies} of them of ' + counted(studies, 'study', 'studies') if studies else ''}. "
        "A column's name sorts by it.",
        columns=[(HEADINGS.get(name, readable_name(name)), _kind(name)) for name in table.columns],
        rows=[[_cell(name, value) for name, value in row.items()] for row in table.to_dict("records")],
    )


def _kind(name: str) -> str:
    return "text long" if name in LONG else "text" if name in TEXTS else ""


def _cell(name: object, value: object) -> tuple[str, str | float]:
    """What is shown, and what is sorted by; an empty text where there is nothing."""
    if isinstance(value, str):
        return value, value
    figure = float(value)  # type: ignore[arg-type]
    if math.isnan(figure):
        return NONE, ""
    if name == "excess_return_equal_weight":
        return percent(figure, signed=True), figure
    if name in ("seconds", "taken_over"):
        return number(figure, 0), figure
    return number(figure, 3 if name == "rank_ic" else 2, signed=True), figure
