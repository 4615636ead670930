"""Stocks that are not to be traded now, and why; and what nobody here knows of that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from niftyformer_assets.portfolio.orders.holdings import parted, read_table
from niftyformer_assets.store.given import in_one_line

# Of a reason, beside which others are to be read.
_MOST_LETTERS = 200


def not_to_trade(
    symbols: Sequence[str],
    *,
    session: str,
    traded: Collection[str],
    listed: Collection[str] | None = None,
    series: Mapping[str, str] | None = None,
    named: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Why each of these stocks is not to be traded; those that can be are left out.

    Args:
        session: the newest one, an ISO date.
        traded: the stocks that traded on it.
        listed: trading symbols of Kite's instruments list, series behind them; None where nobody was asked.
        series: of what is held, as Kite says; empty for ordinary equity.
        named: reasons that a person gives.
    """
    others = dict(part for part in map(parted, listed or ()) if part[1])
    found: dict[str, str] = {}
    for symbol in symbols:
        if named and symbol in named:
            found[symbol] = named[symbol]
        elif listed is not None and symbol not in listed and symbol in others:
            found[symbol] = _of_series(others[symbol])
        elif listed is not None and symbol not in listed:
            found[symbol] = "it is not on Kite's list of instruments: delisted, or suspended"
        elif listed is None and series and series.get(symbol):
            found[symbol] = _of_series(series[symbol])
        elif symbol not in traded:
            found[symbol] = f"it did not trade on {session}: it may be suspended"
    return found


def not_known(*, listed: bool, named: bool) -> list[str]:
    """What these orders do not take into account, as sentences.

    Args:
        listed: whether Kite was asked what is listed. named: whether a person gave a list.
    """
    said = []
    if not listed:
        said.append(
            "Which stocks are settled trade for trade (series BE) was not asked of Kite: nobody is logged in here."
        )
    if not named:
        said.append(
            "Which stocks are under surveillance (ASM, GSM) is not known here: Kite warns before it takes such an "
            "order. Name them in NIFTYFORMER_ORDERS__NO_TRADE to leave them out."
        )
    return said


def read_no_trade(path: Path) -> dict[str, str]:
    """The stocks that a person's file says are not to be traded, and why.

    Raises:
        NiftyFormerError: the file is missing or no such table; the message names it and says what to do.
    """
    columns = {"symbol": ("symbol", "tradingsymbol"), "reason": ("reason", "state")}
    rows = read_table(path, columns)
    return {
        values["symbol"].upper(): in_one_line(values["reason"])[:_MOST_LETTERS] or f"named in {path.name}"
        for _, values in rows
    }


def _of_series(series: str) -> str:
    return f"it is in the series {series}, which is settled trade for trade or is no ordinary equity"
