"""The section of the report that says what the scores are worth, apart from how they were traded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.settings import MIN_STOCKS_OF_GROUP
from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.evidence.score_quality import MIN_WINDOWS, NO_SIZE, SIZES
from niftyformer_assets.portfolio.formatting import NONE, count, number, percent
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import scores as pictures
from niftyformer_assets.words import counted

GROUP_NAMES = {
    SECTOR: "Sectors as the index lists had them on the session.",
    SIZE: "Thirds by size (log of close × 60-session mean volume), anew each session.",
}


def scores(evidence: Evidence) -> Section:
    """Do better scores earn more, for how long, and among which stocks?"""
    tradable = evidence.coefficients["rank_ic"].dropna()
    early = evidence.too_early["rank_ic"].dropna()
    said = (
        f"Mean rank IC {number(tradable.mean(), 3, signed=True)} over {counted(len(tradable), 'session')} on the "
        "step that can be "
        f"traded, and {number(early.mean(), 3, signed=True)} over {len(early)} on the step before, from the close of "
        "the session the score was made at to the next close, which nobody can earn. Only the former makes money."
    )
    blocks: list[Table | Picture] = [
        Picture(
            pictures.ic_picture(evidence.result.dates, evidence.coefficients["rank_ic"].to_numpy()),
            "Rank IC of each session, its moving mean, and its running sum.",
        ),
        horizons_table(evidence),
        persistence_table(evidence),
    ]
    blocks += deciles_pictures(evidence.deciles)
    blocks += [group_table(name, evidence.by_group[name]) for name in evidence.by_group]
    return Section("Scores and what they earned", (said,), blocks)


def networks(evidence: Evidence) -> Section | None:
    """What another seed would have given; None where the model's scores are not the mean of several networks."""
    table = evidence.by_network
    if table.empty:
        return None
    values = table["rank_ic"].to_numpy()
    mean, t = evidence.figure("rank_ic"), evidence.figure("rank_ic", column="t")
    said = (
        f"The scores are the mean of what {counted(len(values), 'network')} say, which differ in their seed alone. By "
        f"itself each has a mean rank IC from {number(values.min(), 3, signed=True)} to "
        f"{number(values.max(), 3, signed=True)} on the step that can be traded, with a deviation of "
        f"{number(values.std(ddof=1), 3)}; their mean has {number(mean, 3, signed=True)}. A difference between "
        "settings that is no larger than this spread is no difference."
    )
    rows = [
        (f"seed {row['seed']}", _with_t(number(row["rank_ic"], 3, signed=True), row["t"]), count(row["sessions"]))
        for row in table.to_dict("records")
    ]
    rows.append(
        (
            "their mean",
            _with_t(number(mean, 3, signed=True), t),
            count(int(evidence.figure("rank_ic", column="sessions"))),
        )
    )
    return Section(
        "Spread over seeds",
        (said,),
        (
            Table(
                ("network", "rank IC (t)", "sessions"),
                rows,
                strong=frozenset({len(values)}),
                caption="Rank IC with the return from the first possible fill to one session later, of the scores as "
                "the strategy ranks them. The mean of scores is ranked anew: its rank IC is not the mean of theirs.",
            ),
        ),
    )


def deciles_pictures(table: pd.DataFrame) -> list[Picture]:
    """What each decile of the score earned; nothing where too few sessions tell."""
    if table["sessions"].iloc[0] <= 1:
        return []
    drawn = pictures.deciles_picture(table["mean"].to_numpy(), table["standard_error"].to_numpy())
    return [Picture(drawn, "Mean realised return by decile of the score.")]


def horizons_table(evidence: Evidence) -> Table:
    """Rank IC and the spread of the outer fifths by how long a stock is held."""
    at = evidence.result.strategy.trade_at
    rows = [
        (
            _step(row["horizon"], at) if row["earnable"] else "close of t to t+1, not earnable",
            _with_t(number(row["rank_ic"], 3, signed=True), row["rank_ic_t"]),
            number(row["t_needed"]),
            _with_t(_bps(row["top"]), row["top_t"]),
            _with_t(_bps(row["bottom"]), row["bottom_t"]),
            _with_t(_bps(row["spread"]), row["spread_t"]),
            count(row["sessions"]),
            count(row["windows"]),
        )
        for row in evidence.horizons.to_dict("records")
    ]
    return Table(
        (
            "sessions held",
            "rank IC (t)",
            "|t| needed",
            "best fifth, bps (t)",
            "worst fifth, bps (t)",
            "spread, bps (t)",
            "sessions",
            "windows apart",
        ),
        rows,
        caption="By how long a stock is held from the first possible fill: rank IC, and the mean return of the best "
        "and of the worst fifth of the scores above that of all stocks, over the whole horizon and before costs. A "
        "session whose horizon ends after the last one has no value, so longer ones rest on fewer. The windows "
        "of neighbouring sessions overlap: t is by Newey and West, and chance alone exceeds the |t| needed in about "
        f"5% of cases (up to 11% at long horizons). Below {MIN_WINDOWS} windows that do not overlap there is none.",
    )


def persistence_table(evidence: Evidence) -> Table:
    """How long the order of the stocks lasts."""
    rows = [
        (
            count(row["horizon"]),
            number(row["autocorrelation"], 3, signed=True),
            percent(row["top_replaced"]),
            percent(row["bottom_replaced"]),
            count(row["sessions"]),
        )
        for row in evidence.persistence.to_dict("records")
    ]
    return Table(
        ("sessions later", "rank correlation of the scores", "best fifth replaced", "worst fifth replaced", "pairs"),
        rows,
        caption="How long the order of the stocks lasts: scores of a session beside those some sessions later, and "
        "the turnover of the outer fifths, the share of each that is other stocks by then.",
    )


def group_table(name: str, table: pd.DataFrame) -> Table:
    """Among which stocks the scores were right."""
    if name == SIZE:
        order = {size: place for place, size in enumerate((*SIZES, NO_SIZE))}
        table = table.sort_values("group", key=lambda groups: groups.map(order))
    rows = [
        (
            str(row["group"]),
            number(row["stocks"], 1),
            _with_t(number(row["rank_ic"], 3, signed=True), row["rank_ic_t"]),
            count(row["sessions"]),
            percent(row["share"]),
            percent(row["top_share"]),
            _with_t(_bps(row["contribution"]), row["contribution_t"]),
        )
        for row in table.to_dict("records")
    ]
    return Table(
        (
            name,
            "stocks",
            "rank IC inside (t)",
            "sessions",
            "share of all stocks",
            "share of the best fifth",
            "contribution, bps a session (t)",
        ),
        rows,
        caption=f"{GROUP_NAMES.get(name, name)} Rank IC among the group's own stocks, on sessions with at least "
        f"{MIN_STOCKS_OF_GROUP} of them; and what its stocks in the best fifth contributed to the return of that fifth "
        "above all stocks, for one session from the first possible fill.",
    )


def _step(horizon: int, at: str) -> str:
    return f"{horizon}, {at} of t+1 to t+{1 + horizon}"


def _bps(share: float) -> str:
    return number(1e4 * share, 1, signed=True)


def _with_t(value: str, t: float) -> str:
    return f"{value} ({number(t, 1)})" if value != NONE and np.isfinite(t) else value
