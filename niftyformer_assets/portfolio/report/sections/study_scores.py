"""The sections of a study's report that say when and among which stocks the scores were right."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.settings import MIN_STOCKS_OF_GROUP
from niftyformer_assets.portfolio.evidence.pooled.evidence import (
    NO_WINDOW,
    WINDOW_OF_SESSION,
    YEAR_OF_SESSION,
    PooledEvidence,
)
from niftyformer_assets.portfolio.evidence.pooled.ranking import ALL
from niftyformer_assets.portfolio.evidence.pooled.verdict import named
from niftyformer_assets.portfolio.evidence.score_quality import MIN_WINDOWS
from niftyformer_assets.portfolio.formatting import NONE, count, number, percent, readable_name
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import scores as pictures
from niftyformer_assets.portfolio.report.pictures import study
from niftyformer_assets.portfolio.report.sections.scores import deciles_pictures
from niftyformer_assets.portfolio.report.sections.study_results import with_t
from niftyformer_assets.words import counted

ORDERS = {SIZE: ("large third", "middle third", "small third")}
DIVISIONS = (YEAR_OF_SESSION, WINDOW_OF_SESSION, SECTOR, SIZE, ALL)


def scores(evidence: PooledEvidence) -> Section:
    """Rank IC by session, by year and by horizon, beside the plain ones."""
    beside = [evidence.main, *_plain(evidence)]
    by_year = _wide(evidence, YEAR_OF_SESSION, beside)
    horizons = evidence.ranking[(evidence.ranking["breakdown"] == ALL) & evidence.ranking["earnable"]]
    by_horizon = horizons.pivot_table(index="horizon", columns="name", values="rank_ic", sort=False)
    return Section(
        "Scores and what they earned",
        (
            "Rank IC is the rank correlation across stocks of a session's scores with what the stocks then earned from "
            "the first possible fill. A score's return may end in a later window or after the last one; only scores "
            "whose return is not known yet are left out.",
        ),
        (
            Picture(
                pictures.ic_picture(evidence.dates, evidence.daily[evidence.main].step),
                "Rank IC of each session, its moving mean, and its running sum.",
            ),
            Picture(
                study.grouped_picture(
                    "Mean rank IC by year, on the first session that can be earned",
                    list(by_year.index),
                    {readable_name(name): by_year[name].to_numpy() for name in beside},
                ),
                "Mean rank IC of the judged model and of the plain ones in each calendar year.",
            ),
            years_table(evidence, beside),
            Picture(
                study.grouped_picture(
                    "Mean rank IC by how long a stock is held",
                    [str(horizon) for horizon in by_horizon.index],
                    {readable_name(name): by_horizon[name].to_numpy() for name in beside if name in by_horizon},
                    "sessions from the first possible fill",
                ),
                "Mean rank IC of the judged model and of the plain ones by sessions held.",
            ),
            horizons_table(evidence),
            *deciles_pictures(evidence.deciles),
        ),
    )


def _plain(evidence: PooledEvidence) -> list[str]:
    """The baselines, best rank IC first."""
    names = [each.name for each in evidence.contenders if each.kind == "baseline" and each.name != evidence.main]
    return sorted(names, key=lambda name: (-evidence.figure("rank_ic", name), name))


def _wide(evidence: PooledEvidence, breakdown: str, names: list[str]) -> pd.DataFrame:
    """Mean rank IC: index the groups, a column a contender."""
    rows = evidence.ranking[evidence.ranking["breakdown"] == breakdown]
    wide = rows.pivot_table(index="group", columns="name", values="rank_ic", sort=False, dropna=False)
    return wide.reindex(columns=names)


def years_table(evidence: PooledEvidence, names: list[str]) -> Table:
    """Rank IC of each year, and what the judged one earned in it."""
    rank = evidence.ranking[evidence.ranking["breakdown"] == YEAR_OF_SESSION]
    money = evidence.parts[
        (evidence.parts["breakdown"] == YEAR_OF_SESSION) & (evidence.parts["name"] == evidence.main)
    ].set_index("group")
    rows = []
    for year in rank["group"].unique():
        of_year = rank[rank["group"] == year].set_index("name")
        cells = [with_t(of_year.loc[name, "rank_ic"], of_year.loc[name, "t"]) for name in names]
        own = money.loc[year]
        rows.append(
            (
                str(year),
                count(int(of_year.loc[evidence.main, "sessions"])),
                *cells,
                percent(of_year.loc[evidence.main, "positive"], 0),
                percent(own["return"], signed=True),
                number(own["sharpe"]),
            )
        )
    columns = ("year", "sessions", *map(readable_name, names), "share of days above 0", "return", "Sharpe ratio")
    return Table(
        columns,
        rows,
        caption=f"Mean rank IC (t) of each calendar year; share of days, return and Sharpe ratio of "
        f"{readable_name(evidence.main)}. Years at the edges need not be whole.",
    )


def horizons_table(evidence: PooledEvidence) -> Table:
    """Rank IC by sessions held, of all but single seeds; the step that is too early beside it."""
    rank = evidence.ranking[(evidence.ranking["breakdown"] == ALL)]
    rank = rank[(rank["kind"] != "seed") | (rank["name"] == evidence.main)]
    names = list(dict.fromkeys([evidence.main, *_plain(evidence), *rank["name"]]))
    steps = rank[["horizon", "earnable"]].drop_duplicates().to_dict("records")
    at = evidence.result.strategy.trade_at
    rows = []
    for step in steps:
        of_step = rank[(rank["horizon"] == step["horizon"]) & (rank["earnable"] == step["earnable"])].set_index("name")
        own = of_step.loc[evidence.main]
        title = (
            f"{step['horizon']}, {at} of t+1 to t+{1 + step['horizon']}"
            if step["earnable"]
            else "t to t+1, not earnable"
        )
        rows.append(
            (
                title,
                *(with_t(of_step.loc[name, "rank_ic"], of_step.loc[name, "t"]) for name in names),
                number(own["t_needed"]),
                with_t(own["ic"], own["ic_t"]),
                number(own["icir"], 2, signed=True),
                percent(own["positive"], 0),
                count(int(own["sessions"])),
            )
        )
    columns = (
        "sessions held",
        *map(readable_name, names),
        "|t| needed",
        "plain IC (t)",
        "ICIR",
        "days above 0",
        "sessions",
    )
    return Table(
        columns,
        rows,
        caption="Mean rank IC (t by Newey and West, over at least as many lags as the horizon) by how long a stock is "
        "held. Chance alone exceeds the |t| needed in about 5% of cases (up to 11% at long horizons); below "
        f"{MIN_WINDOWS} windows that do not overlap there is none. The last columns are of "
        f"{readable_name(evidence.main)}; plain IC is Pearson's, of the scores themselves. "
        "The first row is the step from the close at which a score is made: "
        "nobody can earn it.",
    )


def regimes(evidence: PooledEvidence) -> Section:
    """Rank IC in different kinds of market, as known at the session's close."""
    rank = evidence.ranking[~evidence.ranking["breakdown"].isin(DIVISIONS)]
    blocks = [breakdown_table(evidence, str(name)) for name in dict.fromkeys(rank["breakdown"])]
    return Section(
        "Kinds of market",
        (
            "All as it was known at the close of the score's session. Thirds of the NIFTY 50's trailing 60-session "
            "return and deviation are told against all sessions before; nothing that came later counts. Many parts are "
            "looked at here: by chance alone one in twenty has a |t| above 2.",
        ),
        blocks,
    )


def groups(evidence: PooledEvidence) -> Section | None:
    """Among which stocks the scores were right; None without sectors and sizes."""
    blocks = [breakdown_table(evidence, name) for name in (SECTOR, SIZE) if name in set(evidence.ranking["breakdown"])]
    if not blocks:
        return None
    return Section(
        "Among which stocks",
        (
            "Rank IC among a group's own stocks, on sessions with at least "
            f"{MIN_STOCKS_OF_GROUP} of them; sector and size third as known at the session.",
        ),
        blocks,
    )


def breakdown_table(evidence: PooledEvidence, breakdown: str) -> Table:
    """Rank IC of the judged one and of whom it is held against, in each part of a division."""
    rank = evidence.ranking[evidence.ranking["breakdown"] == breakdown]
    names = list(dict.fromkeys([evidence.main, *([evidence.against] if evidence.against else [])]))
    present = list(dict.fromkeys(rank["group"]))
    order = [group for group in ("low", "middle", "high", *ORDERS.get(breakdown, ())) if group in present]
    rows = []
    for group in [*order, *(group for group in present if group not in order)]:
        of_group = rank[rank["group"] == group].set_index("name")
        own = of_group.loc[evidence.main]
        if not own["sessions"]:
            continue
        rows.append(
            (
                str(group),
                count(int(own["sessions"])),
                *(with_t(of_group.loc[name, "rank_ic"], of_group.loc[name, "t"]) for name in names),
                percent(own["positive"], 0),
            )
        )
    return Table(
        (breakdown, "sessions", *(f"{readable_name(name)}, rank IC (t)" for name in names), "days above 0"), rows
    )


def windows(evidence: PooledEvidence) -> Section:
    """What each window contributed, and which are missing."""
    rank = evidence.ranking[
        (evidence.ranking["breakdown"] == WINDOW_OF_SESSION) & (evidence.ranking["name"] == evidence.main)
    ].set_index("group")
    other = evidence.ranking[
        (evidence.ranking["breakdown"] == WINDOW_OF_SESSION) & (evidence.ranking["name"] == evidence.against)
    ].set_index("group")
    parts = evidence.parts[evidence.parts["breakdown"] == WINDOW_OF_SESSION]
    own = parts[parts["name"] == evidence.main].set_index("group")
    of_session = evidence.divisions[WINDOW_OF_SESSION]
    equal = _window_returns(evidence)
    names = [name for name in dict.fromkeys(of_session) if name != NO_WINDOW]
    rows = []
    for name in names:
        dates = evidence.dates[of_session == name]
        rows.append(
            (
                str(name),
                f"{dates[0]} to {dates[-1]}",
                count(len(dates)),
                with_t(rank.loc[name, "rank_ic"], rank.loc[name, "t"]),
                with_t(other.loc[name, "rank_ic"], other.loc[name, "t"]) if name in other.index else NONE,
                percent(own.loc[name, "return"], signed=True),
                percent(equal[name], signed=True),
                percent(own.loc[name, "exposure"]),
            )
        )
    excess = np.array([own.loc[name, "return"] - equal[name] for name in names])
    said = [f"{counted(len(names), 'window')}: a result that one of them carries is not a result."]
    if evidence.missing:
        said.append(f"Still missing: {named(evidence.missing, 40)}.")
    columns = (
        "window",
        "test sessions",
        "sessions",
        "rank IC (t)",
        evidence.against_in_words.removeprefix("the "),
        "return",
        "equal weight",
        "invested",
    )
    return Section(
        "Windows",
        said,
        (
            Picture(
                study.windows_picture(names, rank.loc[names, "rank_ic"].to_numpy(), excess),
                "Mean rank IC, and return above the equal-weight universe, of each window.",
            ),
            Table(columns, rows, caption="Returns are of the one equity curve within the window's sessions."),
        ),
    )


def _window_returns(evidence: PooledEvidence) -> dict[str, float]:
    """Of the equal-weight universe."""
    returns = evidence.equal_weight.returns
    window = evidence.divisions[WINDOW_OF_SESSION][len(evidence.dates) - len(returns) :]
    return {str(name): float(np.prod(1 + returns[window == name]) - 1) for name in np.unique(window)}
