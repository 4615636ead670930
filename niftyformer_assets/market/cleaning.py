"""What of the raw candles may be used: aligned to sessions, the impossible taken out, breaks marked.

Every decision about session t looks at candles up to t only, so later candles never change it.

What separates a wrong adjustment from a real fall or rise is the overnight gap, the open against
the last close: real news moves a stock within a session, a wrong adjustment moves it between two.
The gap is taken relative to the market's own (the median stock's) of that session, so that a
market-wide fall is no break. A gap that the same session takes back is a wrong price, not a break.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.checks import require

# With fewer stocks the median says more about them than about the market, and the market is taken as still.
_MIN_FOR_MARKET = 5
# A session the calendar does not know counts if at least this share of the stocks listed then traded.
_MIN_SHARE_FOR_UNKNOWN_SESSION = 0.5
# Before and after a split, bonus or consolidation, shares are in such proportions.
_SHARE_RATIOS = (1 / 10, 1 / 5, 1 / 4, 1 / 3, 2 / 5, 1 / 2, 3 / 5, 2 / 3, 3 / 4)
_RATIO_TOLERANCE = 0.02


@dataclass(frozen=True)
class QualitySettings:
    """From where on candles are suspect. All are shares.

    max_missing_share: of the sessions between a symbol's first and last candle; more fails it.
    max_zero_volume_share: of its candles; more warns.
    max_overnight_gap: of open against the last close, relative to the market's gap of that session.
        A larger one is taken for a broken adjustment and starts a new segment.
    suspect_overnight_gap: a smaller gap from here on warns where it is that of a usual split ratio.
    max_quarantined_share: of its candles; more fails it.
    """

    __pydantic_config__ = {"extra": "forbid"}

    max_missing_share: float = 0.2
    max_zero_volume_share: float = 0.1
    max_overnight_gap: float = 0.35
    suspect_overnight_gap: float = 0.2
    max_quarantined_share: float = 0.05

    def __post_init__(self) -> None:
        for name in ("max_missing_share", "max_zero_volume_share", "max_quarantined_share"):
            require(0 <= getattr(self, name) <= 1, f"{name} must lie between 0 and 1")
        require(
            0 < self.suspect_overnight_gap <= self.max_overnight_gap,
            "suspect_overnight_gap must be above 0 and at most max_overnight_gap",
        )


@dataclass(frozen=True, eq=False)
class CleanMarket:
    """Candles of all symbols that have any, on all sessions at which any has one.

    axes: T sessions, N symbols (sorted).
    open, high, low, close, volume: float64 [T, N], NaN where there is no candle or it is
        quarantined.
    segment: int32 [T, N], the number of the unbroken stretch of a stock's prices (0, 1, …), carried
        through sessions without a candle; -1 before the first one.
    raw_count: int [N], candles of the raw files, doubled ones included.
    quarantine: one row for each thing taken out or cut: symbol, session, what, reason, effect.
    suspects: the same for what is only reported.
    unknown_sessions, silent_sessions: sessions that the calendar does not know but most stocks
        traded on, and sessions of the calendar at which none did. The former are in, the latter out.
    """

    axes: Axes
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    segment: np.ndarray
    raw_count: np.ndarray
    quarantine: pd.DataFrame
    suspects: pd.DataFrame
    unknown_sessions: np.ndarray
    silent_sessions: np.ndarray


def clean(
    candles: Mapping[str, pd.DataFrame], sessions: np.ndarray, settings: QualitySettings | None = None
) -> CleanMarket:
    """Align raw candles to sessions and take out what cannot be.

    Args:
        candles: (date, open, high, low, close, volume) by symbol, in any order, faults included.
        sessions: datetime64[D], NSE's sessions over at least the time of the candles.
    """
    settings = settings or QualitySettings()
    symbols = tuple(sorted(symbol for symbol, frame in candles.items() if len(frame)))
    days_of = {symbol: candles[symbol]["date"].to_numpy().astype("datetime64[D]") for symbol in symbols}
    with_volume = [days_of[symbol][candles[symbol]["volume"].to_numpy() > 0] for symbol in symbols]
    grid, unknown, silent = _sessions_of(
        list(days_of.values()), with_volume, np.asarray(sessions, dtype="datetime64[D]")
    )
    axes = Axes(grid, symbols)
    records = _Records(grid, symbols)
    values = {name: np.full(axes.shape, np.nan) for name in (*PRICES, "volume")}
    for column, symbol in enumerate(symbols):
        _place(values, column, days_of[symbol], candles[symbol], grid, records)
    _take_out_impossible(values, records)
    _take_out_stray_opens(values, records, settings)
    segment = _segments(values, records, settings)
    return CleanMarket(
        axes=axes,
        **values,
        segment=segment,
        raw_count=np.array([len(candles[symbol]) for symbol in symbols]),
        quarantine=records.table("quarantine"),
        suspects=records.table("suspect"),
        unknown_sessions=unknown,
        silent_sessions=silent,
    )


class _Records:
    """Collects what was found, by cell."""

    def __init__(self, grid: np.ndarray, symbols: tuple[str, ...]) -> None:
        self._grid, self._symbols = grid, symbols
        self._rows: list[tuple[str, str, np.datetime64, str, str, str]] = []

    def add(self, list_: str, column: int, session: np.datetime64, what: str, reason: str, effect: str) -> None:
        self._rows.append((list_, self._symbols[column], session, what, reason, effect))

    def add_cell(self, list_: str, row: int, column: int, what: str, reason: str, effect: str) -> None:
        self.add(list_, column, self._grid[row], what, reason, effect)

    def table(self, list_: str) -> pd.DataFrame:
        rows = sorted((row[1:] for row in self._rows if row[0] == list_), key=lambda row: (row[0], row[1], row[2]))
        frame = pd.DataFrame(rows, columns=["symbol", "session", "what", "reason", "effect"])
        return frame.astype({"session": "datetime64[ms]"})


def _sessions_of(
    days_of: list[np.ndarray], with_volume: list[np.ndarray], sessions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sessions of these candles; those the calendar lacks; those of the calendar without candles."""
    if not days_of:
        none = np.array([], dtype="datetime64[D]")
        return none, none, none
    unique = [np.unique(days) for days in days_of]
    dates = np.unique(np.concatenate(unique))
    begun = np.sort(np.array([days[0] for days in unique]))
    # Some sources repeat the last candle, without volume, on a holiday: that is no session.
    traded, counts = np.unique(np.concatenate([np.unique(days) for days in with_volume]), return_counts=True)
    listed = np.searchsorted(begun, traded, side="right")
    most = (counts >= _MIN_SHARE_FOR_UNKNOWN_SESSION * listed) & (counts > 1)
    unknown = traded[most & ~np.isin(traded, sessions)]
    inside = sessions[(sessions >= dates[0]) & (sessions <= dates[-1])]
    silent = inside[~np.isin(inside, dates)]
    return np.union1d(dates[np.isin(dates, sessions)], unknown), unknown, silent


def _place(
    values: dict[str, np.ndarray],
    column: int,
    days: np.ndarray,
    frame: pd.DataFrame,
    grid: np.ndarray,
    records: _Records,
) -> None:
    """Put one symbol's candles on the sessions, each at most once."""
    content = frame[[*PRICES, "volume"]].to_numpy(dtype=np.float64)
    for place in np.flatnonzero(np.diff(days) < np.timedelta64(0, "D")) + 1:
        reason = f"comes after {days[place - 1]}"
        records.add("suspect", column, days[place], "out of order", reason, "put in its place")
    row_of = np.searchsorted(grid, days)
    known = np.isin(days, grid)
    for day in np.unique(days[~known]):
        records.add("quarantine", column, day, "no session", "NSE did not trade on this date", "candle dropped")
    row_of, content = row_of[known], content[known]
    rows, first, counts = np.unique(row_of, return_index=True, return_counts=True)
    usable = np.ones(len(rows), dtype=bool)
    for place in np.flatnonzero(counts > 1):
        same = content[row_of == rows[place]]
        if (same == same[0]).all():
            reason = f"is there {len(same)} times, always the same"
            records.add_cell("suspect", rows[place], column, "duplicate", reason, "kept once")
        else:
            usable[place] = False
            reason = f"is there {len(same)} times with different values"
            records.add_cell("quarantine", rows[place], column, "duplicate", reason, "candle dropped")
    for name, at_first in zip((*PRICES, "volume"), content[first].T, strict=True):
        values[name][rows[usable], column] = at_first[usable]


def _take_out_impossible(values: dict[str, np.ndarray], records: _Records) -> None:
    """Set candles to NaN that no trading could have made."""
    prices = np.stack([values[name] for name in PRICES])
    present = np.isfinite(prices).any(axis=0)
    with np.errstate(invalid="ignore"):
        not_positive = present & ~(prices > 0).all(axis=0)
        negative_volume = present & ~(values["volume"] >= 0)
        high_too_low = present & (values["high"] < prices.max(axis=0))
        low_too_high = present & (values["low"] > prices.min(axis=0))
    faults = (
        (not_positive, "non-positive price"),
        (negative_volume, "negative volume"),
        (high_too_low, "high below open, low or close"),
        (low_too_high, "low above open, high or close"),
    )
    bad = np.zeros_like(present)
    for fault, what in faults:
        for row, column in zip(*np.nonzero(fault & ~bad), strict=True):
            reason = ", ".join(f"{name} {values[name][row, column]:g}" for name in (*PRICES, "volume"))
            records.add_cell("quarantine", row, column, what, reason, "candle dropped")
        bad |= fault
    for array in values.values():
        array[bad] = np.nan


def _take_out_stray_opens(values: dict[str, np.ndarray], records: _Records, settings: QualitySettings) -> None:
    """Set candles to NaN that open as after a wrong adjustment but close as if there had been none.

    Taken for a break, one wrong first price would change every holding's shares for good.
    """
    before = _previous(values["close"])
    opens, closes = values["open"] / before, values["close"] / before
    market = 1 + _market_gap(opens - 1)[:, None]
    with np.errstate(invalid="ignore"):
        wide = np.abs(opens / market - 1) > settings.max_overnight_gap
        # More than half of the way back within the session, in logarithms.
        stray = wide & (np.abs(np.log(closes / market)) < np.abs(np.log(opens / market)) / 2)
    for row, column in zip(*np.nonzero(stray), strict=True):
        reason = (
            f"opens {opens[row, column] - 1:+.1%} from the last close but closes {closes[row, column] - 1:+.1%} from it"
        )
        records.add_cell("quarantine", row, column, "stray open", reason, "candle dropped")
    for array in values.values():
        array[stray] = np.nan


def _segments(values: dict[str, np.ndarray], records: _Records, settings: QualitySettings) -> np.ndarray:
    """Number the unbroken stretches of prices, cutting where a gap cannot be real."""
    close, present = values["close"], np.isfinite(values["close"])
    before = _previous(close)
    gap = values["open"] / before - 1
    market = _market_gap(gap)
    excess = (1 + gap) / (1 + market[:, None]) - 1
    with np.errstate(invalid="ignore"):
        broken = np.abs(excess) > settings.max_overnight_gap
        suspect = ~broken & (np.abs(excess) >= settings.suspect_overnight_gap) & _is_share_ratio(1 + excess)
    for row, column in zip(*np.nonzero(broken), strict=True):
        reason = (
            f"opens {gap[row, column]:+.1%} from the last close where the market's gap is {market[row]:+.1%}: "
            "taken for a wrong adjustment"
        )
        effect = "return dropped, new segment"
        records.add_cell("quarantine", row, column, "overnight gap", reason, effect)
    for row, column in zip(*np.nonzero(suspect), strict=True):
        reason = f"opens {gap[row, column]:+.1%} from the last close, as after a split that was not adjusted for"
        records.add_cell("suspect", row, column, "suspected adjustment", reason, "kept")
    begun = np.maximum.accumulate(present, axis=0)
    return np.where(begun, np.cumsum(broken, axis=0), -1).astype(np.int32)


def _previous(close: np.ndarray) -> np.ndarray:
    """For each session the last close before it, however long ago; NaN where there is none."""
    if not len(close):
        return close.copy()
    rows = np.where(np.isfinite(close), np.arange(len(close))[:, None], -1)
    last = np.vstack([np.full((1, close.shape[1]), -1), np.maximum.accumulate(rows, axis=0)[:-1]])
    return np.where(last >= 0, np.take_along_axis(close, np.maximum(last, 0), axis=0), np.nan)


def _market_gap(gap: np.ndarray) -> np.ndarray:
    """The median stock's gap by session [T]; 0 where too few stocks have one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a session without any gap is NaN, then 0
        median = np.nanmedian(gap, axis=1) if gap.size else np.zeros(len(gap))
    enough = np.isfinite(gap).sum(axis=1) >= _MIN_FOR_MARKET
    return np.where(enough & np.isfinite(median), median, 0.0)


def _is_share_ratio(ratio: np.ndarray) -> np.ndarray:
    smaller = np.minimum(ratio, 1 / ratio)
    return np.isclose(smaller[..., None], _SHARE_RATIOS, rtol=_RATIO_TOLERANCE).any(axis=-1)
