"""What a person is shown of a paper account: in a few sentences, in tables, and beside the universe held equally."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.paper.account import PaperAccount
from niftyformer_assets.portfolio.paper.following import worth
from niftyformer_assets.portfolio.paper.ledger import Row
from niftyformer_assets.words import counted


def in_words(account: PaperAccount, new: tuple[Row, ...]) -> str:
    """What came of it, and what is new, in a few sentences."""
    start, now = account.navs[account.opened], worth(account)
    kinds = [row["kind"] for row in new]
    told = [
        counted(kinds.count(kind), word)
        for kind, word in (
            *(("valuation", "session"), ("trade", "trade"), ("action", "action of a holding")),
            *(("correction", "corrected close"), ("rename", "rename")),
        )
        if kinds.count(kind)
    ]
    return (
        f"Opened on {account.opened} with ₹{start / 100:,.2f}; worth ₹{now / 100:,.2f} at the close of {account.last} "
        f"({now / start - 1:+.2%}), {counted(len(account.shares), 'stock')} held. New: {', '.join(told) or 'nothing'}."
    )


def holdings(account: PaperAccount) -> pd.DataFrame:
    """What is held, at the closes that were last known; rupees."""
    closes = {symbol: account.closes[symbol][account.last] for symbol in account.shares}
    rows = [
        (symbol, shares, closes[symbol] / 100, shares * closes[symbol] / 100, shares * closes[symbol] / worth(account))
        for symbol, shares in account.shares.items()
    ]
    return pd.DataFrame(rows, columns=["symbol", "shares", "close", "value", "weight"])


def rows_in_words(rows: tuple[Row, ...]) -> pd.DataFrame:
    """What a person reads of each: money in rupees."""
    told: list[tuple[Any, ...]] = []
    for row in rows:
        said = {
            "trade": lambda r: f"{r['side']} {r['shares']} at {r['price'] / 100:.2f}, cost {r['cost'] / 100:.2f}",
            "action": lambda r: f"{r['shares']} become {r['shares_after']}, and {r['cash'] / 100:.2f} in cash",
            "correction": lambda r: f"close of {r['of']}: {r['now'] / 100:.2f}, was {r['was'] / 100:.2f}",
            "rename": lambda r: f"is {r['to']} now",
            "interest": lambda r: f"{r['cash'] / 100:.2f}",
            "valuation": lambda r: f"worth {r['nav'] / 100:.2f}, cash {r['cash'] / 100:.2f}",
        }.get(row["kind"], lambda r: str(r.get("experiment", "")))(row)
        told.append((row["number"], row["session"], row["kind"], row.get("symbol", ""), said))
    return pd.DataFrame(told, columns=["row", "session", "kind", "symbol", "what"])


def curves(account: PaperAccount, market: Market) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The sessions that were valued, and the account beside the mean return of the members, which costs nothing."""
    days = [*account.navs]
    place = np.searchsorted(market.axes.dates, np.array(days, dtype="datetime64[D]"))
    with np.errstate(invalid="ignore"):
        change = market.close[1:] / market.close[:-1] - 1
    counts = market.member[:-1] & np.isfinite(change) & (market.segment[1:] == market.segment[:-1])
    mean = np.where(counts, change, 0).sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    equal = np.cumprod(np.concatenate([[1.0], 1 + mean]))
    navs = np.array([*account.navs.values()]) / 100
    return np.array(days, dtype="datetime64[D]"), {
        "paper account": navs,
        "the universe held equally": equal[place],
    }
