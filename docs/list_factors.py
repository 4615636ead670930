"""Writes the tables of the 158 and of the 93 factors in docs/factors.md from their catalogues.

python docs/list_factors.py
"""

from __future__ import annotations

from niftyformer_assets.factors.catalogue import FAMILIES, SHAPES, WINDOWS
from niftyformer_assets.factors.nse93.catalogue import GROUPS
from niftyformer_assets.settings import PROJECT

PAGE = PROJECT / "docs" / "factors.md"

HEADER = "| # | factor | formula | meaning | source | from session |"
HEADER_93 = "| # | group | factor | formula | meaning | source |"
# Where the idea of a family comes from, beside Qlib, which all 158 definitions are from.
_RSI, _AROON, _LINE = "relative strength index (Wilder 1978)", "Aroon (Chande 1995)", "linear regression on time"
IDEA = {
    **dict.fromkeys(SHAPES, "candlestick"),
    "ROC": "rate of change",
    "MA": "moving average",
    **dict.fromkeys(("BETA", "RSQR", "RESI"), _LINE),
    **dict.fromkeys(("MAX", "MIN"), "price channel (Donchian)"),
    **dict.fromkeys(("RANK", "CORR", "CORD"), "101 Formulaic Alphas (Kakushadze 2015)"),
    "RSV": "stochastic oscillator (Lane)",
    **dict.fromkeys(("IMAX", "IMIN", "IMXD"), _AROON),
    **dict.fromkeys(("CNTP", "CNTN", "CNTD"), "psychological line"),
    **dict.fromkeys(("SUMP", "SUMN", "SUMD"), _RSI),
    **dict.fromkeys(("VSUMP", "VSUMN", "VSUMD"), f"{_RSI}, of the volume"),
    "VMA": "moving average",
}

# First session of a stock, counted from 1, on which a family has a value (windows are partial).
FIRST_SESSION = dict.fromkeys(("STD", "BETA", "RSQR", "RESI", "VSTD", "CORR"), 2)
FIRST_SESSION |= dict.fromkeys(("SUMP", "SUMN", "SUMD", "VSUMP", "VSUMN", "VSUMD"), 2)
FIRST_SESSION |= dict.fromkeys(("WVMA", "CORD"), 3)


def table() -> str:
    """The 158 factors as a Markdown table."""
    lines = [HEADER, "|---:|---|---|---|---|---:|"]
    rows = [(name, formula, meaning, name, 1) for name, (formula, meaning) in SHAPES.items()]
    for family, (formula, meaning) in FAMILIES.items():
        for window in WINDOWS:
            first = window + 1 if family == "ROC" else FIRST_SESSION.get(family, 1)
            rows.append((f"{family}{window}", formula.format(d=window), meaning.format(d=window), family, first))
    for place, (name, formula, meaning, family, first) in enumerate(rows, start=1):
        source = f"Qlib; {IDEA[family]}" if family in IDEA else "Qlib"
        cells = (str(place), name, formula.replace("|", "\\|"), meaning, source, str(first))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table_93() -> str:
    """The 93 factors as a Markdown table."""
    lines = [HEADER_93, "|---:|---|---|---|---|---|"]
    rows = [(group, name, entry) for group, entries in GROUPS.items() for name, entry in entries.items()]
    for place, (group, name, entry) in enumerate(rows, start=1):
        cells = (str(place), group, name, entry.formula.replace("|", "\\|"), entry.meaning, entry.source)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with the tables as they should be."""
    text = PAGE.read_text(encoding="utf-8")
    for header, written in ((HEADER, table()), (HEADER_93, table_93())):
        before, after = text.split(header)
        text = before + written + after[after.index("\n\n") + 1 :]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
