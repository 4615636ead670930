"""The newest signal as orders take it: what it wants, on which candles, and which stocks can be traded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.experiments.files import experiment_in_use
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.portfolio.backtest.market import TRADED_VALUE_SESSIONS, median_traded_value
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import must_be_as_recorded, must_be_from_the_same, must_have_record
from niftyformer_assets.store.tables import read_notes, read_parquet
from niftyformer_assets.store.workspace import Workspace


@dataclass(frozen=True, eq=False)
class NewestSignal:
    """The signal of the newest candles.

    table: symbol, close, target_weight. made_of: as it says itself. traded: the symbols that traded on its session.
    traded_value: rupees a session by symbol, the median of TRADED_VALUE_SESSIONS.
    """

    table: pd.DataFrame
    made_of: Mapping[str, Any]
    traded: frozenset[str]
    traded_value: Mapping[str, float]

    @property
    def session(self) -> str:
        return str(self.made_of["candles_until"])

    @property
    def trades_on(self) -> str:
        return str(self.made_of["trades_on"])

    def targets(self, no_trade: Mapping[str, str]) -> pd.DataFrame:
        """What is wanted, a row a stock, with the columns `orders.proposal.TARGETS`.

        Args:
            no_trade: why a stock is not to be traded.
        """
        symbols = self.table["symbol"]
        return pd.DataFrame(
            {
                "symbol": symbols,
                "weight": self.table["target_weight"],
                "close": self.table["close"],
                "traded_value": symbols.map(self.traded_value),
                "no_trade": [no_trade.get(symbol, "") for symbol in symbols],
            }
        )

    def must_trade_on(self, today: date) -> None:
        """Refuse the signal of a session that is over."""
        if today > date.fromisoformat(self.trades_on):
            raise NiftyFormerError(f"the signal is for {self.trades_on}, which is over: materialize daily_signals")


def newest_signal(settings: Settings) -> NewestSignal:
    """The signal of the newest candles by the experiment in use.

    Raises:
        NiftyFormerError: there is none, or it was made from other candles, or by another experiment, or is not the one
            that was made.
    """
    workspace = settings.workspace
    panel, axes = load_arrays(workspace.market_panel)
    session = str(axes.dates[-1])
    path = workspace.signal(session)
    if not path.is_file():
        raise NiftyFormerError(f"no orders: there is no signal of {session}: materialize daily_signals")
    record = must_have_record(workspace.provenance, "daily_signals")
    try:
        must_be_as_recorded(workspace.provenance, record, {path})
        must_be_from_the_same(workspace.provenance, record, {workspace.market_panel})
    except NiftyFormerError as error:
        raise NiftyFormerError(f"no orders: {error}") from None
    made_of = json.loads(read_notes(path)["made_of"])
    if made_of["experiment"] != (name := experiment_in_use(settings)):
        raise NiftyFormerError(
            f"no orders: the signal of {session} is of {made_of['experiment']}, and {name} is in use: materialize "
            "daily_signals"
        )
    close, volume = (panel[name][-TRADED_VALUE_SESSIONS:] for name in ("close", "volume"))
    usual = median_traded_value(close, volume)[-1]
    traded = np.isfinite(close[-1]) & (volume[-1] > 0)
    return NewestSignal(
        read_parquet(path, ("symbol", "close", "target_weight")),
        made_of,
        frozenset(symbol for symbol, trades in zip(axes.symbols, traded, strict=True) if trades),
        dict(zip(axes.symbols, usual.tolist(), strict=True)),
    )


def isins(workspace: Workspace, symbols: Sequence[str]) -> dict[str, str]:
    """The stocks of the signal by their ISIN."""
    universe = load_universe(workspace.universe)
    of = universe[universe["symbol"].isin(symbols) & universe["isin"].fillna("").ne("")]
    return dict(zip(of["isin"], of["symbol"], strict=True))
