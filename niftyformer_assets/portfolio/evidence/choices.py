"""How much of a choice the scores had: what they told apart, what could be bought, what a lot decided."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scores import Scores


def choices(result: BacktestResult, scores: Scores) -> np.ndarray:
    """int [T - 1]: members with a score, of which a share fits into a place, at each session that decides; of the
    book that has the most."""
    if result.parts:
        return np.max([choices(part, scores) for part in result.parts], axis=0)
    market, strategy = result.market, result.strategy
    could = np.isfinite(scores.values) & market.member & (market.mark > 0)
    if strategy.rule.passes_over_dear_names:
        could &= market.mark <= result.place[:, None]
    return could[:-1].sum(axis=1)


def tells_apart(scores: Scores) -> bool:
    """Does any session have two different scores?"""
    known = np.isfinite(scores.values)
    high = np.where(known, scores.values, -np.inf).max(axis=1)
    low = np.where(known, scores.values, np.inf).min(axis=1)
    return bool((high > low).any())


def picks_by_lot(result: BacktestResult, scores: Scores) -> tuple[int, int]:
    """How many of the names bought anew had the same score as one that could have been bought and was not.

    Returns:
        those picks, and all picks.
    """
    if result.parts:
        by_lot, picks = np.sum([picks_by_lot(part, scores) for part in result.parts], axis=0).tolist()
        return by_lot, picks
    market, strategy = result.market, result.strategy
    orders = result.orders[result.orders["reason"] == "enter"]
    session = np.searchsorted(market.axes.dates, orders["decided"].to_numpy().astype("datetime64[D]"))
    column = pd.Index(market.axes.symbols).get_indexer(pd.Index(orders["symbol"]))
    bought = (orders["shares"] > 0).to_numpy()
    by_lot = 0
    for d, score in enumerate(scores.values):
        decided = session == d
        passed_over = np.isfinite(score) & market.member[d] & (result.holdings[d] == 0) & (market.mark[d] > 0)
        if strategy.rule.passes_over_dear_names:
            passed_over &= market.mark[d] <= result.place[d]
        passed_over[column[decided]] = False
        by_lot += int(np.isin(score[column[decided & bought]], score[passed_over]).sum())
    return by_lot, int(bought.sum())
