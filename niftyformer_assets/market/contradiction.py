"""Whether Kite's answers can be true beside the closes at hand.

A stock's past closes may change: Kite multiplies those before an ex-date by one factor, also late, and
takes back what it adjusted wrongly. That befalls few stocks at a time, and by few factors each. Answers
that read otherwise for most stocks, or a stock's with closes that no factor explains, are wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.market.candle_files import CandleFile
from niftyformer_assets.market.refresh import ALIKE, Wanted

LAST_CLOSES = 5
# Stocks whose closes may read otherwise at once: of those seen within a month, and after any absence.
MOST_RECENT_SHARE, MOST_SHARE = 0.2, 0.5
_RECENT_SESSIONS = 20
# Fewer contradictions than this may always be corporate actions.
LEAST_STOCKS = 3
# From one session to the next no market moves by a quarter: since 2004 at most by 18% (2009-05-18). A single stock
# does, when an adjustment is forgotten or an event befalls it.
_MAX_JUMP = 1.25
# Splits and bonus issues divide, at most by this; what multiplies takes an adjustment back, or joins shares.
_MOST_DIVIDED, _MOST_MULTIPLIED = 50.0, 6.0
# Sessions at which a factor may begin or end, as a share of those compared and at least.
_MAX_STEPS_SHARE, _LEAST_STEPS = 0.05, 2
_STEP, _TICK = 0.01, 0.05
# Share of sessions whose other prices, or volumes by more than this, may change otherwise than the close.
_MOST_OTHERWISE, _VOLUME_STEP = 0.5, 0.05


@dataclass(frozen=True)
class Comparison:
    """What an answer says about the closes of one stock at hand.

    contradicts: its last known closes read otherwise, a later one is out of reach of them, or no
        adjustment explains the change: of closes, of what else a candle holds beside them, or that
        the last known one is gone.
    explained: whether adjustments may be all of the change.
    recent: whether the closes at hand are of the last month.
    said: the difference in words.
    """

    contradicts: bool
    explained: bool
    recent: bool
    said: str


def compared(file: CandleFile | None, candles: pd.DataFrame, wanted: Wanted) -> Comparison | None:
    """Compare an answer with the final closes at hand; None where no session is in both."""
    if file is None:
        return None
    known, now = _priced(file.candles), _priced(candles)
    known = known[known.index <= np.datetime64(file.final_through)]
    both = known.index.intersection(now.index)
    if not len(both):
        return None
    held, answer = known["close"], now["close"]
    factors = np.asarray(answer[both] / held[both])
    last = factors[-LAST_CLOSES:]
    moved = abs(np.median(last) - 1) > ALIKE
    explained = _explained(factors, np.minimum(np.asarray(answer[both]), np.asarray(held[both])))
    whole, like_closes = both[-1] == known.index[-1], _moved_like_closes(known.loc[both], now.loc[both])
    day = known.index[-1] if not whole else both[-1]
    since = wanted.sessions[wanted.sessions > np.datetime64(file.final_through)]
    recent = (since <= np.datetime64(wanted.final_through)).sum() <= _RECENT_SESSIONS
    said = f"the close of {day:%Y-%m-%d} was {held[day]:g} and {f'reads {answer[day]:g}' if whole else 'is gone'}"
    if explained and not like_closes:
        said = "opens, highs, lows or volumes changed otherwise than closes"
    explained = explained and whole and like_closes
    return Comparison(
        contradicts=bool(moved or not explained or _jumps(day, answer, wanted)),
        explained=explained,
        recent=bool(recent),
        said=said,
    )


def too_many(comparisons: Collection[Comparison]) -> bool:
    """Do more stocks contradict what is known of them than corporate actions ever befall at once?"""

    def beyond(share: float, group: list[Comparison]) -> bool:
        against = sum(comparison.contradicts for comparison in group)
        return against >= LEAST_STOCKS and against > share * len(group)

    recent = [comparison for comparison in comparisons if comparison.recent]
    return beyond(MOST_SHARE, list(comparisons)) or beyond(MOST_RECENT_SHARE, recent)


def same_answer(one: CandleFile, other: CandleFile) -> bool:
    """Do two answers for one stock show the same prices?"""
    first, second = _priced(one.candles), _priced(other.candles)
    both = first.index.intersection(second.index)
    if not len(both):
        return False
    first, second = first.loc[both], second.loc[both]
    alike = (second["close"] / first["close"] - 1).abs() < ALIKE
    return bool(alike.mean() >= 1 - _MAX_STEPS_SHARE and _moved_like_closes(first, second))


def _priced(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles with a close above 0 by date, in order."""
    return candles[candles["close"] > 0].drop_duplicates("date").sort_values("date").set_index("date")


def _moved_like_closes(held: pd.DataFrame, answer: pd.DataFrame) -> bool:
    """Did opens, highs and lows of most sessions change by the factors of closes, and volumes inversely or not at all?

    A few that did not are candles that Kite mended.
    """
    factors = answer["close"] / held["close"]
    for price in ("open", "high", "low"):
        ratios = answer[price] / held[price].where(held[price] > 0) / factors
        smallest = np.maximum(np.minimum(answer[price].abs(), held[price]), _TICK)
        if ((ratios - 1).abs() > _STEP + 2 * _TICK / smallest).mean() > _MOST_OTHERWISE:
            return False
    traded = held["volume"] > 0
    was, now = held.loc[traded, "volume"], answer.loc[traded, "volume"]
    inverse = was / factors[traded]
    rest = np.minimum((now / was - 1).abs(), (now / inverse - 1).abs())
    coarse = _VOLUME_STEP + 1 / np.maximum(np.minimum(was, inverse), 1)
    return bool(not len(rest) or (rest > coarse).mean() <= _MOST_OTHERWISE)


def _explained(factors: np.ndarray, prices: np.ndarray) -> bool:
    """Are these few factors that a corporate action may have? Small prices are rounded coarsely."""
    if factors.min() < 1 / _MOST_DIVIDED or factors.max() > _MOST_MULTIPLIED:
        return False
    tolerance = _STEP + _TICK / np.minimum(prices[1:], prices[:-1])
    steps = int((np.abs(factors[1:] / factors[:-1] - 1) > tolerance).sum())
    return steps <= max(_LEAST_STEPS, _MAX_STEPS_SHARE * len(factors))


def _jumps(day: pd.Timestamp, answer: pd.Series, wanted: Wanted) -> bool:
    """Is a close after the last known one out of reach of that of the session before it?"""
    closes = answer[answer.index >= day].reindex(pd.DatetimeIndex([day, *wanted.sessions[wanted.sessions > day]]))
    ratios = (closes / closes.shift()).dropna()  # across a session without a candle anything may have happened
    return bool(((ratios > _MAX_JUMP) | (ratios < 1 / _MAX_JUMP)).any())
