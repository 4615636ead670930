"""The comparison as a page: what it allows one to say first, then the tables."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.evidence.verdict import SPAN_NAMES, against_baseline
from niftyformer_assets.portfolio.formatting import (
    NONE,
    interval,
    number,
    p_value,
    percent,
    readable_name,
)
from niftyformer_assets.portfolio.names import MODEL
from niftyformer_assets.portfolio.report.comparison import EXCESS, Comparison
from niftyformer_assets.portfolio.report.page import Page, Picture, Section, Table, render
from niftyformer_assets.portfolio.report.pictures.comparison import ranking_picture
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.words import counted

BETTER = "better than random"
# Columns of words.
TEXTS = frozenset({"experiment", "verdict", "window", "kind"})


def write_comparison(csv: Path, html: Path, comparison: Comparison) -> None:
    """Write comparison.csv and comparison.html."""
    write_text(csv, comparison.table.to_csv(index=False))
    write_text(html, render(comparison_page(comparison)))


def comparison_page(comparison: Comparison) -> Page:
    """The page of `comparison.html`."""
    table = comparison.table
    models = table[table["name"] == MODEL]
    sections = []
    if len(table):
        above = Picture(picture(comparison), "Return above equal weight with its interval, one line a predictor.")
        sections += [
            Section("Models", (), (*_models(models), above)),
            Section(
                "Everything, ranked",
                (
                    "By return above the equal-weight universe of the same sessions, which stands at zero: the "
                    "difference of annual returns, or of the returns of a window that is shorter than a year. The "
                    "order of two rows whose intervals overlap widely says little.",
                    *_windows(table),
                ),
                (_everything(_merged(table)),),
            ),
            *_settings(comparison),
        ]
    if comparison.without_report:
        rows = sorted(comparison.without_report.items())
        sections.append(Section("Without a report", (), (Table(("experiment", "why"), rows, words=True),)))
    return Page(
        title="Comparison of experiments",
        subtitle=f"{len(models)} with a report, {len(comparison.without_report)} without",
        verdict=sentences(comparison),
        outcome="good" if _better(comparison) else "none",
        sections=sections,
    )


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """What the comparison allows one to say, the most important first."""
    table = comparison.table
    models = table[table["name"] == MODEL]
    said = []
    if len(models):
        if better := _better(comparison):
            said.append(
                f"Better than random scores at the 95% level, without reservations: {', '.join(better)}, of "
                f"{counted(len(models), 'model')}."
            )
        elif len(models) == 1:
            said.append(f"{models['experiment'].iloc[0]}: {models['verdict'].iloc[0]}.")
        else:
            said.append(
                f"None of {len(models)} models is better than random scores at the 95% level without reservations."
            )
        best = models.iloc[0]
        said.append(f"The best model is that of {best['experiment']}: {_above(best)}.")
        said.append(against_baseline(comparison.standings[str(best["experiment"])]))
        tried = int(models["variants_now"].max())
        if tried > 1:
            said.append(
                f"Up to {counted(tried, 'model')} were tried on overlapping sessions; by its report, which counted "
                f"{best['variants']:.0f}, the probability that the best model's true Sharpe ratio beats the luck of "
                f"so many is {percent(best['deflated_sharpe'])}. To pick the best of a table is to search: its figures "
                "are no test results."
            )
        if len(outdated := comparison.outdated):
            told = ", ".join(
                f"{row['experiment']} (counted {row['variants']:.0f}, by now {row['variants_now']:.0f})"
                for _, row in outdated.iterrows()
            )
            said.append(
                f"More variants have been tried since these reports were made, so their verdicts are outdated: {told}. "
                "Materialize backtest_report again for each."
            )
    else:
        said.append("No experiment has a report yet.")
    if comparison.without_report:
        said.append(f"Without a report: {', '.join(sorted(comparison.without_report))}.")
    return tuple(sentence for sentence in said if sentence)


def _better(comparison: Comparison) -> list[str]:
    """Experiments whose report, having counted all that was tried, calls the model better without reservations."""
    models = comparison.table[comparison.table["name"] == MODEL]
    counted = models[~models.index.isin(comparison.outdated.index)]
    return list(counted.loc[counted["verdict"] == BETTER, "experiment"])


def picture(comparison: Comparison) -> bytes:
    """Return above equal weight of each row with its interval, as PNG."""
    shown = _merged(comparison.table)
    shown = shown[shown[f"{EXCESS}_low"].notna()]
    names = [
        f"{readable_name(name)} · {experiment}"
        for name, experiment in zip(shown["name"], shown["experiment"], strict=True)
    ]
    value, low, high = (shown[column].to_numpy(dtype=float) for column in (EXCESS, f"{EXCESS}_low", f"{EXCESS}_high"))
    return ranking_picture(names, value, low, high, (shown["name"] == MODEL).to_numpy())


def _above(row: pd.Series) -> str:
    spread = interval(row[f"{EXCESS}_low"], row[f"{EXCESS}_high"], share=True, digits=1)
    return (
        f"{number(100 * row[EXCESS], 1, signed=True)} percentage points {SPAN_NAMES[row['excess_span']]} against equal "
        f"weight (95% interval {spread}), {row['verdict']}, over {counted(row['sessions'], row['part'] + ' session')}"
    )


def _windows(table: pd.DataFrame) -> tuple[str, ...]:
    if len(table.drop_duplicates(["first_session", "last_session"])) == 1:
        return ()
    return ("The experiments have different windows: only rows of the same window saw the same market.",)


def _models(models: pd.DataFrame) -> tuple[Table, Table]:
    above_name, aboves = _excess(models)
    earned = [
        (
            str(row["experiment"]),
            str(row["verdict"]),
            f"{row['first_session']} to {row['last_session']}",
            str(row["sessions"]),
            percent(row["total_return"], signed=True),
            above,
            interval(row[f"{EXCESS}_low"], row[f"{EXCESS}_high"], share=True, digits=1),
            p_value(row["p_total_return"]),
        )
        for (_, row), above in zip(models.iterrows(), aboves, strict=True)
    ]
    told = [
        (
            str(row["experiment"]),
            number(row["sharpe"]),
            interval(row["sharpe_low"], row["sharpe_high"], digits=1),
            f"{percent(row['deflated_sharpe'])} ({row['variants']:.0f})",
            f"{row['variants_now']:.0f}",
            _ic(row),
            f"{number(row['mae'], 5)} / {number(row['mae_of_zero'], 5)}",
            f"{percent(row['accuracy'])} / {percent(row['accuracy_of_majority'])}",
        )
        for _, row in models.iterrows()
    ]
    earned_columns = (
        "experiment", "verdict", "window", "sessions", "return of the window", above_name,
        "95% interval", "p against random names",
    )  # fmt: skip
    told_columns = (
        "experiment", "Sharpe ratio", "95% interval", "beats the luck of those tried (how many)", "tried by now",
        "rank IC (t)", "MAE / of zero", "accuracy / of majority",
    )  # fmt: skip
    return (
        Table(earned_columns, earned, caption="Best return above equal weight first.", texts=TEXTS),
        Table(told_columns, told, caption="MAE and accuracy are of the last step predicted."),
    )


def _settings(comparison: Comparison) -> list[Section]:
    """What the experiments do not share, side by side; nothing where there is one."""
    if len(comparison.settings) < 2:
        return []
    differing = comparison.differing()
    unknown = sorted(name for name, settings in comparison.settings.items() if not settings)
    said = [f"Those that differ, of {len(differing.columns)} experiments, as they were when the reports were made."]
    if not len(differing):
        said = ["No setting differs."]
    if unknown:
        said.append(
            f"Not known, because their reports are of an earlier version: {', '.join(unknown)}. Materialize "
            "backtest_report again for each."
        )
    rows = [(str(setting), *(_setting(value) for value in row)) for setting, *row in differing.itertuples()]
    tables = (Table(("setting", *differing.columns), rows),) if rows else ()
    return [Section("Settings side by side", said, tables)]


def _setting(value: Any) -> str:
    """A value as it would stand in the experiment's file; a dash where it is not in it."""
    if isinstance(value, float) and math.isnan(value):
        return NONE
    return value if isinstance(value, str) else json.dumps(value)


def _excess(table: pd.DataFrame) -> tuple[str, list[str]]:
    """Heading and cells of the return above equal weight; the span stands in the heading where all share it."""
    spans = [SPAN_NAMES[span] for span in table["excess_span"]]
    told = [percent(value, signed=True) for value in table[EXCESS]]
    if len(set(spans)) == 1:
        return f"above equal weight, {spans[0]}", told
    return "above equal weight", [f"{value} {span}" for value, span in zip(told, spans, strict=True)]


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    """One row where a baseline or benchmark is the same in several experiments, all of which it names."""
    same = ["name", "kind", "first_session", "last_session", "total_return", "sharpe", EXCESS]
    models = table["name"] == MODEL
    others = table[~models].fillna({"sharpe": np.inf}).groupby(same, sort=False)
    named = others["experiment"].agg(
        lambda names: ", ".join(names) if len(names) < 4 else counted(len(names), "experiment")
    )
    first = table.loc[others["rank"].idxmin()].assign(experiment=named.to_numpy())
    return pd.concat([table[models], first]).sort_values("rank", ignore_index=True)


def _everything(table: pd.DataFrame) -> Table:
    above_name, aboves = _excess(table)
    rows = [
        (
            f"{place}. {readable_name(str(row['name']))}",
            str(row["experiment"]),
            str(row["kind"]),
            percent(row["total_return"], signed=True),
            above,
            interval(row[f"{EXCESS}_low"], row[f"{EXCESS}_high"], share=True, digits=1),
            number(row["sharpe"]),
            interval(row["sharpe_low"], row["sharpe_high"], digits=1),
            percent(row["max_drawdown"]),
            _ic(row),
            str(row["sessions"]),
        )
        for place, ((_, row), above) in enumerate(zip(table.iterrows(), aboves, strict=True), start=1)
    ]
    columns = (
        "", "experiment", "kind", "return of the window", above_name, "95% interval",
        "Sharpe ratio", "95% interval", "deepest drawdown", "rank IC (t)", "sessions",
    )  # fmt: skip
    strong = frozenset(np.flatnonzero(table["name"] == MODEL).tolist())
    return Table(columns, rows, strong=strong, texts=TEXTS)


def _ic(row: pd.Series) -> str:
    if not np.isfinite(row["rank_ic"]):
        return NONE
    return f"{number(row['rank_ic'], 3, signed=True)} ({number(row['rank_ic_t'], 1)})"
