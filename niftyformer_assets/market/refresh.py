"""Bringing the candles of one symbol up to date: what to ask, and what to believe.

Kite re-adjusts a stock's whole history on the morning of an ex-date, so new candles must not be
put behind old ones unseen: a refresh asks for the missing sessions and for those it already has
as far as one request reaches (once a day; then for some), and when those differ, for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from niftyformer_assets.market.candle_files import PRICES, CandleFile
from niftyformer_assets.market.kite import MAX_DAYS, BrokenAnswer
from niftyformer_assets.market.settings import QualitySettings

# An answer in which a larger share of the candles at hand is missing or broken replaces nothing.
_MAX_WORSE_SHARE = 0.05
# Closes of one session in two series are the same price up to rounding; the smallest adjustments are larger.
ALIKE = 0.005
_SESSIONS_COMPARED = 5
# So many final sessions at hand are asked for again at least. An adjustment shows in each of them; one may have lacked
# its candle, or been suspended.
OVERLAP_SESSIONS = 5
# How often a doubtful answer is asked for before the best one is taken.
_MAX_ASKS = 3

# A gap from here on may be a corporate action that Kite has yet to adjust for: the suspicions of `QualitySettings`.
_WIDE_FALL, _WIDE_RISE = QualitySettings().suspect_overnight_fall, QualitySettings().suspect_overnight_gap

Ask = Callable[[date, date], pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What should be at hand.

    sessions: datetime64[D], NSE's sessions from `first` through `through`.
    through: the last session that is over.
    final_through: the last session whose close is final; those after it are asked for again.
    """

    first: date
    through: date
    final_through: date
    sessions: np.ndarray


def is_up_to_date(file: CandleFile, wanted: Wanted) -> bool:
    """Would asking again tell nothing new?"""
    return (
        file.asked_from <= wanted.first
        and file.through >= wanted.through
        and file.final_through >= wanted.final_through
    )


def refreshed(
    file: CandleFile | None, wanted: Wanted, ask: Ask, overlap: int = OVERLAP_SESSIONS, series: str = ""
) -> CandleFile:
    """The candles as they should be on disk now.

    Args:
        file: what is on disk, None for nothing.
        ask: candles between two dates at most `MAX_DAYS` apart, both included.
        overlap: how many final sessions at hand to ask for again, where not more are compared.
        series: that of the candles asked for (`CandleFile.series`).

    Raises:
        BrokenAnswer: the answer is much worse than what is at hand.
    """
    fresh = CandleFile(pd.DataFrame(), wanted.first, wanted.through, wanted.final_through, series=series)
    if file is not None and file.rows and (file.series != series or file.joined is not None):
        return _across_series(file, fresh, wanted, _ask_soundly(ask, wanted.first, wanted, _own_part(file)))
    if file is None or not file.rows or file.asked_from > wanted.first:
        return _whole(file, fresh, wanted, ask)
    held = file.candles
    final = held[held["date"] <= np.datetime64(file.final_through)]
    # What looked wrong when it was fetched is asked for once more on a later day.
    unsettled = doubts(held, wanted.sessions) != file.settled
    if final.empty or unsettled:
        return _whole(file, fresh, wanted, ask)
    days = np.sort(final["date"].unique())
    start = days[-overlap:][0]
    if wanted.final_through > file.final_through:
        # Kite also adjusts late, mends what it adjusted wrongly, and may have lost the beginning of its first answer:
        # once a day all that one request tells is compared.
        reach = np.datetime64(wanted.through) - np.timedelta64(MAX_DAYS - 1, "D")
        start = min(start, max(np.datetime64(wanted.first), reach))
    known = final[final["date"] >= start]
    answer = _ask_soundly(ask, _day(start), wanted, held)
    if _same(answer[answer["date"] <= np.datetime64(file.final_through)], known):
        candles = pd.concat([held[held["date"] < start], answer], ignore_index=True)
        return replace(fresh, candles=candles, asked_from=file.asked_from, changes=file.changes, settled=file.settled)
    return _whole(file, fresh, wanted, ask)


def ranges(first: date, last: date, max_days: int = MAX_DAYS) -> Iterator[tuple[date, date]]:
    """Split dates into stretches of at most `max_days`, each beginning the day after the one before."""
    while first <= last:
        end = min(last, first + timedelta(days=max_days - 1))
        yield first, end
        first = end + timedelta(days=1)


def doubts(candles: pd.DataFrame, sessions: np.ndarray, held: np.ndarray | None = None) -> int:
    """How many things about candles make one ask again.

    Candles that cannot be, sessions that come twice or out of order, sessions missing between the
    first and the last, and those `held` (datetime64[D]) already but not among the candles.
    """
    days = candles["date"].to_numpy().astype("datetime64[D]")
    prices = candles[list(PRICES)].to_numpy()
    impossible = (prices <= 0).any(axis=1) | (candles["volume"].to_numpy() < 0)
    impossible |= (candles["high"].to_numpy() < prices.max(axis=1)) | (candles["low"].to_numpy() > prices.min(axis=1))
    disorder = int((np.diff(days) <= np.timedelta64(0, "D")).sum())
    expected = np.array([], dtype="datetime64[D]") if held is None else held
    if len(days):
        expected = np.union1d(expected, sessions[(sessions >= days.min()) & (sessions <= days.max())])
    return int(impossible.sum()) + disorder + len(np.setdiff1d(expected, days))


def _whole(file: CandleFile | None, fresh: CandleFile, wanted: Wanted, ask: Ask) -> CandleFile:
    held = file.candles if file is not None else None
    return _replaced(file, fresh, wanted, _ask_soundly(ask, wanted.first, wanted, held))


def _replaced(file: CandleFile | None, fresh: CandleFile, wanted: Wanted, candles: pd.DataFrame) -> CandleFile:
    """The answer in place of what is at hand, unless it is much worse."""
    held = file.candles if file is not None else None
    if file is None or held is None or not len(held):
        reason = "" if len(candles) else f"Kite has no candles from {wanted.first} to {wanted.through}"
        return replace(fresh, candles=candles, reason=reason, changes=file.changes if file else ())
    had = held.loc[held["date"] >= np.datetime64(wanted.first), "date"]
    at_hand = had.to_numpy().astype("datetime64[D]")
    worse = doubts(candles, wanted.sessions, at_hand) - doubts(held, wanted.sessions)
    if candles.empty or worse > max(_MAX_WORSE_SHARE * len(had), 1):
        raise BrokenAnswer(
            f"Kite's answer has {worse} more missing or impossible candles than the {len(had)} at hand: "
            "those are kept; fetch it again later."
        )
    changed = _changed(held, candles, file.final_through)
    fresh = replace(fresh, candles=candles, changes=file.changes, settled=doubts(candles, wanted.sessions))
    if changed:
        settled = "".join(f"; {said}" for said in _settled_gaps(held, candles))
        fresh = fresh.with_change(
            f"{wanted.through}: {changed} of {len(held)} candles at hand were changed by Kite{settled}"
        )
    return fresh


def _across_series(file: CandleFile, fresh: CandleFile, wanted: Wanted, answer: pd.DataFrame) -> CandleFile:
    """Candles at hand with those of the series that the stock has moved to, which may begin only at the move.

    What the answer lacks stays at hand; its own sessions go on from there. Where no session in both
    shows that they are adjusted alike, a new segment begins.
    """
    held, moved = file.candles, file.series != fresh.series
    lacking = held.loc[~held["date"].isin(answer["date"]), "date"]
    if lacking.empty:
        return _replaced(file, fresh, wanted, answer)
    later = answer[answer["date"] > lacking.max()].sort_values("date")
    own = _own_part(file)
    lost = int(own["date"].isin(lacking).sum())
    if not moved and (later.empty or lost > max(_MAX_WORSE_SHARE * len(own), 1)):
        raise BrokenAnswer(
            f"Kite's answer lacks {lost} of the {len(own)} candles at hand of series {file.series}: those are kept; "
            "fetch it again later."
        )
    if later.empty:  # nothing was traded in the new series yet
        return replace(file, through=wanted.through, final_through=wanted.final_through)
    joined = _day(later["date"].to_numpy()[0])
    candles = pd.concat([held[held["date"] < later["date"].iloc[0]], later], ignore_index=True)
    fresh = replace(fresh, candles=candles, joined=joined, changes=file.changes, breaks=file.breaks)
    alike = _adjusted_alike(held[held["date"] <= np.datetime64(file.final_through)], answer)
    if alike or (alike is None and joined == file.joined):
        return fresh
    series = fresh.series or "EQ"
    if joined in file.breaks:
        return fresh.with_change(f"{wanted.through}: the candles of series {series} at hand were changed by Kite")
    return replace(fresh, breaks=(*file.breaks, joined)).with_change(
        f"{wanted.through}: the candles from {joined} on are of series {series}, and nothing shows that those before "
        "them are adjusted alike: a new segment begins"
    )


def _own_part(file: CandleFile) -> pd.DataFrame:
    """The candles at hand that come from the series asked for last."""
    return file.candles if file.joined is None else file.candles[file.candles["date"] >= np.datetime64(file.joined)]


def _adjusted_alike(held: pd.DataFrame, answer: pd.DataFrame) -> bool | None:
    """Do the earliest sessions in both show the same prices? None without such sessions.

    Later ones may have been adjusted since, and say nothing of those before.
    """
    both = held.merge(answer, on="date", suffixes=("_held", "_now")).sort_values("date").head(_SESSIONS_COMPARED)
    return bool(abs((both["close_now"] / both["close_held"]).median() - 1) < ALIKE) if len(both) else None


def _ask_soundly(ask: Ask, first: date, wanted: Wanted, held: pd.DataFrame | None) -> pd.DataFrame:
    """Ask for candles through the last complete session.

    An answer that looks wrong is asked for again. It counts once it comes twice, or if what is at
    hand looks no better.
    """
    parts = [
        _ask_part(ask, start, end, wanted.sessions, held, earlier=end < wanted.through)
        for start, end in ranges(first, wanted.through)
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[-1]


def _ask_part(
    ask: Ask, start: date, end: date, sessions: np.ndarray, held: pd.DataFrame | None, earlier: bool
) -> pd.DataFrame:
    at_hand, known_doubts = np.array([], dtype="datetime64[D]"), 0
    if held is not None and len(held):
        part = held[(held["date"] >= np.datetime64(start)) & (held["date"] <= np.datetime64(end))]
        at_hand, known_doubts = part["date"].to_numpy().astype("datetime64[D]"), doubts(part, sessions)
    # Nothing at hand says whether a stock was listed late or the beginning of the answer is lost. The last part is
    # compared again the next day, those before it never are: there it has to come twice.
    unseen = earlier and (held is None or not len(held))
    begins = sessions[(sessions >= np.datetime64(start)) & (sessions <= np.datetime64(end))]
    best, fewest = None, 0
    before: pd.DataFrame | None = None
    for _ in range(_MAX_ASKS):
        answer = ask(start, end)
        found = doubts(answer, sessions, at_hand)
        if unseen and len(begins) and (answer.empty or answer["date"].min() > begins[0]):
            found += 1
        if found <= known_doubts or (before is not None and answer.equals(before)):
            return answer
        if best is None or found < fewest:
            best, fewest = answer, found
        before = answer
    assert best is not None
    return best


def _same(answer: pd.DataFrame, known: pd.DataFrame) -> bool:
    return bool(answer.reset_index(drop=True).equals(known.reset_index(drop=True)))


def _changed(held: pd.DataFrame, candles: pd.DataFrame, final_through: date) -> int:
    """How many final candles at hand read otherwise now, or are gone."""
    final = held[held["date"] <= np.datetime64(final_through)]
    final = final[final["date"] >= candles["date"].min()]
    return len(final) - len(final.merge(candles, how="inner").drop_duplicates("date"))


def _settled_gaps(held: pd.DataFrame, candles: pd.DataFrame) -> list[str]:
    """The wide gaps between a close and the next open that Kite's new candles no longer have, in words."""
    was, now = _gaps(held), _gaps(candles)
    found = was[(was < -_WIDE_FALL) | (was > _WIDE_RISE)].index.intersection(now.index)
    return [
        f"the gap of {was[day]:+.1%} at {day:%Y-%m-%d} is {now[day]:+.1%} now, so it was a corporate action"
        for day in found
        if abs(now[day]) < abs(was[day]) / 2
    ]


def _gaps(candles: pd.DataFrame) -> pd.Series:
    """Open over the last close − 1, by date; candles without a price are passed over."""
    priced = candles[(candles["open"] > 0) & (candles["close"] > 0)]
    ordered = priced.drop_duplicates("date").sort_values("date").set_index("date")
    return (ordered["open"] / ordered["close"].shift(1) - 1).dropna()


def _day(stamp: np.datetime64) -> date:
    day: date = stamp.astype("datetime64[D]").item()
    return day
