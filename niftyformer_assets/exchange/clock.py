"""What time it is on the exchange, and what of a candle is known then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone

import numpy as np

from niftyformer_assets.exchange.market import Candles

IST = timezone(timedelta(hours=5, minutes=30), "IST")
OPENS, CLOSES, FINAL = time(9, 15), time(15, 30), time(6, 0)

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The present in India."""
    return datetime.now(IST)


def token_expiry(moment: datetime) -> datetime:
    """When an access token that is given at `moment` dies: the next 06:00 in India."""
    local = moment.astimezone(IST)
    day = local.date() if local.time() < FINAL else local.date() + timedelta(days=1)
    return datetime.combine(day, FINAL, IST)


def known_at(candles: Candles, moment: datetime) -> Candles:
    """The candles as Kite gives them at a moment: none of later sessions, today's in part.

    While a session runs, its candle has gone from the open towards its final values in proportion
    to the time. From the close until 06:00 of the next morning it is there but not final: volume
    lacks 2%, and the close is a little nearer to the open.
    """
    local = moment.astimezone(IST)
    today = local.date()
    last_day = today if local.time() >= OPENS else today - timedelta(days=1)
    count = int(np.searchsorted(candles.dates, np.datetime64(last_day, "D"), side="right"))
    known = candles.take(slice(0, count))
    if not count:
        return known
    last: date = known.dates[-1].astype(object)
    if last == today and local.time() < CLOSES:
        opened = datetime.combine(today, OPENS, IST)
        whole = datetime.combine(today, CLOSES, IST) - opened
        return _in_part(known, (local - opened) / whole)
    if local < datetime.combine(last + timedelta(days=1), FINAL, IST):
        return _in_part(known, 0.98, only_close=True)
    return known


def _in_part(candles: Candles, share: float, only_close: bool = False) -> Candles:
    opened = candles.open[-1]

    def moved(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[-1] = np.round(opened + share * (values[-1] - opened), 2)
        return values

    volume = candles.volume.copy()
    volume[-1] = int(share * volume[-1])
    high, low = (candles.high, candles.low) if only_close else (moved(candles.high), moved(candles.low))
    return Candles(candles.dates, candles.open, high, low, moved(candles.close), volume)
