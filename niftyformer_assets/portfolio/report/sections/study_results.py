"""The sections of a study's report that say how well its models did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.evidence.metrics import drawdown, excess_span
from niftyformer_assets.portfolio.evidence.pooled.contenders import POINT
from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence, is_seed
from niftyformer_assets.portfolio.evidence.pooled.paired import HELD, rank_ic_apart
from niftyformer_assets.portfolio.evidence.pooled.ranking import STEP
from niftyformer_assets.portfolio.formatting import NONE, interval, number, p_value, percent, readable_name, rupees
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import money, study
from niftyformer_assets.words import counted

KINDS = {"model": "model", "seed": "one seed", "ensemble": "ensemble", "baseline": "plain", "benchmark": "benchmark"}
OVER_EQUAL = "excess_return_equal_weight"


def results(evidence: PooledEvidence) -> Section:
    """The equity curves, and everybody's headline figures."""
    result = evidence.result
    curves = {readable_name(evidence.main): result.nav}
    if evidence.against and evidence.against != evidence.main:
        told = "to beat" if evidence.named else "best plain"
        curves[f"{told}: {readable_name(evidence.against)}"] = evidence.results[evidence.against].nav
    curves[EQUAL_WEIGHT] = evidence.equal_weight.nav
    curves |= {f"{name}, no costs": nav for name, nav in evidence.indices.items()}
    return Section(
        "Results",
        (
            f"Every window's own model makes the scores of its test sessions; they are joined and traded once, from "
            f"{rupees(result.strategy.capital)}, {result.dates[0]} to {result.dates[-1]}, after costs, so holdings "
            "carry over from window to window. What has no place in the next window's universe is sold at its first "
            "fill. All contenders have the same sessions; intervals are of 95%, by resampling blocks of sessions.",
            *evidence.notes,
        ),
        (
            Picture(
                money.equity_picture(result.dates, curves),
                f"Growth of 100 rupees in the judged model, {evidence.against_in_words}, equal weight and the indices.",
            ),
            Picture(
                money.drawdown_picture(result.dates, {name: drawdown(nav) for name, nav in curves.items()}),
                "Drawdown of the same curves.",
            ),
            headline_table(evidence),
        ),
    )


def headline_table(evidence: PooledEvidence) -> Table:
    """Everybody, the judged one first, then by rank IC."""
    kinds = {contender.name: contender.kind for contender in evidence.contenders}
    names = sorted(kinds, key=lambda name: (name != evidence.main, -evidence.figure("rank_ic", name), name))
    benchmarks = [EQUAL_WEIGHT, *evidence.indices]
    when = " a year" if excess_span(len(evidence.result.returns)) == "year" else ""
    columns = (
        "",
        "what it is",
        "rank IC (t)",
        f"return{when}" if when else "annual return, extrapolated",
        f"above equal weight{when}",
        "95% interval",
        "Sharpe ratio",
        "95% interval",
        "alpha a year (t)",
        "beta",
        "deepest drawdown",
        "turnover a year",
        "costs, of capital",
    )
    rows = [_headline_row(evidence, name, KINDS[kinds[name]]) for name in names]
    rows += [_headline_row(evidence, name, KINDS["benchmark"]) for name in benchmarks]
    caption = (
        "Rank IC is that of the first session that can be earned, from the first possible fill; t by Newey and West. "
        f"Alpha and beta are to {evidence.benchmark}."
        if evidence.benchmark
        else "Rank IC is that of the first session that can be earned; t by Newey and West."
    )
    return Table(columns, rows, caption=caption, strong=frozenset({0}), texts=frozenset({"what it is"}))


def _headline_row(evidence: PooledEvidence, name: str, kind: str) -> tuple[str, ...]:
    def value(metric: str, column: str = "value") -> float:
        return evidence.figure(metric, name, column)

    capital = (evidence.results.get(name) or evidence.equal_weight).strategy.capital
    return (
        readable_name(name),
        kind,
        with_t(value("rank_ic"), value("rank_ic", "t")),
        percent(value("annual_return"), signed=True),
        percent(value(OVER_EQUAL), signed=True),
        interval(value(OVER_EQUAL, "low"), value(OVER_EQUAL, "high"), share=True, digits=1),
        number(value("sharpe")),
        interval(value("sharpe", "low"), value("sharpe", "high"), digits=1),
        NONE
        if np.isnan(value("alpha"))
        else f"{percent(value('alpha'), signed=True)} ({number(value('alpha', 't'), 1)})",
        number(value("beta")),
        percent(value("max_drawdown")),
        NONE if np.isnan(value("turnover")) else f"{number(value('turnover'), 1)}×",
        percent(value("cost") / capital, 1),
    )


def with_t(rank_ic: float, t: float) -> str:
    """`+0.034 (2.7)`."""
    told = number(rank_ic, 3, signed=True)
    return f"{told} ({number(t, 1)})" if told != NONE and np.isfinite(t) else told


def against(evidence: PooledEvidence) -> Section:
    """Paired differences to the best plain contender, or the one that the study names."""
    title = f"Against {evidence.against_in_words}"
    if not evidence.against:
        return Section(title, ("There is no plain model in this study: nothing says what a simpler one would do.",))
    table = evidence.paired.sort_values("rank_ic_difference", ascending=False, kind="stable")
    rows = [
        (
            readable_name(row["name"]),
            with_t(row["rank_ic_difference"], row["rank_ic_t"]),
            p_value(row["rank_ic_p"]),
            p_value(row["rank_ic_p_holm"]),
            with_t(row["held_difference"], row["held_t"]),
            percent(row["return_difference"], signed=True),
            interval(row["return_low"], row["return_high"], share=True, digits=1),
            p_value(row["return_p"]),
            p_value(row["return_p_holm"]),
        )
        for row in table.to_dict("records")
    ]
    columns = (
        "",
        "rank IC more (t)",
        "p",
        "p, all compared",
        f"over {HELD} sessions (t)",
        "return more",
        "95% interval",
        "p",
        "p, all compared",
    )
    ours = [place for place, name in enumerate(table["name"]) if name == evidence.main]
    return Section(
        title,
        (
            f"{_whom(evidence)} Differences are taken "
            "session by session, so that what both share is no uncertainty of theirs: of rank IC with t by Newey and "
            "West, of returns by resampling the same blocks of both. The p values of all that are not plain are "
            "adjusted for their number (Holm).",
        ),
        (Table(columns, rows, strong=frozenset(ours)),) if rows else (),
    )


def _whom(evidence: PooledEvidence) -> str:
    told = readable_name(evidence.against)
    if evidence.named:
        return f"The study's file names the one to beat: {told}."
    return f"The plain one with the highest mean rank IC is {told}."


def grid(evidence: PooledEvidence) -> Section | None:
    """The points beside each other, of a grid or named; None where nothing varies."""
    models = [contender for contender in evidence.contenders if contender.kind == "model"]
    settings = list(dict.fromkeys(key for contender in models for key in contender.point if not is_seed(key)))
    settings = [key for key in settings if len({str(contender.point.get(key)) for contender in models}) > 1]
    if not settings:
        return None
    points = pd.DataFrame(
        [
            {
                **{key: str(contender.point.get(key)) for key in settings},
                "name": contender.name,
                "rank_ic": evidence.figure("rank_ic", contender.name),
                "rank_ic_t": evidence.figure("rank_ic", contender.name, "t"),
                "over_equal": evidence.figure(OVER_EQUAL, contender.name),
                "sharpe": evidence.figure("sharpe", contender.name),
            }
            for contender in models
        ]
    )
    said = (
        "Whoever picks the best of these has searched: its figures are no test results. How much of the choice is luck "
        "is under multiple testing."
    )
    picture = _heatmap(points, settings)
    beside = evidence.main if evidence.main in set(points["name"]) else ""
    rows = [
        (
            *(str(row[key]) for key in settings),
            with_t(row["rank_ic"], row["rank_ic_t"]),
            *(
                (_apart(evidence, row["name"], beside, STEP), _apart(evidence, row["name"], beside, HELD))
                * bool(beside)
            ),
            percent(row["over_equal"], signed=True),
            number(row["sharpe"]),
        )
        for row in points.sort_values("rank_ic", ascending=False, kind="stable").to_dict("records")
    ]
    more = ("more than the judged one (t)", f"over {HELD} sessions (t)") * bool(beside)
    table = Table((*settings, "rank IC (t)", *more, "above equal weight", "Sharpe ratio"), rows)
    shown = (picture, table) if picture and settings != [POINT] else (table,)
    return Section("The points" if settings == [POINT] else "The grid", (said,), shown)


def _apart(evidence: PooledEvidence, name: str, other: str, sessions: int) -> str:
    """How much more the one's rank IC is than the other's, of what so many sessions held bring."""
    if name == other:
        return NONE
    apart = rank_ic_apart(evidence.daily[name], evidence.daily[other], sessions)
    return with_t(apart["mean"], apart["t_nw"])


def _heatmap(points: pd.DataFrame, settings: list[str]) -> Picture | None:
    """Of one or two settings, each point once; None otherwise."""
    if len(settings) > 2 or points.duplicated(settings).any():
        return None
    columns = list(dict.fromkeys(points[settings[-1]]))
    rows = list(dict.fromkeys(points[settings[0]])) if len(settings) == 2 else [""]
    panels = {}
    for figure, title in (("rank_ic", "Mean rank IC"), ("sharpe", "Sharpe ratio")):
        values = np.full((len(rows), len(columns)), np.nan)
        for point in points.to_dict("records"):
            row = rows.index(point[settings[0]]) if len(settings) == 2 else 0
            values[row, columns.index(point[settings[-1]])] = point[figure]
        panels[title] = values
    names = (settings[0] if len(settings) == 2 else "", settings[-1])
    told = f"Mean rank IC and Sharpe ratio at {counted(len(points), 'point')} of {' and '.join(settings)}."
    return Picture(study.grid_picture([str(row) for row in rows], [str(c) for c in columns], names, panels), told)


def seeds(evidence: PooledEvidence) -> Section | None:
    """What another seed would have given; None without several."""
    table = evidence.seeds
    if table.empty:
        return None
    figures = {
        figure: [np.array([evidence.figure(figure, name) for name in names]) for names in evidence.seed_groups.values()]
        for figure in ("rank_ic", "sharpe")
    }
    labels = [str(name) or "all settings alike" for name in table["point"]]
    rows = [
        (
            label,
            str(row["seeds"]),
            number(row["rank_ic_mean"], 3, signed=True),
            number(row["rank_ic_std"], 3),
            interval(row["rank_ic_low"], row["rank_ic_high"], digits=3),
            number(row["sharpe_mean"]),
            number(row["sharpe_std"]),
            interval(row["sharpe_low"], row["sharpe_high"]),
        )
        for label, row in zip(labels, table.to_dict("records"), strict=True)
    ]
    columns = ("", "seeds", "mean rank IC", "deviation", "from, to", "mean Sharpe ratio", "deviation", "from, to")
    return Section(
        "Spread over seeds",
        (
            "The same settings trained from other starting weights. A difference between settings that is no larger "
            "than this spread is no difference.",
        ),
        (
            Picture(
                study.seeds_picture(labels, figures["rank_ic"], figures["sharpe"]),
                "Rank IC and Sharpe ratio of each seed, and their means.",
            ),
            Table(columns, rows),
        ),
    )
