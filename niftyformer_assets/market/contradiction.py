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
# From one session to the next no market halves or doubles; a single stock does when an adjustment is forgotten.
_MAX_JUMP = 2.0
# Splits and bonus issues divide, at most by this; what multiplies takes an adjustment back, or joins shares.
_MOST_DIVIDED, _MOST_MULTIPLIED = 50.0, 6.0
# Sessions at which a factor may begin or end, as a share of those compared and at least.
_MAX_STEPS_SHARE, _LEAST_STEPS = 0.05, 2
_STEP, _TICK = 0.01, 0.05


@dataclass(frozen=True)
class Comparison:
    """What an answer says about the closes of one stock at hand.

    contradicts: its last known closes read otherwise, the next one is out of reach of them, or no
        adjustment explains the change.
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
    held = _closes(file.candles)
    held = held[held.index <= np.datetime64(file.final_through)]
    answer = _closes(candles)
    both = held.index.intersection(answer.index)
    if not len(both):
        return None
    factors = np.asarray(answer[both] / held[both])
    last = factors[-LAST_CLOSES:]
    moved = abs(np.median(last) - 1) > ALIKE
    explained = _explained(factors, np.minimum(np.asarray(answer[both]), np.asarray(held[both])))
    day = both[-1]
    since = wanted.sessions[wanted.sessions > np.datetime64(file.final_through)]
    recent = (since <= np.datetime64(wanted.final_through)).sum() <= _RECENT_SESSIONS
    said = f"the close of {day:%Y-%m-%d} was {held[day]:g} and reads {answer[day]:g}"
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
    first, second = _closes(one.candles), _closes(other.candles)
    both = first.index.intersection(second.index)
    alike = (second[both] / first[both] - 1).abs() < ALIKE
    return bool(len(both) and alike.mean() >= 1 - _MAX_STEPS_SHARE)


def _closes(candles: pd.DataFrame) -> pd.Series:
    """Closes above 0 by date, in order."""
    priced = candles[candles["close"] > 0].drop_duplicates("date").sort_values("date")
    return priced.set_index("date")["close"]


def _explained(factors: np.ndarray, prices: np.ndarray) -> bool:
    """Are these few factors that a corporate action may have? Small prices are rounded coarsely."""
    if factors.min() < 1 / _MOST_DIVIDED or factors.max() > _MOST_MULTIPLIED:
        return False
    tolerance = _STEP + _TICK / np.minimum(prices[1:], prices[:-1])
    steps = int((np.abs(factors[1:] / factors[:-1] - 1) > tolerance).sum())
    return steps <= max(_LEAST_STEPS, _MAX_STEPS_SHARE * len(factors))


def _jumps(day: pd.Timestamp, answer: pd.Series, wanted: Wanted) -> bool:
    """Is the close of the session after the last known one out of reach of it?"""
    later = answer[answer.index > day]
    sessions = wanted.sessions[wanted.sessions > np.datetime64(day, "D")]
    if not len(later) or not len(sessions) or later.index[0] != pd.Timestamp(sessions[0]):
        return False
    ratio = later.iloc[0] / answer[day]
    return bool(ratio > _MAX_JUMP or ratio < 1 / _MAX_JUMP)
