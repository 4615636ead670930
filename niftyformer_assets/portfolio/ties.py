"""Equal scores: lots are drawn, so that neither the alphabet nor the order of columns picks stocks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.scores import Scores
from niftyformer_assets.store.arrays import Axes

if TYPE_CHECKING:
    from niftyformer_assets.portfolio.backtest import BacktestResult


def lots(axes: Axes, seed: int) -> np.ndarray:
    """uint64 [T, N]: a number for each session and symbol; of equal scores the smaller one goes first.

    It is a hash of seed, date and symbol: a stock has its lot whatever other stocks and sessions
    there are. The mixing is the finalizer of splitmix64 (Steele, Lea and Flood 2014).
    """
    stock = np.array([_hash(symbol) for symbol in axes.symbols], dtype=np.uint64)
    session = np.array([_hash(f"{seed} {day}") for day in axes.dates], dtype=np.uint64)
    mixed = stock[None, :] ^ session[:, None]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def picks_by_lot(result: BacktestResult, scores: Scores) -> tuple[int, int]:
    """How many of the names bought anew had the same score as one that could have been bought and was not.

    Returns:
        those picks, and all picks.
    """
    market, strategy = result.market, result.strategy
    orders = result.orders[result.orders["reason"] == "enter"]
    session = np.searchsorted(market.axes.dates, orders["decided"].to_numpy().astype("datetime64[D]"))
    column = pd.Index(market.axes.symbols).get_indexer(pd.Index(orders["symbol"]))
    bought = (orders["shares"] > 0).to_numpy()
    place = np.rint(result.nav * 100) // strategy.top_k
    by_lot = 0
    for d, score in enumerate(scores.values):
        decided = session == d
        passed_over = np.isfinite(score) & market.member[d] & (result.holdings[d] == 0) & (market.mark[d] > 0)
        if strategy.name != "equal_weight":
            passed_over &= market.mark[d] <= place[d]
        passed_over[column[decided]] = False
        by_lot += int(np.isin(score[column[decided & bought]], score[passed_over]).sum())
    return by_lot, int(bought.sum())


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
