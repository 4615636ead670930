"""What an experiment's paper account follows: signals as stocks are called now, and the market of what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.market.renames import rename_table, renamed
from niftyformer_assets.portfolio.backtest.market import Market, cut_market, panel_part
from niftyformer_assets.portfolio.paper.account import PaperAccount
from niftyformer_assets.portfolio.paper.following import Given, given_of
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.store.provenance import must_be_as_recorded, must_have_record
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace


def signal_given(workspace: Workspace, day: str) -> Given:
    """The signal of a session, its symbols as they are called now."""
    path = workspace.signal(day)
    try:
        said = read_parquet(path, ("symbol", "ranked_score", "close"))
        must_be_as_recorded(workspace.provenance, must_have_record(workspace.provenance, "daily_signals"), {path})
    except NiftyFormerError as error:
        raise NiftyFormerError(
            f"{error} A signal that was given is not given again: restore the file from a copy, or remove it, and "
            "nothing trades on it."
        ) from None
    renames = rename_table()
    called = {symbol: renamed(symbol, date.fromisoformat(day), renames) for symbol in said["symbol"]}
    return given_of(said, day, file_sha256(path), called)


def renamed_since(opened: OpenedExperiment, account: PaperAccount) -> dict[str, str]:
    """What the account's holdings that were renamed since it was opened are called in the panel."""
    renames, latest, known = rename_table(), opened.axes.dates[-1].item(), opened.panel_axes.symbols
    return {
        symbol: now
        for symbol in account.shares
        if symbol not in known
        and (now := renamed(symbol, date.fromisoformat(account.opened), renames, latest)) != symbol
        and now in known
    }


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


def _as_it_was_valued(closes: Mapping[str, int], dates: np.ndarray) -> dict[str, np.ndarray]:
    close = np.array([[closes.get(str(day), np.nan) / 100] for day in dates])
    volume = np.where(np.isfinite(close), 0.0, np.nan)
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return {**prices, "volume": volume, "segment": np.zeros(close.shape, dtype=np.int32), "traded_value": volume}
