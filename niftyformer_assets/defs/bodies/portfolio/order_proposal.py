"""The orders that lead from what a real account holds to the newest signal, as a page for the person who decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.resources import CandleSource, Connection
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.newest_signal import NewestSignal, isins, newest_signal
from niftyformer_assets.market.asking import retried
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.portfolio.backtest.costs import rates
from niftyformer_assets.portfolio.orders.basket import questions
from niftyformer_assets.portfolio.orders.charges import AtKite, beside_kite
from niftyformer_assets.portfolio.orders.holdings import Held, held_at_kite, held_by_csv
from niftyformer_assets.portfolio.orders.no_trade import not_known, not_to_trade, read_no_trade
from niftyformer_assets.portfolio.orders.proposal import propose
from niftyformer_assets.portfolio.orders.settings import KITE
from niftyformer_assets.portfolio.report.orders_page import (
    Background,
    Basket,
    in_words,
    write_no_orders,
    write_orders,
)
from niftyformer_assets.portfolio.settings import CostSettings
from niftyformer_assets.report_server import orders_address
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.web import is_loopback
from niftyformer_assets.words import counted

if TYPE_CHECKING:
    from niftyformer_assets.market.kite import KiteSession

T = TypeVar("T")

NOT_ASKED_FOR = (
    "Nobody said what is held: set NIFTYFORMER_ORDERS__HOLDINGS to `kite`, for the account that is logged in, or to a "
    "CSV file with the columns symbol, quantity and average_price."
)


class _Asking:
    """Asks Kite, at its pace and again where that may help."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session = connection.session()

    def ask(self, question: Callable[[KiteSession], T]) -> T:
        return retried(lambda: question(self._session), self._connection.ingest, self._connection.pacer)


def propose_orders(context: dg.AssetExecutionContext, settings: Settings, source: CandleSource) -> Made:
    """Write the page of orders for the newest signal; or one that says why there are none."""
    workspace, orders = settings.workspace, settings.orders
    signal = newest_signal(settings)
    about = Background(
        session=signal.session,
        trades_on=signal.trades_on,
        source="nobody",
        experiment=str(signal.made_of["experiment"]),
        workspace=workspace.name,
        signal=[str(sentence) for sentence in signal.made_of["looked_at"]],
    )
    html, csv = workspace.orders_page(signal.session), workspace.orders_table(signal.session)
    decided = {"orders": json.loads(json.dumps(asdict(orders), default=str))}
    if not orders.holdings:
        write_no_orders(html, csv, about, NOT_ASKED_FOR)
        target = signal.table.loc[signal.table["target_weight"] > 0, ["symbol", "close", "target_weight"]]
        told = {"dagster/row_count": 0, "in_words": f"No orders are proposed. {NOT_ASKED_FOR}", "target": table(target)}
        return Made({**told, **_where(settings, signal)}, decided)
    given = [path for path in (_csv(settings), orders.no_trade) if path is not None]
    try:
        if settings.is_live:
            signal.must_trade_on(datetime.now(IST).date())
        opened: AbstractContextManager[Connection | None]
        opened = source.connect() if orders.holdings == KITE else nullcontext()
        with opened as connection:
            metadata = _propose(settings, signal, about, None if connection is None else _Asking(connection))
    except NiftyFormerError as error:
        # A page of earlier today would be taken for one of now.
        write_no_orders(html, csv, about, str(error))
        raise NiftyFormerError(f"no orders for {signal.trades_on}: {error}") from None
    context.log.info(metadata["in_words"])
    return Made({**metadata, **_where(settings, signal)}, decided, given)


def _propose(settings: Settings, signal: NewestSignal, about: Background, kite: _Asking | None) -> dict[str, Any]:
    orders, workspace = settings.orders, settings.workspace
    symbols = [str(symbol) for symbol in signal.table["symbol"]]
    held = _held(settings, kite).known_as(symbols, isins(workspace, symbols))
    listed = None if kite is None else kite.ask(lambda session: session.instruments()).keys()
    named = None if orders.no_trade is None else read_no_trade(orders.no_trade)
    reasons = not_to_trade(
        symbols,
        session=signal.session,
        traded=signal.traded,
        listed=listed,
        series=dict(zip(held.table["symbol"], held.table["series"], strict=True)),
        named=named,
    )
    charged = rates(np.array([signal.trades_on], dtype="datetime64[D]"), CostSettings())
    proposal = propose(signal.targets(reasons), held, orders, charged)
    at_kite, told = _at_kite(proposal.orders, kite)
    basket, no_basket = _basket(settings)
    about = replace(
        about,
        source=held.source,
        basket=basket,
        no_basket=no_basket,
        at_kite=at_kite,
        notes=[*told, *not_known(listed=listed is not None, named=named is not None)],
    )
    write_orders(workspace.orders_page(signal.session), workspace.orders_table(signal.session), proposal, orders, about)
    return {
        "dagster/row_count": len(proposal.orders),
        "in_words": in_words(proposal),
        "money": proposal.money,
        "money_after": proposal.money_after,
        "cost": proposal.cost,
        "capital": proposal.capital,
        "orders": table(proposal.orders),
        "left_out": table(proposal.left_out),
        "untouched": counted(len(proposal.untouched), "holding"),
    }


def _held(settings: Settings, kite: _Asking | None) -> Held:
    if kite is None:
        path = _csv(settings)
        assert path is not None
        return held_by_csv(path, settings.orders.cash or 0.0)
    holdings = kite.ask(lambda session: session.holdings())
    positions = kite.ask(lambda session: session.positions())
    return held_at_kite(holdings, positions, kite.ask(lambda session: session.equity_margin()))


def _csv(settings: Settings) -> Path | None:
    return None if settings.orders.holdings in ("", KITE) else Path(settings.orders.holdings)


def _at_kite(orders: pd.DataFrame, kite: _Asking | None) -> tuple[AtKite | None, list[str]]:
    """What Kite says that the orders cost, or why it says nothing: the orders stand without it."""
    if kite is None or not len(orders):
        return None, []
    margins, note = questions(orders)
    try:
        each = kite.ask(lambda session: session.order_margins(margins))
        charged = kite.ask(lambda session: session.contract_note(note))
        return beside_kite(orders, each, charged, kite.ask(lambda session: session.basket_margin(margins))), []
    except NiftyFormerError as error:
        return None, [f"What Kite would charge is not known: {error}"]


def _basket(settings: Settings) -> tuple[Basket | None, str]:
    """Where the basket opens: prices that are not of now are offered to nobody who could trade at them."""
    if not settings.is_live:
        return None, "There is no button: the candles are made up or replayed, and these orders are for no exchange."
    if not settings.kite_api_key:
        return None, "There is no button: KITE_API_KEY is not set, and a basket is opened for an app of Kite."
    if settings.source == "zerodha":
        return Basket(settings.kite_api_key), ""
    if is_loopback(settings.kite_root):
        return Basket(settings.kite_api_key, f"{settings.kite_root.rstrip('/')}/connect/basket"), ""
    return None, f"There is no button: {settings.kite_root} is neither Zerodha nor an exchange on this machine."


def _where(settings: Settings, signal: NewestSignal) -> dict[str, Any]:
    return {
        "session": signal.session,
        "trades_on": signal.trades_on,
        "page": dg.MetadataValue.url(orders_address(settings, signal.session)),
    }
