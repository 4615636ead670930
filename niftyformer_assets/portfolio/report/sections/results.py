"""The sections of the report that say how well the model did; `report.py` says in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import RETURN, Label, session_labels
from niftyformer_assets.model.predictions import TARGET, of_label
from niftyformer_assets.portfolio.backtest.returns import YEAR
from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.evidence.metrics import drawdown, excess_span, monthly_returns
from niftyformer_assets.portfolio.formatting import (
    NONE,
    count,
    interval,
    number,
    p_value,
    percent,
    probability,
    readable_name,
    rupees,
)
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT, MODEL
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import money
from niftyformer_assets.portfolio.report.sections.traded import Traded
from niftyformer_assets.words import counted

# Where shading of the monthly table is full.
FULL_SHADE = 0.08
METRIC_NAMES = {
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "max_drawdown": "deepest drawdown",
    "calmar": "Calmar ratio",
    "excess_return": "return above the index",
    "excess_return_equal_weight": "return above equal weight",
    "ic": "IC",
    "rank_ic": "rank IC",
    "deflated_sharpe": "deflated Sharpe ratio",
    "p_sharpe": "p, by Sharpe ratio",
    "p_total_return": "p, by return",
}
# Which predictors come first in the table of errors.
REFERENCES = (MODEL, "zero", "majority")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def results(evidence: Evidence) -> Section:
    """The headline table and the three pictures of the money."""
    result = evidence.result
    curves = {
        MODEL: result.nav,
        EQUAL_WEIGHT: evidence.equal_weight.nav,
        **{f"{name}, no costs": nav for name, nav in evidence.indices.items()},
    }
    p = probability(evidence.figure("p_total_return"))
    p_sharpe = probability(evidence.figure("p_sharpe"))
    return Section(
        "Results",
        (
            f"Every predictor trades the same way, from {rupees(result.strategy.capital)}, in the same window "
            f"({result.dates[1]} to {result.dates[-1]}), after costs; only the indices bear none. On "
            f"{len(result.returns)} of its {counted(len(result.dates) - 1, 'session')} something can be earned: "
            "the first scores "
            f"trade at the {result.strategy.trade_at} of the first one. {_of_excess(len(result.returns))} "
            "Intervals are of 95%, by resampling blocks of sessions, for differences the same ones of both.",
            *evidence.index_notes,
        ),
        (
            headline_table(evidence),
            Picture(
                money.equity_picture(result.dates, curves, tuple(evidence.null.band())),
                "Growth of 100 rupees in the model, in equal weight and in the indices, over the band of random names.",
            ),
            Picture(
                money.null_picture(evidence.null.total_return, evidence.figure("total_return")),
                f"Returns of {counted(len(evidence.null.nav), 'portfolio')} under shuffled names, and the "
                f"strategy's: {p}; "
                f"by Sharpe ratio {p_sharpe}.",
            ),
            Picture(
                money.drawdown_picture(result.dates, {name: drawdown(nav) for name, nav in curves.items()}),
                "Drawdown of the same curves.",
            ),
        ),
    )


def _of_excess(sessions: int) -> str:
    if excess_span(sessions) == "year":
        return f"What one earned above another is the difference of their annual returns (geometric, {YEAR} sessions)."
    return "What one earned above another is the difference of their returns of the window, which is no whole year."


def headline_table(evidence: Evidence) -> Table:
    """The model beside the baselines and the benchmarks, best excess return first within each kind."""
    names = evidence.figures.drop_duplicates("name")
    order = names.assign(
        kind=names["kind"].map({"model": 0, "baseline": 1, "benchmark": 2}),
        excess=[evidence.figure("excess_return_equal_weight", name) for name in names["name"]],
    ).sort_values(["kind", "excess"], ascending=[True, False], kind="stable")
    a_year = excess_span(len(evidence.result.returns)) == "year"
    return Table(
        (
            "",
            "return of the window",
            *(("return a year", "above equal weight, a year") if a_year else ("above equal weight",)),
            "95% interval",
            "Sharpe ratio",
            "95% interval",
            "deepest drawdown",
            "turnover a year",
            "costs, of capital",
            "rank IC (t)",
        ),
        [_headline_row(evidence, str(name), a_year) for name in order["name"]],
        strong=frozenset({0}),
        caption=f"{counted(len(evidence.result.returns), 'session')} each. Rank IC: of the scores with the return "
        "from the first possible fill to one session later, its t as if sessions did not depend on each other.",
    )


def all_figures(evidence: Evidence) -> Section:
    """Every figure of the model, with its interval, t statistic and number of sessions."""
    write = {
        "share": lambda value: percent(value, 2),
        "rupees": rupees,
        "correlation": lambda value: number(value, 4),
        "probability": percent,
    }
    figures = evidence.figures
    rows = []
    for row in figures[figures["name"] == MODEL].to_dict("records"):
        told = p_value if row["metric"].startswith("p_") else write.get(row["unit"], number)
        spread = f"{told(row['low'])} to {told(row['high'])}" if np.isfinite(row["low"]) else NONE
        name = METRIC_NAMES.get(row["metric"], row["metric"].replace("_", " "))
        rows.append((name, told(row["value"]), spread, number(row["t"], 1), count(row["sessions"]), row["note"]))
    columns = ("figure", "value", "95% interval", "t", "sessions", "what it is")
    return Section("All figures of the model", (), (Table(columns, rows, words=True),))


def _headline_row(evidence: Evidence, name: str, a_year: bool) -> tuple[str, ...]:
    def value(metric: str, column: str = "value") -> float:
        return evidence.figure(metric, name, column)

    excess, rank_ic = "excess_return_equal_weight", value("rank_ic")
    capital = evidence.equal_weight.strategy.capital if name == EQUAL_WEIGHT else evidence.result.strategy.capital
    return (
        readable_name(name),
        percent(value("total_return"), signed=True),
        *((percent(value("annual_return"), signed=True),) if a_year else ()),
        percent(value(excess), signed=True),
        interval(value(excess, "low"), value(excess, "high"), share=True, digits=1),
        number(value("sharpe")),
        interval(value("sharpe", "low"), value("sharpe", "high"), digits=1),
        percent(value("max_drawdown")),
        NONE if np.isnan(value("turnover")) else f"{number(value('turnover'), 1)}×",
        percent(value("cost") / capital, 2),
        NONE if np.isnan(rank_ic) else f"{number(rank_ic, 3, signed=True)} ({number(value('rank_ic', 't'), 1)})",
    )


def predictions(evidence: Evidence, labels: Sequence[Label]) -> Section:
    """Mean absolute error and accuracy beside predict-zero and the majority class."""
    unit = labels[0].unit
    # The targets of the published setting.
    published = tuple(labels) == session_labels(RETURN, range(1, len(labels) + 1))
    alone = ("an error below 1.5 points or " if published else "") + "an accuracy above 52%"
    errors = evidence.errors
    blocks = []
    for part in [part for part in ("validation", "test") if (errors["split"] == part).any()]:
        rows = errors[errors["split"] == part]
        told = [label for label in labels if len(of_label(rows, _key(rows, label)))]
        columns = [""]
        for label in told:
            step = f"{label.name}, {label.step}" if TARGET in rows else label.step
            columns += [f"MAE {step}", f"accuracy {step}", f"rank IC {step} (t)"]
        table = []
        names = list(rows["baseline"].unique())
        names.sort(key=lambda name: REFERENCES.index(name) if name in REFERENCES else 3)
        for name in names:
            cells = [readable_name(name)]
            for label in told:
                cell = of_label(rows[rows["baseline"] == name], _key(rows, label))
                cells += _error_cells(cell.iloc[0], unit.scale) if len(cell) else [NONE] * 3
            table.append(cells)
        sessions, predicted = int(rows["sessions"].max()), int(rows["predictions"].max())
        caption = (
            f"{part.capitalize()}: {counted(sessions, 'session')}, {counted(predicted, 'prediction')} a horizon; "
            f"MAE in {unit.words}."
        )
        if any(label.sessions[0] == 1 for label in told):
            caption += " t+1 is the session after the prediction was made: it cannot be earned by trading at its close."
        blocks.append(Table(columns, table, caption=caption, strong=frozenset({0})))
    return Section(
        "Predictions",
        (
            "Predict-zero and the majority class of training are what an error or an accuracy must be held against: "
            f"by themselves, {alone} says nothing. Validation decided when training stopped, so its figures are no "
            "test results.",
        ),
        blocks,
    )


def _key(rows: pd.DataFrame, label: Label) -> str | int:
    return label.name if TARGET in rows else label.known_after


def _error_cells(row: pd.Series, scale: float) -> list[str]:
    ic = NONE
    if np.isfinite(row["rank_ic"]):
        ic = f"{number(row['rank_ic'], 3, signed=True)} ({number(row['rank_ic_t'], 1)})"
    return [number(row["mae"] * scale, 4), percent(row["accuracy"]), ic]


def months(evidence: Traded) -> Section:
    """The monthly table, and whether one month carries the result."""
    result, equal = evidence.result, evidence.equal_weight
    ours, theirs = (monthly_returns(each.nav, each.dates) for each in (result, equal))
    rows, shade = [], []
    for year, own, other in zip(ours.index, ours.to_numpy(), theirs.to_numpy(), strict=True):
        for name, values in ((str(year), own), (f"{year}, above equal weight", own - other)):
            rows.append([name, *(percent(value, signed=True) for value in values)])
            shade.append([value / FULL_SHADE for value in values])
    names, excess, ic = _by_month(evidence)
    better = int((excess > 1e-9).sum())
    return Section(
        "Month by month",
        (
            f"In {better} of {counted(len(names), 'calendar month')} the strategy did better than equal weight. A "
            "result that one "
            "month carries is not a result. Months at the edges of the window need not be whole.",
        ),
        (
            Table(("", *MONTHS, "year"), rows, shade=shade, caption="Return of each month after costs."),
            Picture(
                money.months_picture(names, excess, ic), "Excess return over equal weight and mean rank IC by month."
            ),
        ),
    )


def _by_month(evidence: Traded) -> tuple[list[str], np.ndarray, np.ndarray]:
    dates = evidence.result.dates
    month = pd.Series(dates[1:].astype("datetime64[M]").astype(str))
    curves = {"ours": evidence.result.nav, "equal": evidence.equal_weight.nav}
    growth = pd.DataFrame({name: nav[1:] / nav[:-1] for name, nav in curves.items()}).groupby(month).prod()
    made = pd.Series(dates.astype("datetime64[M]").astype(str))
    ic = pd.Series(evidence.rank_ic).groupby(made).mean().reindex(growth.index)
    return list(growth.index), (growth["ours"] - growth["equal"]).to_numpy(), ic.to_numpy()
