"""Whether Kite's answers can be true beside the closes at hand.

A stock's past closes may change: Kite multiplies those before an ex-date by one factor, also late, and
takes back what it adjusted wrongly. That befalls few stocks at a time, and by few factors each. Answers
that read otherwise for most stocks, or a stock's with closes that no factor explains, are wrong. So are those in which
the newest closes of most stocks are out of reach of the ones before, first answers too.
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
# From one session to the next no market moves by a fifth: NSE ends a session in which its index has, and since 2004 it
# moved by 18% at most (2009-05-18). A single stock does, when an adjustment is forgotten or an event befalls it.
_MARKET_MOVE = 0.2
# Further than a good many stocks go even on such a day.
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
    moves: whether a later close is further from the one before it than most stocks ever get in that time.
    explained: whether adjustments may be all of the change.
    recent: whether the closes at hand are of the last month.
    said: the difference in words.
    """

    contradicts: bool
    moves: bool
    explained: bool
    recent: bool
    said: str

    @property
    def doubtful(self) -> bool:
        """Whether it depends on the answers for other stocks if this one is believed."""
        return self.contradicts or self.moves


def compared(file: CandleFile | None, candles: pd.DataFrame, wanted: Wanted) -> Comparison | None:
    """Compare an answer with the final closes at hand; None where no session is in both.

    Of a stock without candles at hand the newest closes of the answer are compared with those before them.
    """
    if file is None or not file.rows:
        return _first(candles, wanted)
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
    step = _widest_step(day, answer, wanted)
    if whole and not moved and step.moves:
        said = step.said
    if explained and not like_closes:
        said = "opens, highs, lows or volumes changed otherwise than closes"
    explained = explained and whole and like_closes
    return Comparison(
        contradicts=bool(moved or not explained or step.jumps),
        moves=step.moves,
        explained=explained,
        recent=bool(recent),
        said=said,
    )


def too_many(comparisons: Collection[Comparison]) -> bool:
    """Do more stocks contradict what is known of them than corporate actions ever befall at once?"""

    def beyond(share: float, against: list[bool]) -> bool:
        return sum(against) >= LEAST_STOCKS and sum(against) > share * len(against)

    recent = [comparison.contradicts for comparison in comparisons if comparison.recent]
    doubtful = [comparison.doubtful for comparison in comparisons]
    return beyond(MOST_SHARE, doubtful) or beyond(MOST_RECENT_SHARE, recent)


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


@dataclass(frozen=True)
class _Step:
    """From a close to the next one, so many sessions later: its factor for each of them."""

    factor: float = 1.0
    said: str = ""

    @property
    def jumps(self) -> bool:
        return not 1 / _MAX_JUMP <= self.factor <= _MAX_JUMP

    @property
    def moves(self) -> bool:
        return not 1 - _MARKET_MOVE <= self.factor <= 1 + _MARKET_MOVE


def _first(candles: pd.DataFrame, wanted: Wanted) -> Comparison | None:
    """What a first answer says of itself: there its newest closes alone can be out of reach."""
    closes = _priced(candles)["close"].tail(LAST_CLOSES + 1)
    if len(closes) < 2:
        return None
    step = _widest_step(closes.index[0], closes, wanted)
    return Comparison(step.jumps, step.moves, explained=True, recent=True, said=step.said)


def _widest_step(day: pd.Timestamp, answer: pd.Series, wanted: Wanted) -> _Step:
    """The step furthest from 1 of those after `day`; sessions without a candle count as ones that it was made in."""
    closes = answer[answer.index >= day]
    if len(closes) < 2:
        return _Step()
    sessions = np.searchsorted(wanted.sessions, closes.index.to_numpy().astype("datetime64[D]"))
    factors = np.asarray(closes)[1:] / np.asarray(closes)[:-1]
    each = np.log(factors) / np.maximum(np.diff(sessions), 1)
    place = int(np.abs(each).argmax())
    before, after = closes.index[place], closes.index[place + 1]
    return _Step(
        float(np.exp(each[place])),
        f"the close of {before:%Y-%m-%d} was {closes[before]:g}, and that of {after:%Y-%m-%d} reads {closes[after]:g}",
    )
