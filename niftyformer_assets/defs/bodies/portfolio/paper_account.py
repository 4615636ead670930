"""The paper account as an asset: what is new since the last row is added to the ledger, its head told to Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.files import experiment_in_use, find_experiment
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.market.renames import rename_table, renamed
from niftyformer_assets.portfolio.backtest.market import Market, cut_market, panel_part
from niftyformer_assets.portfolio.paper.account import PaperAccount, account_of, costs_paid
from niftyformer_assets.portfolio.paper.following import (
    CLOSES_COMPARED,
    Given,
    PaperRules,
    follow,
    given_of,
    open_account,
    worth,
)
from niftyformer_assets.portfolio.paper.ledger import Head, Row, append_rows, must_hold, read_ledger
from niftyformer_assets.portfolio.report.pictures.money import equity_picture
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.words import counted

ASSET = dg.AssetKey("paper_account")
HEAD, ROWS = "head", "rows"


def go_on_on_paper(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Follow the signals through the newest session; the first time, open the account at the newest signal."""
    if (name := experiment_in_use(settings)) is None:
        raise NiftyFormerError(
            "paper_account is of the experiment in use, and of several none is: set NIFTYFORMER_SIGNAL_EXPERIMENT to "
            "its name"
        )
    experiment, workspace = find_experiment(settings, name), settings.workspace
    ledger = read_ledger(workspace.paper_account)
    must_hold(ledger, heads(context.instance))
    before = len(ledger.rows)
    days = sorted(path.stem for path in workspace.signals.glob("*.parquet"))
    if not days:
        raise NiftyFormerError("no paper account: no signal has been given yet: materialize daily_signals")
    rules = PaperRules(name, experiment.strategy, experiment.costs, experiment.seed)
    if not before:
        ledger = append_rows(ledger, open_account(rules, _given(workspace, days[-1])))
    account = account_of(ledger)
    first = max(sum(day < account.last for day in days) - CLOSES_COMPARED, 0)
    signals = {day: _given(workspace, day) for day in days[first:]}
    opened = open_experiment(workspace, experiment)
    renames = rename_table()
    latest = opened.axes.dates[-1].item()
    called = {
        symbol: now
        for symbol in account.shares
        if symbol not in opened.panel_axes.symbols
        and (now := renamed(symbol, date.fromisoformat(account.opened), renames, latest)) != symbol
        and now in opened.panel_axes.symbols
    }
    market = market_since(opened, account, called)
    ledger = append_rows(ledger, follow(account, market, signals, rules, called))
    new = ledger.rows[before:]
    return Made(
        {
            "dagster/row_count": len(ledger.rows),
            "nav_paise": worth(account),
            "session": account.last,
            "opened": account.opened,
            "in_words": in_words(account, new),
            "return": worth(account) / account.navs[account.opened] - 1,
            "costs_paise": costs_paid(ledger.rows),
            HEAD: ledger.head.seal,
            ROWS: ledger.head.rows,
            "nav": picture(_picture(account, market), "net asset value beside the universe held equally"),
            "holdings": table(_holdings(account)),
            "new_rows": table(_new_rows(new), limit=200),
        },
        settings={"experiment": name},
    )


def heads(instance: dg.DagsterInstance) -> list[tuple[Head, str]]:
    """The heads of the chain in all materializations, each with which it was in words; the oldest first."""
    found: list[tuple[Head, str]] = []
    cursor, more = None, True
    while more:
        read = instance.fetch_materializations(ASSET, limit=500, cursor=cursor)
        for record in read.records:
            made = record.asset_materialization
            if made is not None and {HEAD, ROWS} <= made.metadata.keys():
                at = datetime.fromtimestamp(record.timestamp, timezone.utc)
                head = Head(int(str(made.metadata[ROWS].value)), str(made.metadata[HEAD].value))
                found.append((head, f"the materialization of {at:%Y-%m-%d %H:%M} UTC"))
        cursor, more = read.cursor, read.has_more
    return found[::-1]


def market_since(opened: OpenedExperiment, account: PaperAccount, called: Mapping[str, str]) -> Market:
    """The market from the opening on, with what is held outside the experiment's universe: from the panel, or, where
    it is not even there, at what it was valued at."""
    dates = opened.axes.dates
    market = cut_market(opened.panel, opened.scope, np.datetime64(account.opened, "D"), dates[-1])
    columns = {symbol: place for place, symbol in enumerate(opened.panel_axes.symbols)}
    held = {called.get(symbol, symbol): symbol for symbol in account.shares}
    away = [symbol for symbol in held if symbol not in market.axes.symbols]
    if not away:
        return market
    shape = (len(market.axes.dates), len(away))
    start = int(np.searchsorted(opened.panel_axes.dates, market.axes.dates[0]))
    rows = slice(start, start + shape[0])
    arrays: dict[str, list[np.ndarray]] = {}
    for symbol in away:
        if symbol in columns:
            part = panel_part(opened.panel, rows, np.array([columns[symbol]]))
        else:
            part = _as_it_was_valued(account.closes[held[symbol]], market.axes.dates)
        for name, array in part.items():
            arrays.setdefault(name, []).append(array)
    none = np.zeros(market.axes.shape, dtype=bool)
    theirs = {name: np.hstack(parts) for name, parts in arrays.items()} | {"member": np.zeros(shape, dtype=bool)}
    both = {name: np.hstack([array, theirs[name]]) for name, array in market.arrays().items() if name in theirs}
    axes = Axes(market.axes.dates, (*market.axes.symbols, *away))
    return Market(axes=axes, outside=np.hstack([none, np.ones(shape, dtype=bool)]), **both)


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


def _given(workspace: Workspace, day: str) -> Given:
    """The signal of a session, its symbols as they are called now."""
    path = workspace.signal(day)
    try:
        said = read_parquet(path, ("symbol", "ranked_score", "close"))
    except NiftyFormerError as error:
        raise NiftyFormerError(
            f"{error} A signal that was given is not given again: restore the file from a copy, or remove it, and "
            "nothing trades on it."
        ) from None
    renames = rename_table()
    called = {symbol: renamed(symbol, date.fromisoformat(day), renames) for symbol in said["symbol"]}
    return given_of(said, day, file_sha256(path), called)


def _as_it_was_valued(closes: Mapping[str, int], dates: np.ndarray) -> dict[str, np.ndarray]:
    close = np.array([[closes.get(str(day), np.nan) / 100] for day in dates])
    volume = np.where(np.isfinite(close), 0.0, np.nan)
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return {**prices, "volume": volume, "segment": np.zeros(close.shape, dtype=np.int32), "traded_value": volume}


def _picture(account: PaperAccount, market: Market) -> bytes:
    """The account beside the mean return of the members, which costs nothing."""
    days = [*account.navs]
    place = np.searchsorted(market.axes.dates, np.array(days, dtype="datetime64[D]"))
    with np.errstate(invalid="ignore"):
        change = market.close[1:] / market.close[:-1] - 1
    counts = market.member[:-1] & np.isfinite(change) & (market.segment[1:] == market.segment[:-1])
    mean = np.where(counts, change, 0).sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    equal = np.cumprod(np.concatenate([[1.0], 1 + mean]))
    curves = {"paper account": np.array([*account.navs.values()]) / 100, "the universe held equally": equal[place]}
    return equity_picture(np.array(days, dtype="datetime64[D]"), curves)


def _holdings(account: PaperAccount) -> pd.DataFrame:
    closes = {symbol: account.closes[symbol][account.last] for symbol in account.shares}
    rows = [
        (symbol, shares, closes[symbol] / 100, shares * closes[symbol] / 100, shares * closes[symbol] / worth(account))
        for symbol, shares in account.shares.items()
    ]
    return pd.DataFrame(rows, columns=["symbol", "shares", "close", "value", "weight"])


def _new_rows(rows: tuple[Row, ...]) -> pd.DataFrame:
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
