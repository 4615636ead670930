"""The 93 factors once more, plainly: a stock, a stretch and a window at a time.

Slow, and shares no code with the package but for scikit-learn's k-means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from niftyformer_assets.market.panel import Panel

Frames = dict[str, pd.DataFrame]
Statistic = Callable[..., np.ndarray]


def by_definition(panel: Panel, some: list[str], sectors: np.ndarray | None = None) -> Frames:
    """name -> sessions × some of the symbols, with the market, components and clusters of all.

    Of sectors only where they are given: int [T, N], −1 for none.
    """
    dates, symbols = pd.DatetimeIndex(panel.axes.dates), panel.axes.symbols
    raw = {name: pd.DataFrame(getattr(panel, name), dates, symbols) for name in ("open", "high", "low", "close")}
    raw["volume"] = pd.DataFrame(panel.volume, dates, symbols)
    segment = pd.DataFrame(panel.segment, dates, symbols)

    def by_stretch(function: Callable[..., pd.Series], *frames: pd.DataFrame) -> pd.DataFrame:
        """A function of one stock's series, applied to each unbroken stretch of it."""
        result = pd.DataFrame(np.nan, dates, frames[0].columns)
        for symbol in result.columns:
            for _number, part in segment[symbol][segment[symbol] >= 0].groupby(segment[symbol]):
                result.loc[part.index, symbol] = function(*(frame.loc[part.index, symbol] for frame in frames))
        return result.replace([np.inf, -np.inf], np.nan)

    def over(frame: pd.DataFrame, window: int, what: Statistic) -> pd.DataFrame:
        return by_stretch(lambda x: _each_window(what, window, window / 2, x), frame)

    def lag(frame: pd.DataFrame, sessions: int) -> pd.DataFrame:
        return by_stretch(lambda x: x.shift(sessions), frame)

    def beta(frame: pd.DataFrame, other: pd.DataFrame, window: int, least: float | None = None) -> pd.DataFrame:
        need = window / 2 if least is None else least
        return by_stretch(lambda x, y: _each_window(_slope, window, need, x, y), frame, other)

    def correlation(frame: pd.DataFrame, other: pd.DataFrame, window: int) -> pd.DataFrame:
        return by_stretch(lambda x, y: _each_window(_correlation, window, window / 2, x, y), frame, other)

    C, O, H, L, V = (raw[name] for name in ("close", "open", "high", "low", "volume"))  # noqa: E741
    R = by_stretch(lambda c: c / c.shift(1) - 1, C)
    M = pd.DataFrame(np.repeat(R.mean(axis=1).to_numpy()[:, None], len(symbols), axis=1), dates, symbols)
    lt = by_stretch(lambda c, v: np.log((c * v).where(c * v > 0)), C, V)
    shock = lt - over(lt, 20, _mean)
    f: Frames = {}

    left = pd.DataFrame(np.nan, dates, symbols)
    for rows in _runs(np.busday_count(np.datetime64("2000-01-03"), panel.axes.dates) // 20):
        if (fit := _fit(R, segment, rows[0])) is not None:
            scale, axes, _loadings = fit
            same = R.iloc[rows].where(segment.iloc[rows].eq(segment.iloc[rows[0]], axis=1))[scale.index]
            z = (same / scale).fillna(0.0).to_numpy()
            left.loc[same.index, scale.index] = same - (z @ axes @ axes.T) * scale.to_numpy()
    for d in (1, 3, 5, 10, 20, 60):
        f[f"PCRES{d}"] = over(left[some], d, _sum)

    cluster = pd.DataFrame(np.nan, dates, symbols)
    for rows in _runs(dates.year.to_numpy()):
        if (fit := _fit(R, segment, rows[0])) is not None:
            scale, _axes, loadings = fit
            cluster.loc[dates[rows], scale.index] = KMeans(15, n_init=10, random_state=0).fit_predict(loadings)
    for d in (1, 5, 20, 60):
        own = over(R, d, _sum)
        f[f"CLRET{d}"] = _mean_of_cluster(own, cluster)
        f[f"CLREL{d}"] = own - f[f"CLRET{d}"]
    f["CLTSHOCK"] = shock - _mean_of_cluster(shock, cluster)
    if sectors is not None:
        sector = pd.DataFrame(sectors, dates, symbols).replace(-1, np.nan)
        for d in (1, 5, 20, 60):
            own = over(R, d, _sum)
            f[f"SECRET{d}"] = _mean_of_cluster(own, sector)
            f[f"SECREL{d}"] = own - f[f"SECRET{d}"]
        f["SECTSHOCK"] = shock - _mean_of_cluster(shock, sector)

    C, O, H, L, V, R, M, lt, shock = (x[some] for x in (C, O, H, L, V, R, M, lt, shock))  # noqa: E741
    E = R - beta(R, M, 250) * M
    on = by_stretch(lambda o, c: np.log(o / c.shift(1)), O, C)
    day = by_stretch(lambda c, o: np.log(c / o), C, O)
    for d in (1, 5, 20, 60, 250):
        f[f"ON{d}"], f[f"ID{d}"] = over(on, d, _sum), over(day, d, _sum)
    for d in (20, 60):
        f[f"ONID{d}"] = f[f"ON{d}"] - f[f"ID{d}"]
    for d in (5, 20):
        f[f"ONVW{d}"] = over(V * on, d, _sum) / over(V.where(on.notna()), d, _sum)
    f["ONIDVOL20"] = over(on, 20, _std) / over(day, 20, _std)
    f["ONIDCORR60"] = correlation(on, day, 60)

    impact = by_stretch(lambda r, c, v: r.abs() / (c * v), R, C, V)
    for d in (20, 60, 250):
        f[f"ILLIQ{d}"] = over(impact, d, _mean)
    for d in (20, 250):
        f[f"LTV{d}"] = over(lt, d, _mean)
    f["TSHOCK"] = shock
    f["TTREND5_60"] = over(lt, 5, _mean) - over(lt, 60, _mean)
    f["TTREND20_250"] = over(lt, 20, _mean) - over(lt, 250, _mean)
    f["TVOL60"] = over(lt, 60, _std)
    f["TSHOCKSIGN"] = shock * np.sign(R)
    for d in (5, 20):
        f[f"TSHOCKRET{d}"] = over(shock * R, d, _mean)
    f["ZERO60"] = over((R == 0).astype(float).where(R.notna()), 60, _mean)

    for d in (60, 250):
        f[f"MBETA{d}"] = beta(R, M, d)
    f["DBETA250"] = beta(R, M.where(M < 0), 250, 62) - f["MBETA250"]
    for d in (20, 60, 250):
        f[f"IVOL{d}"] = over(E, d, _std)
    f["VOL20"] = over(R, 20, _std)
    f["VOLR5_60"] = over(R, 5, _std) / over(R, 60, _std)
    f["VOLR20_250"] = over(R, 20, _std) / over(R, 250, _std)
    for d in (5, 20, 250):
        f[f"RMAX{d}"] = over(R, d, _maximum)
    f["RMIN20"] = over(R, 20, _minimum)
    f["ISKEW60"] = over(E, 60, _skewness)
    f["MCORR60"] = correlation(R, M, 60)
    falling = (R**2).where(R < 0, 0.0).where(R.notna())
    f["DOWNVAR60"] = over(falling, 60, _sum) / over(R**2, 60, _sum)
    f["PARK20"] = over(np.log(H / L) ** 2, 20, _mean) / (4 * np.log(2)) / over(R, 20, _variance)

    for d in (250, 120, 60):
        f[f"MOM{d}_20"] = np.log(lag(C, 20) / lag(C, d))
    f["MOMIVOL250_20"] = f["MOM250_20"] / f["IVOL250"]
    for d in (1, 2, 3, 5, 10, 20, 60):
        f[f"RES{d}"] = over(E, d, _sum)
    for d in (1, 5):
        f[f"RESIVOL{d}"] = f[f"RES{d}"] / f["IVOL60"]
    f["RESMOM250_20"] = over(lag(E, 20), 230, _sum) / f["IVOL250"]
    for d in (1, 2, 3, 4):
        f[f"RESLAG{d}"] = lag(E, d)
    for d in (20, 60):
        f[f"RESAC{d}"] = correlation(E, lag(E, 1), d)
    f["TOHIGH250"], f["TOLOW250"] = C / over(H, 250, _maximum), C / over(L, 250, _minimum)
    f["SINCEHIGH250"] = over(C, 250, _since)

    place = by_stretch(lambda c, h, low: (c - low) / (h - low), C, H, L)
    length = (H - L) / C
    f["CLV1"], f["CLV5"], f["CLV20"] = place, over(place, 5, _mean), over(place, 20, _mean)
    f["RANGE20"] = over(length, 20, _mean)
    f["RANGER5_60"] = over(length, 5, _mean) / over(length, 60, _mean)

    f |= _seasons(E, segment[some])
    return {name: frame[some].replace([np.inf, -np.inf], np.nan) for name, frame in f.items()}


def _each_window(what: Statistic, window: int, least: float, *series: pd.Series) -> pd.Series:
    """what([n, window]) of the last sessions, those that all series have, where there are `least` of them."""
    values = np.array([x.to_numpy(dtype=float) for x in series])
    values[:, np.isnan(values).any(axis=0)] = np.nan
    padded = np.pad(values, ((0, 0), (window - 1, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)
    enough = np.isfinite(windows[0]).sum(axis=1) >= least
    result = np.full(values.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        result[enough] = what(*(each[enough] for each in windows))
    return pd.Series(result, series[0].index)


def _off(x: np.ndarray) -> np.ndarray:
    return x - np.nanmean(x, axis=1, keepdims=True)


def _sum(x: np.ndarray) -> np.ndarray:
    return np.nansum(x, axis=1)


def _mean(x: np.ndarray) -> np.ndarray:
    return np.nanmean(x, axis=1)


def _maximum(x: np.ndarray) -> np.ndarray:
    return np.nanmax(x, axis=1)


def _minimum(x: np.ndarray) -> np.ndarray:
    return np.nanmin(x, axis=1)


def _variance(x: np.ndarray) -> np.ndarray:
    return _sum(_off(x) ** 2) / (np.isfinite(x).sum(axis=1) - 1)


def _std(x: np.ndarray) -> np.ndarray:
    return np.sqrt(_variance(x))


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _sum(_off(x) * _off(y)) / _sum(_off(y) ** 2)


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _sum(_off(x) * _off(y)) / np.sqrt(_sum(_off(x) ** 2) * _sum(_off(y) ** 2))


def _skewness(x: np.ndarray) -> np.ndarray:
    return _mean(_off(x) ** 3) / _mean(_off(x) ** 2) ** 1.5


def _since(x: np.ndarray) -> np.ndarray:
    return np.nanargmax(x[:, ::-1], axis=1)


def _runs(labels: np.ndarray) -> Iterator[np.ndarray]:
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)


def _fit(R: pd.DataFrame, segment: pd.DataFrame, end: int) -> tuple[pd.Series, np.ndarray, np.ndarray] | None:
    """Scale, axes and loadings of the stocks with half of their returns in the 250 sessions before."""
    rows = slice(max(0, end - 250), end)
    known = R.iloc[rows].where(segment.iloc[rows].eq(segment.iloc[end], axis=1))
    known = known.loc[:, (known.notna().sum() >= 125) & (known.std() > 1e-12)]
    if known.shape[1] < 30:
        return None
    z = ((known - known.mean()) / known.std()).fillna(0.0).to_numpy()
    _left, size, right = np.linalg.svd(z, full_matrices=False)
    return known.std(), right[:15].T, right[:15].T * size[:15] / np.sqrt(len(z))


def _mean_of_cluster(frame: pd.DataFrame, cluster: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda row: row.groupby(cluster.loc[row.name]).transform("mean"), axis=1).where(frame.notna())


def _seasons(E: pd.DataFrame, segment: pd.DataFrame) -> Frames:
    """Session by session, stock by stock in whole rows."""
    dates = E.index
    names = ("WDAY1", "WDAY2", "CMONTH5", "TMONTH250")
    result = {name: pd.DataFrame(np.nan, dates, E.columns) for name in names}
    business = [pd.bdate_range(month, month + pd.offsets.MonthEnd(0)) for month in dates.to_period("M").to_timestamp()]
    turn = np.array([date in {*days[:3], days[-1]} for date, days in zip(dates, business, strict=True)])
    for t, today in enumerate(dates):
        following = [today + pd.offsets.BDay(h) for h in (1, 2)]
        same = segment.iloc[: t + 1].eq(segment.iloc[t], axis=1)
        past, row = E.iloc[: t + 1].where(same), np.arange(t + 1)
        recent = row > t - 250
        weekday = dates[: t + 1].day_of_week.to_numpy()
        ahead = following[0]
        year, month = dates[: t + 1].year.to_numpy(), dates[: t + 1].month.to_numpy()
        chosen = {
            "WDAY1": (recent & (weekday == following[0].weekday()), 25),
            "WDAY2": (recent & (weekday == following[1].weekday()), 25),
            "CMONTH5": ((month == ahead.month) & (year < ahead.year) & (year >= ahead.year - 5), 52),
            "TMONTH250": (recent & turn[: t + 1], 24),
        }
        for name, (rows, least) in chosen.items():
            kept = past[rows]
            result[name].iloc[t] = kept.mean().where(kept.notna().sum() >= least)
    return result
