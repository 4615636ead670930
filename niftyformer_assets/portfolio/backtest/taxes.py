"""What short-term capital gains tax would take of the trades that were made: an estimate, in no other figure.

By the Income-tax Act, listed shares that pay securities transaction tax (section 111A): gains on shares held
for not more than twelve months are taxed at 15% on sales before 2024-07-23 and at 20% from then on.
The first shares bought are the first sold. A year runs from April to March; its losses are set off
against its gains, those of the higher rate first, and what is left of them against the gains of the next
eight years. The charges of buying and selling are deducted, but not the securities transaction tax.
Left out: surcharge and cess, and lots held for longer, whose gains are long-term.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.records import bridge_price
from niftyformer_assets.portfolio.backtest.result import BacktestResult

CHANGE = pd.Timestamp("2024-07-23")
RATE_BEFORE, RATE = 0.15, 0.20
YEARS_CARRIED = 8
# Rounding to the rupee is one of the transaction tax and of stamp duty together.
NOT_DEDUCTED = ("stt", "rounding")
# Of a share.
NOTHING = 1e-6


@dataclass(frozen=True)
class Tax:
    """Rupees.

    gain: short-term gains less losses that were realised; tax: on what is left of each year's gains;
    loss_left: short-term losses that nothing was set off against, at the end; long_term: gains less
    losses on lots held for more than twelve months, which are not in the others.
    rates: those at which something was taxed or, without a tax, sold.
    """

    gain: float
    tax: float
    loss_left: float
    long_term: float
    rates: tuple[float, ...]


def short_term_tax(result: BacktestResult) -> Tax:
    """The tax on the gains that the trades of a backtest realised; what is still held at the end is not taxed."""
    sales = realised_gains(result)
    short = sales[~sales["long_term"]]
    tax, loss_left = tax_by_year(short)
    return Tax(
        gain=round(float(short["gain"].sum()), 2),
        tax=round(tax, 2),
        loss_left=round(loss_left, 2),
        long_term=round(float(sales.loc[sales["long_term"], "gain"].sum()), 2),
        rates=tuple(sorted(short["rate"].unique())),
    )


def realised_gains(result: BacktestResult) -> pd.DataFrame:
    """What each sale of a lot, or of a part of it, brought; first in, first out.

    A broken adjustment changes the number of shares of each lot, not what they cost nor when they
    were bought; the fraction of a share that it pays in cash is a sale.

    Returns:
        symbol, bought, sold (sessions), gain (rupees), long_term (held for more than twelve months), rate.
    """
    trades = result.trades
    deducted = trades["cost"] - trades[list(NOT_DEDUCTED)].sum(axis=1)
    rupees = trades["value"] + deducted.where(trades["side"] == "buy", -deducted)
    lots: defaultdict[str, deque[_Lot]] = defaultdict(deque)
    rows: list[tuple[str, pd.Timestamp, pd.Timestamp, float]] = []
    bridges = _bridges(result)
    columns = (trades["symbol"], trades["session"], trades["side"], trades["shares"].astype(float), rupees)
    for symbol, session, side, shares, paid in zip(*columns, strict=True):
        # Within a session adjustments come before trades.
        while bridges and bridges[0].session <= session:
            rows += bridges.popleft().pass_over(lots)
        if side == "buy":
            lots[symbol].append(_Lot(session, shares, paid))
        else:
            rows += _sell(symbol, session, shares, paid, lots[symbol])
    for bridge in bridges:
        rows += bridge.pass_over(lots)
    table = pd.DataFrame(rows, columns=["symbol", "bought", "sold", "gain"])
    table = table.astype({"bought": "datetime64[s]", "sold": "datetime64[s]", "gain": float})
    table["long_term"] = table["sold"] > table["bought"] + pd.DateOffset(years=1)
    table["rate"] = np.where(table["sold"] < CHANGE, RATE_BEFORE, RATE)
    return table


@dataclass
class _Lot:
    """Shares bought on one session, and what those that are left cost, in rupees."""

    bought: pd.Timestamp
    shares: float
    cost: float

    def take(self, share: float) -> float:
        """Remove a share (of 1) of the lot; what it had cost."""
        cost = self.cost * share
        self.shares, self.cost = self.shares * (1 - share), self.cost - cost
        return cost


def _sell(
    symbol: str, session: pd.Timestamp, shares: float, proceeds: float, lots: deque[_Lot]
) -> list[tuple[str, pd.Timestamp, pd.Timestamp, float]]:
    rows, left = [], shares
    while lots and left > NOTHING:
        lot = lots[0]
        taken = min(lot.shares, left)
        # A sliver of a share is the rounding error of a broken adjustment.
        share = 1.0 if lot.shares - taken < NOTHING else taken / lot.shares
        rows.append((symbol, lot.bought, session, proceeds * taken / shares - lot.take(share)))
        left -= taken
        if share == 1.0:
            lots.popleft()
    return rows


@dataclass(frozen=True)
class _Bridge:
    """A holding carried over a broken adjustment: so many shares become so many, and the rest is paid."""

    session: pd.Timestamp
    symbol: str
    before: int
    after: int
    paid: float
    paid_share: float

    def pass_over(self, lots: Mapping[str, deque[_Lot]]) -> list[tuple[str, pd.Timestamp, pd.Timestamp, float]]:
        queue = lots[self.symbol]
        rows = []
        for lot in queue:
            paid = self.paid * lot.shares / self.before
            after = lot.shares * self.after / self.before
            if self.paid_share > 0:
                rows.append((self.symbol, lot.bought, self.session, paid - lot.take(self.paid_share)))
            lot.shares = after
        if self.after == 0:
            queue.clear()
        return rows


def _bridges(result: BacktestResult) -> deque[_Bridge]:
    price, mark = bridge_price(result.market), result.market.mark
    bridges = []
    for t, j in zip(*np.nonzero((result.holdings[:-1] > 0) & (price[1:] > 0)), strict=True):
        before = [int(book.holdings[t, j]) for book in result.books]
        carried = [divmod(shares * int(mark[t, j]), int(price[t + 1, j])) for shares in before]
        after, paid = (sum(each) for each in zip(*carried, strict=True))
        session = pd.Timestamp(str(result.dates[t + 1]))
        symbol = result.market.axes.symbols[j]
        share = paid / (sum(before) * int(mark[t, j]))
        bridges.append(_Bridge(session, symbol, sum(before), after, paid / 100, share))
    return deque(bridges)


def tax_by_year(gains: pd.DataFrame) -> tuple[float, float]:
    """Tax on the gains left of each year from April to March, and the losses still left after the last; rupees.

    Args:
        gains: rows of `realised_gains` that are short-term.
    """
    tax, losses = 0.0, deque[tuple[int, float]]()
    year = gains["sold"].dt.year - (gains["sold"].dt.month < 4)
    for now, rows in gains.assign(year=year).groupby("year"):
        current = int(str(now))
        while losses and losses[0][0] < current - YEARS_CARRIED:
            losses.popleft()
        balance = rows.groupby("rate")["gain"].sum()
        # Losses of the year itself come first, then the oldest.
        losses.appendleft((current, float(-balance[balance < 0].sum())))
        for rate, gain in balance[balance > 0].sort_index(ascending=False).items():
            left = float(gain)
            while losses and left > 0:
                since, loss = losses.popleft()
                left, loss = max(left - loss, 0.0), max(loss - left, 0.0)
                if loss > 0:
                    losses.appendleft((since, loss))
            tax += float(str(rate)) * left
        if losses and losses[0][0] == current:
            losses.rotate(-1)
    return tax, sum(loss for _, loss in losses)
