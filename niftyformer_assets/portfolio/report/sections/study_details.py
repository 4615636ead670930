"""The sections of a study's report on how much money it bears, on luck, and on what its figures take for granted."""

from __future__ import annotations

import math

from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence
from niftyformer_assets.portfolio.evidence.verdict import SURE
from niftyformer_assets.portfolio.formatting import STATUS_NAMES, count, number, p_value, percent, readable_name, rupees
from niftyformer_assets.portfolio.report.page import Section, Table
from niftyformer_assets.words import counted


def capacity(evidence: PooledEvidence) -> Section:
    """The same with more money."""
    table = evidence.capacity
    cap = float(table["volume_cap"].iloc[0])
    rows = [
        (
            rupees(row["capital"]),
            percent(row["annual_return"], signed=True),
            number(row["sharpe"]),
            percent(row["max_drawdown"]),
            f"{number(row['turnover'], 1)}×",
            percent(row["cost"], 1),
            percent(row["exposure"]),
            percent(row["lapsed"]),
        )
        for row in table.to_dict("records")
    ]
    columns = (
        "capital",
        "return a year",
        "Sharpe ratio",
        "deepest drawdown",
        "turnover a year",
        "costs, of capital",
        "invested",
        "of the value ordered lapsed",
    )
    return Section(
        "How much money it bears",
        (
            f"The same scores and strategy, each order capped at {percent(cap, 0)} of the stock's median traded value "
            "over the 60 sessions up to the score's, and at the same share of what is traded in the session of the "
            "fill; what is over lapses unfilled. Prices do not move with the order, apart from the slippage that is "
            "set.",
        ),
        (Table(columns, rows),),
    )


def multiple_testing(evidence: PooledEvidence) -> Section:
    """What is left once it is counted how many were looked at."""
    over, deflated = evidence.overfitting, evidence.figure("deflated_sharpe")
    rows = [
        (
            "deflated Sharpe ratio",
            percent(deflated),
            f"probability that the true Sharpe ratio of {readable_name(evidence.main)} is above what the best of "
            f"{counted(evidence.variants, 'variant')} without skill would show; it stands from {percent(SURE, 0)} on",
        ),
        (
            "probability of backtest overfitting",
            percent(over.probability, 0),
            f"over {counted(over.variants, 'point')} of the grid: how often the best of one half of the sessions is "
            f"not above the middle in the other, in {counted(over.choices, 'choice')} of {over.blocks // 2} of "
            f"{over.blocks} blocks"
            if math.isfinite(over.probability)
            else f"not told: {counted(over.variants, 'point')} of the grid, at least 2 and {over.blocks} blocks of "
            "sessions are needed",
        ),
    ]
    candidates = evidence.paired[evidence.paired["kind"] != "baseline"]
    if len(candidates):
        best = candidates.sort_values("rank_ic_p_holm", kind="stable").iloc[0]
        rows.append(
            (
                f"smallest p against {evidence.against_in_words}",
                p_value(float(best["rank_ic_p_holm"])),
                f"of {readable_name(str(best['name']))} by rank IC, adjusted for "
                f"{counted(len(candidates), 'comparison')} (Holm)",
            )
        )
    return Section(
        "Multiple testing",
        (
            f"{counted(evidence.variants, 'variant')} had been tried on these sessions when this was written, by the "
            "record. Whatever was chosen by looking at them makes its figures no test results.",
        ),
        (Table(("", "value", "what it is"), rows, words=True),),
    )


def assumptions(evidence: PooledEvidence, survivorship: str) -> Section:
    """What every figure takes for granted."""
    strategy = evidence.result.strategy
    unfilled = evidence.result.unfilled["status"].value_counts()
    told = ", ".join(
        f"{count(int(n))} because {STATUS_NAMES.get(str(status), str(status))}" for status, n in unfilled.items()
    )
    return Section(
        "What the figures take for granted",
        (
            *([survivorship] if survivorship else []),
            f"A prediction is made at the close of a session, from what is known by then, and trades at the "
            f"{strategy.trade_at} of the next session; it earns from there. Each window's model was trained on "
            "sessions before its test part, so no score saw its own session's future.",
            "Prices are adjusted back for splits, bonus and rights issues; most dividends are not in them, so the "
            "price index is like for like, and a total return index holds dividends that the strategy is not credited "
            "with.",
            "An ensemble's score is the mean of its parts' scores, each put to mean 0 and deviation 1 within the "
            "session among the stocks that all parts have; the others have none.",
            f"Of {counted(len(evidence.result.orders), 'order')} of the judged model "
            f"{count(len(evidence.result.unfilled))} got no share{' (' + told + ')' if told else ''}.",
            *evidence.result.notes,
        ),
    )
