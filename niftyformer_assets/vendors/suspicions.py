"""What looks wrong with a folder of candles as a whole, and what no look at one stock tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from niftyformer_assets.vendors.folder import Daily
from niftyformer_assets.vendors.headings import PRICES
from niftyformer_assets.vendors.names import some

# From 2010 to 2026 the median of NSE's large stocks never opened further than 9.1% from its last close (2020-03-23).
_MIN_GAP = 0.13
# Stocks whose gap is that of the median, within this much, share it,
_SAME_GAP = 0.05
# and so many of them, two at least, are no accident.
_SHARING = 0.5
# Few stocks cost so many rupees (3 of 100 large ones); so many of a folder's symbols, and most, do not.
_PAISE_LEVEL, _MANY = 10_000, 5
# Fewer candles than this tell nothing of a stock's columns.
_ENOUGH_CANDLES = 20
# Of volumes of so many shares and more, one in ten ends in a zero; where they are written as 1.23M, all do.
_LARGE_VOLUME = 10_000
# Candles of weeks or months: half of so many, or more, are so many days or more from the next.
_ENOUGH_WEEKS, _DAYS_APART = 8, 4
# A close that is a hundred times the last one, or a hundredth, is in another unit.
_HUNDRED = (80.0, 125.0)
# A previous close that is off by more than this from the close before was adjusted for a corporate action.
_ADJUSTED = 0.01


def suspicions(candles: Mapping[str, Daily]) -> list[str]:
    """Sentences on what looks wrong, the most serious first: stocks only, by symbol."""
    candles = {symbol: daily for symbol, daily in candles.items() if len(daily.dates)}
    return [
        *_not_daily(candles),
        *_gaps_of_all(candles),
        *_paise(candles),
        *_changes_of_unit(candles),
        *_rounded_volumes(candles),
        *_copies(candles),
        *_columns_alike(candles),
        *_corporate_actions(candles),
    ]


def _not_daily(candles: Mapping[str, Daily]) -> list[str]:
    """Most symbols' candles that are further apart than sessions are."""
    long = {symbol: daily for symbol, daily in candles.items() if len(daily.dates) >= _ENOUGH_WEEKS}
    apart = {
        symbol: days
        for symbol, daily in long.items()
        if (days := float(np.median(np.diff(daily.dates).astype(int)))) >= _DAYS_APART
    }
    if not apart or len(apart) <= _SHARING * len(long):
        return []
    return [
        f"candles of {len(apart)} of {len(long)} symbols are {np.median(list(apart.values())):.0f} days apart, as "
        f"those of weeks or months are, and daily ones are expected: {some(apart)}."
    ]


def _gaps_of_all(candles: Mapping[str, Daily]) -> list[str]:
    """Sessions on which most stocks open at the same factor of their last close."""
    days, ratios = [], []
    for daily in candles.values():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = daily.open[1:] / daily.close[:-1]
        good = np.isfinite(ratio) & (ratio > 0)
        days.append(daily.dates[1:][good])
        ratios.append(ratio[good])
    if not days:
        return []
    frame = pd.DataFrame({"day": np.concatenate(days), "ratio": np.concatenate(ratios)})
    frame["median"] = frame.groupby("day")["ratio"].transform("median")
    frame = frame[(frame["median"] < 1 - _MIN_GAP) | (frame["median"] > 1 / (1 - _MIN_GAP))]
    if frame.empty:
        return []
    frame["same"] = (frame["ratio"] / frame["median"] - 1).abs() <= _SAME_GAP
    sessions = frame.groupby("day").agg(median=("median", "first"), same=("same", "sum"), all=("same", "size"))
    sessions = sessions[(sessions["same"] >= 2) & (sessions["same"] >= _SHARING * sessions["all"])]
    said = [
        f"on {day:%Y-%m-%d} {row['same']:.0f} of {row['all']:.0f} stocks open at {row['median']:.3g} times their last "
        "close: no market moves so, a split or another unit has been put into all files."
        for day, row in sessions.head(3).iterrows()
    ]
    if len(sessions) > 3:
        said.append(f"the same on {len(sessions) - 3} more sessions.")
    return said


def _paise(candles: Mapping[str, Daily]) -> list[str]:
    """Prices that look like paise: whole numbers and large, or most symbols' large ones."""
    large = {
        symbol: daily
        for symbol, daily in candles.items()
        if len(daily.close) >= _ENOUGH_CANDLES and np.median(daily.close) > _PAISE_LEVEL
    }
    whole = {symbol for symbol, daily in large.items() if all(_are_whole(getattr(daily, name)) for name in PRICES)}
    suspected = set(large) if len(large) >= _MANY and len(large) > _SHARING * len(candles) else whole
    if not suspected:
        return []
    return [
        f"prices of {len(suspected)} of {len(candles)} symbols ({some(suspected)}) look like paise, and rupees are "
        f"expected: they are {'whole numbers ' if suspected == whole else ''}above {_PAISE_LEVEL:,}."
    ]


def _are_whole(values: np.ndarray) -> bool:
    return bool((values == np.rint(values)).all())


def _changes_of_unit(candles: Mapping[str, Daily]) -> list[str]:
    places = []
    for symbol, daily in candles.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = daily.close[1:] / daily.close[:-1]
        low, high = _HUNDRED
        far = ((ratio > low) & (ratio < high)) | ((ratio > 1 / high) & (ratio < 1 / low))
        places += [f"{symbol} on {daily.dates[at + 1]} (× {ratio[at]:.3g})" for at in np.flatnonzero(far)]
    if not places:
        return []
    return [f"closes go on a hundred times as high or low, as where paise follow rupees: {some(places)}."]


def _rounded_volumes(candles: Mapping[str, Daily]) -> list[str]:
    """Most symbols' volumes all end in a zero."""
    long = {
        symbol: volumes
        for symbol, daily in candles.items()
        if len(volumes := daily.volume[daily.volume >= _LARGE_VOLUME]) >= _ENOUGH_CANDLES
    }
    rounded = [symbol for symbol, volumes in long.items() if (volumes % 10 == 0).all()]
    if not rounded or len(rounded) <= _SHARING * len(long):
        return []
    return [f"volumes of {len(rounded)} of {len(long)} symbols are rounded, to tens or more: {some(rounded)}."]


def _copies(candles: Mapping[str, Daily]) -> list[str]:
    of_content: dict[bytes, list[str]] = {}
    for symbol, daily in candles.items():
        if len(daily.close) >= _ENOUGH_CANDLES:
            of_content.setdefault(daily.dates.tobytes() + daily.close.tobytes(), []).append(symbol)
    copies = [" and ".join(symbols) for symbols in of_content.values() if len(symbols) > 1]
    if not copies:
        return []
    more = f"; and {len(copies) - 5} more" if len(copies) > 5 else ""
    return [f"the same closes throughout, so that one is a copy: {'; '.join(copies[:5])}{more}."]


def _columns_alike(candles: Mapping[str, Daily]) -> list[str]:
    """Pairs of price columns that are the same throughout: for illiquid stocks so now and then, for most never."""
    said = []
    long = [daily for daily in candles.values() if len(daily.close) >= _ENOUGH_CANDLES]
    for one, other in combinations(PRICES, 2):
        alike = sum(np.array_equal(getattr(daily, one), getattr(daily, other)) for daily in long)
        if alike and alike >= _SHARING * len(long):
            said.append(
                f"{one} and {other} are the same in all candles of {alike} of {len(long)} symbols: one is a copy."
            )
    return said


def _corporate_actions(candles: Mapping[str, Daily]) -> list[str]:
    """Where the source's previous close is not the close before: that was adjusted, the candles are not."""
    told = {symbol: daily for symbol, daily in candles.items() if daily.previous_close is not None}
    if not told:
        return []
    sessions = np.unique(np.concatenate([daily.dates for daily in told.values()]))
    places: list[tuple[np.datetime64, str, float]] = []
    for symbol, daily in told.items():
        assert daily.previous_close is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = daily.previous_close[1:] / daily.close[:-1]
        follows = np.diff(np.searchsorted(sessions, daily.dates)) == 1
        off = follows & (daily.previous_close[1:] > 0) & (np.abs(factor - 1) > _ADJUSTED)
        places += [(daily.dates[place + 1], symbol, float(factor[place])) for place in np.flatnonzero(off)]
    said = "prices are as they were traded: nothing adjusts them for splits, bonus issues and other corporate actions"
    if not places:
        return [f"{said}, and the previous close is always the close before (see docs/corporate_actions.md)."]
    shown = _places(sorted(places))
    return [
        f"{said}; where the previous close is not the close before, as after one ({len(places):,} in all): {shown} "
        "(see docs/corporate_actions.md)."
    ]


def _places(places: Sequence[tuple[np.datetime64, str, float]]) -> str:
    shown = ", ".join(f"{symbol} {day} (× {factor:.3g})" for day, symbol, factor in places[:3])
    return shown + (f" and {len(places) - 3} more" if len(places) > 3 else "")
